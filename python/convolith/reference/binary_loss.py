"""Losses of yes and no: element by element, any shape."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, float64
from convolith.reference._loss import one, quiet, reduce, spread


@quiet
def binary_cross_entropy_forward(
    x: Floats,
    target: Floats,
    weight: Floats | None = None,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Cross entropy between probabilities and targets in [0, 1].

    Parameters
    ----------
    x : array of any shape
        Probabilities in [0, 1].
    target : x's shape
        Probabilities in [0, 1], mostly 0 and 1.
    weight : any shape that broadcasts to x's, optional
        What each loss is multiplied by; the mean divides by the number of elements all the same.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Raises
    ------
    ValueError
        On the CPU, if a number of x or target is not in [0, 1]; on a device the loss of such an x
        is NaN.

    Notes
    -----
    loss = -weight (target log x + (1 - target) log(1 - x)), reduced; logarithms are at least -100,
    so that the loss stays finite (PyTorch).
    """
    x, target = float64(x), float64(target)
    yes, no = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
    losses = (target - 1) * no - target * yes
    return reduce(one(weight) * losses, reduction, out)


@quiet
def binary_cross_entropy_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    weight: Floats | None = None,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `binary_cross_entropy_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, weight, reduction
        As in `binary_cross_entropy_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = dloss weight (x - target) / max(x (1 - x), 1e-12), divided as the loss was.
    """
    x, target = float64(x), float64(target)
    slope = (x - target) / np.maximum((1 - x) * x, 1e-12)
    return spread(dloss, one(weight) * slope, reduction, out)


@quiet
def binary_cross_entropy_with_logits_forward(
    x: Floats,
    target: Floats,
    weight: Floats | None = None,
    pos_weight: Floats | None = None,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Cross entropy between sigmoid(x) and targets in [0, 1].

    Parameters
    ----------
    x : array of any shape
        Logits.
    target : x's shape
        Probabilities in [0, 1], mostly 0 and 1.
    weight : any shape that broadcasts to x's, optional
        What each loss is multiplied by; the mean divides by the number of elements all the same.
    pos_weight : any shape that broadcasts to x's, optional
        What a positive target counts, (C) for classes in the last axis, (C, 1, 1) for planes:
        more than 1 where positives are rare.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Notes
    -----
    loss = weight ((1 - target) softplus(x) + pos_weight target softplus(-x)), reduced, with
    softplus(x) = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), in which nothing overflows.
    """
    x, target = float64(x), float64(target)
    losses = (1 - target) * _softplus(x) + one(pos_weight) * target * _softplus(-x)
    return reduce(one(weight) * losses, reduction, out)


@quiet
def binary_cross_entropy_with_logits_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    weight: Floats | None = None,
    pos_weight: Floats | None = None,
    *,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `binary_cross_entropy_with_logits_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, weight, pos_weight, reduction
        As in `binary_cross_entropy_with_logits_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = dloss weight ((1 - target) sigmoid(x) - pos_weight target sigmoid(-x)), divided as the loss
    was; that is sigmoid(x) - target without weights.
    """
    x, target = float64(x), float64(target)
    slope = (1 - target) * _sigmoid(x) - one(pos_weight) * target * _sigmoid(-x)
    return spread(dloss, one(weight) * slope, reduction, out)


def _softplus(x: Float64s) -> Float64s:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _sigmoid(x: Float64s) -> Float64s:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1) / (1 + e))


@quiet
def hinge_loss_forward(
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    squared: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Hinge loss: how much a score lacks to a margin of 1 on the right side of 0.

    Parameters
    ----------
    x : array of any shape
        Scores.
    target : x's shape
        -1 or 1, of x's dtype.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    squared : bool
        Square what is missing: no corner, and large errors count more.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Notes
    -----
    loss = max(0, 1 - target x), or its square with `squared`, reduced (Cortes & Vapnik 1995;
    squared: Tang 2013, "Deep learning using linear support vector machines").
    """
    x, target = float64(x), float64(target)
    missing = np.where(1 - target * x <= 0, 0.0, 1 - target * x)
    return reduce(missing**2 if squared else missing, reduction, out)


@quiet
def hinge_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    squared: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `hinge_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, reduction, squared
        As in `hinge_loss_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = -dloss target where 1 - target x > 0, else 0, at the corner, too; squared it is
    -2 dloss target (1 - target x). Divided as the loss was.
    """
    x, target = float64(x), float64(target)
    missing = np.where(1 - target * x <= 0, 0.0, 1 - target * x)
    slope = -2 * target * missing if squared else np.where(1 - target * x <= 0, 0.0, -target)
    return spread(dloss, slope, reduction, out)


@quiet
def hinge_embedding_loss_forward(
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    margin: float = 1.0,
    out: Floats | None = None,
) -> Floats:
    """Distances that should be small where the target is 1, at least a margin where it is -1.

    Parameters
    ----------
    x : array of any shape
        Distances.
    target : x's shape
        -1 or 1, of x's dtype.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the number of elements; over nothing it is NaN.
    margin : float
        How far those of target -1 should be.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Notes
    -----
    loss = x where target = 1, max(0, margin - x) where target = -1, reduced; any other target gives
    the sum of both (PyTorch).
    """
    x, target = float64(x), float64(target)
    far = np.where(margin - x <= 0, 0.0, margin - x)
    losses = np.where(target == 1, 0.0, far) + np.where(target == -1, 0.0, x)
    return reduce(losses, reduction, out)


@quiet
def hinge_embedding_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    margin: float = 1.0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `hinge_embedding_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, reduction, margin
        As in `hinge_embedding_loss_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = dloss where target = 1; -dloss where target = -1 and x <= margin, else 0. Divided as the
    loss was.
    """
    x, target = float64(x), float64(target)
    far = np.where(margin - x >= 0, -1.0, 0.0)
    slope = np.where(target == 1, 0.0, far) + np.where(target == -1, 0.0, 1.0)
    return spread(dloss, slope, reduction, out)
