"""Losses of numbers that should come close to others: element by element, any shape."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64
from convolith.reference._loss import quiet, reduce, spread


@quiet
def mse_loss_forward(
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Squared error.

    Parameters
    ----------
    x : array of any shape
        Predictions.
    target : x's shape
        What they should be.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Notes
    -----
    loss = (x - target)^2, reduced.
    """
    x, target = float64(x), float64(target)
    return reduce((x - target) ** 2, reduction, out)


@quiet
def mse_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `mse_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, reduction
        As in `mse_loss_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = 2 dloss (x - target), divided as the loss was. The loss is symmetric: with x and target
    exchanged this is the gradient of the target.
    """
    x, target = float64(x), float64(target)
    return spread(dloss, 2 * (x - target), reduction, out)


@quiet
def rmse_loss_forward(x: Floats, target: Floats, *, out: Floats | None = None) -> Floats:
    """Root of the mean squared error.

    Parameters
    ----------
    x : array of any shape
        Predictions.
    target : x's shape
        What they should be.
    out : (), optional
        Where to put the result.

    Returns
    -------
    loss : ()

    Notes
    -----
    loss = sqrt(mean((x - target)^2)), in the unit of x.
    """
    return deliver(np.sqrt(reduce((float64(x) - float64(target)) ** 2, "mean", None)), out)


@quiet
def rmse_loss_backward(
    dloss: Floats, loss: Floats, x: Floats, target: Floats, *, out: Floats | None = None
) -> Floats:
    """Gradient of `rmse_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : ()
        Gradient of the loss.
    loss : ()
        From the forward pass.
    x, target
        As in `rmse_loss_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = dloss (x - target) / (n loss) for n elements. Where the loss is 0 it has a corner, and the
    gradient is taken as 0. With x and target exchanged this is the gradient of the target.
    """
    x, target = float64(x), float64(target)
    if loss == 0:
        return deliver(np.zeros_like(x), out)
    return spread(dloss, (x - target) / float64(loss), "mean", out)


@quiet
def l1_loss_forward(
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Absolute error.

    Parameters
    ----------
    x : array of any shape
        Predictions.
    target : x's shape
        What they should be.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Notes
    -----
    loss = |x - target|, reduced.
    """
    x, target = float64(x), float64(target)
    return reduce(np.abs(x - target), reduction, out)


@quiet
def l1_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `l1_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, reduction
        As in `l1_loss_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = dloss sign(x - target), divided as the loss was; 0 where they are equal, or one is NaN
    (PyTorch). The loss is symmetric: with x and target exchanged this is the gradient of the
    target.
    """
    x, target = float64(x), float64(target)
    return spread(dloss, _sign(x - target), reduction, out)


def _sign(d: Float64s) -> Float64s:
    return (d > 0) - 1.0 * (d < 0)


@quiet
def huber_loss_forward(
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    delta: float = 1.0,
    out: Floats | None = None,
) -> Floats:
    """Squared error of what is near, absolute error of what is far.

    Parameters
    ----------
    x : array of any shape
        Predictions.
    target : x's shape
        What they should be.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    delta : float, more than 0
        From where on the loss grows linearly.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Raises
    ------
    ValueError
        If delta is not positive.

    Notes
    -----
    loss = 0.5 d^2 where d = |x - target| <= delta, else delta (d - 0.5 delta), reduced (Huber
    1964).
    """
    x, target = float64(x), float64(target)
    d = np.abs(x - target)
    return reduce(np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction, out)


@quiet
def huber_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    delta: float = 1.0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `huber_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, reduction, delta
        As in `huber_loss_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = dloss (x - target), cut off at -delta and delta and divided as the loss was. The loss is
    symmetric: with x and target exchanged this is the gradient of the target.
    """
    x, target = float64(x), float64(target)
    return spread(dloss, np.clip(x - target, -delta, delta), reduction, out)


@quiet
def smooth_l1_loss_forward(
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    beta: float = 1.0,
    out: Floats | None = None,
) -> Floats:
    """Absolute error with its corner rounded off.

    Parameters
    ----------
    x : array of any shape
        Predictions.
    target : x's shape
        What they should be.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    beta : float, at least 0
        Up to where the loss is a parabola; with 0 this is `l1_loss_forward`.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Raises
    ------
    ValueError
        If beta is negative.

    Notes
    -----
    loss = 0.5 d^2 / beta where d = |x - target| < beta, else d - 0.5 beta, reduced (Girshick 2015,
    "Fast R-CNN", eq. 3): the Huber loss divided by beta.
    """
    if beta == 0:
        return l1_loss_forward(x, target, reduction=reduction, out=out)
    d = np.abs(float64(x) - float64(target))
    return reduce(np.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), reduction, out)


@quiet
def smooth_l1_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    beta: float = 1.0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `smooth_l1_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, reduction, beta
        As in `smooth_l1_loss_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = dloss (x - target) / beta, cut off at -1 and 1 and divided as the loss was. The loss is
    symmetric: with x and target exchanged this is the gradient of the target.
    """
    if beta == 0:
        return l1_loss_backward(dloss, x, target, reduction=reduction, out=out)
    return spread(dloss, np.clip((float64(x) - float64(target)) / beta, -1, 1), reduction, out)
