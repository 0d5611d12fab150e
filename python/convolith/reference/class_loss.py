"""Losses of classes beside cross entropy: likelihood, margins, divergence."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, Ints, deliver, float64
from convolith.reference._loss import quiet, reduce, spread


@quiet
def nll_loss_forward(
    x: Floats,
    target: Ints,
    weight: Floats | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int = -100,
    out: Floats | None = None,
) -> Floats:
    """Negative log likelihood of labels, given the logarithms of probabilities.

    Parameters
    ----------
    x : (N, C, *)
        Logarithms of probabilities, of `log_softmax_forward` for instance.
    target : (N, *) int64
        Class labels.
    weight : (C), optional
        What each class counts.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the sum of the weights of the labels that are not ignored: their number,
        if there are no weights. The mean over nothing is NaN.
    ignore_index : int
        Labels of this value add neither loss nor gradient.
    out : the loss's shape, optional
        Where to put the result.

    Returns
    -------
    loss : () or, for 'none', (N, *)

    Raises
    ------
    ValueError
        On the CPU, if a label is outside [0, C) and not `ignore_index`; on a device such a label
        makes the loss NaN.

    Notes
    -----
    loss[n] = -weight[target[n]] x[n, target[n]].
    """
    weights = _weights(x, target, weight, ignore_index)
    labels = np.expand_dims(target % x.shape[1], 1)
    picked = np.take_along_axis(float64(x), labels, axis=1)[:, 0]
    losses = np.where(target == ignore_index, 0.0, -weights * picked)
    return reduce(losses, reduction, out, float(weights.sum()))


@quiet
def nll_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Ints,
    weight: Floats | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int = -100,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `nll_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, weight, reduction, ignore_index
        As in `nll_loss_forward`; of x only the shape and the dtype matter.
    out : (N, C, *), optional
        Where to put the result; may be x.

    Returns
    -------
    dx : (N, C, *)

    Notes
    -----
    dx[n, c] = -dloss weight[c] where c is the label, divided as the loss was, and 0 elsewhere.
    """
    weights = _weights(x, target, weight, ignore_index)
    g = spread(dloss, -weights, reduction, None, float(weights.sum()))
    hot = np.moveaxis(np.eye(x.shape[1], dtype=bool)[target % x.shape[1]], -1, 1)
    counts = hot & np.expand_dims(target != ignore_index, 1)
    dx = np.where(counts, np.expand_dims(g, 1), 0.0)
    return deliver(dx, out)


def _weights(x: Floats, target: Ints, weight: Floats | None, ignore_index: int) -> Float64s:
    """What each label counts, 0 for an ignored one."""
    C = x.shape[1]
    of_class = np.ones(C) if weight is None else float64(weight)
    return np.where(target == ignore_index, 0.0, of_class[target % C])


@quiet
def clamped_log_forward(x: Floats, least: float = 1e-7, *, out: Floats | None = None) -> Floats:
    """Logarithm of what is at least `least`: of probabilities that may be 0.

    Parameters
    ----------
    x : array of any shape
    least : float, at least 0
        What smaller numbers count as.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Notes
    -----
    y = log(max(x, least)). A NaN stays a NaN.
    """
    return deliver(np.log(np.maximum(float64(x), least)), out)


@quiet
def clamped_log_backward(
    dy: Floats, x: Floats, least: float = 1e-7, *, out: Floats | None = None
) -> Floats:
    """Gradient of `clamped_log_forward`, from its input.

    Parameters
    ----------
    dy : gradient of the output, any shape
    x : input of the forward pass, dy's shape
    least : float, at least 0
        As in `clamped_log_forward`.
    out : dy's shape, optional
        Where to put the result; may be dy or x itself.

    Returns
    -------
    dx : dy's shape

    Notes
    -----
    dx = dy / x, but 0 where x <= least.
    """
    x = float64(x)
    return deliver(np.where(x <= least, 0.0, float64(dy) / x), out)


@quiet
def multi_margin_loss_forward(
    x: Floats,
    target: Ints,
    weight: Floats | None = None,
    *,
    p: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Multi-class hinge loss: by how much other scores miss a margin below the label's.

    Parameters
    ----------
    x : (N, C)
        Scores.
    target : (N) int64
        Class labels.
    weight : (C), optional
        What each class of label counts; the mean divides by N all the same.
    p : 1 or 2
        The power of what is missing.
    margin : float
        How far other scores should be below.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by N; over nothing it is NaN.
    out : the loss's shape, optional
        Where to put the result.

    Returns
    -------
    loss : () or, for 'none', (N)

    Raises
    ------
    ValueError
        If p is neither 1 nor 2; on the CPU, if a label is outside [0, C): on a device it makes the
        loss NaN.

    Notes
    -----
    loss[n] = weight[t] / C * sum over c != t of max(0, margin - x[n, t] + x[n, c])^p with t the
    label (Crammer & Singer 2001 take the largest term, Weston & Watkins 1999 as here the sum). A
    score that is NaN misses nothing (PyTorch).
    """
    missing, share = _missing(x, target, weight, margin)
    return reduce(share * (missing**p).sum(axis=1), reduction, out)


@quiet
def multi_margin_loss_backward(
    dloss: Floats,
    x: Floats,
    target: Ints,
    weight: Floats | None = None,
    *,
    p: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `multi_margin_loss_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, weight, p, margin, reduction
        As in `multi_margin_loss_forward`.
    out : (N, C), optional
        Where to put the result; may be x.

    Returns
    -------
    dx : (N, C)

    Notes
    -----
    dx[n, c] = dloss weight[t] / C where something is missing, times twice what is missing for
    p = 2, and divided as the loss was; dx[n, t] is minus the sum of them.
    """
    missing, share = _missing(x, target, weight, margin)
    slope = np.where(missing > 0, p * missing ** (p - 1), 0.0)
    slope[np.arange(len(x)), target] = -slope.sum(axis=1)
    g = spread(dloss, share, reduction, None)
    return deliver(float64(np.expand_dims(g, 1) * slope), out)


def _missing(
    x: Floats, target: Ints, weight: Floats | None, margin: float
) -> tuple[Float64s, Float64s]:
    """What each class lacks to the margin, 0 at the label; and weight / C of each row."""
    rows = np.arange(len(x))
    x = float64(x)
    missing = margin - x[rows, target][:, None] + x
    missing = np.where(missing > 0, missing, 0.0)
    missing[rows, target] = 0.0
    of_class = np.ones(x.shape[1]) if weight is None else float64(weight)
    return missing, of_class[target] / x.shape[1]


@quiet
def kl_div_forward(
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    log_target: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Kullback-Leibler divergence of a target from the distribution whose logarithms are x.

    Parameters
    ----------
    x : array of any shape
        Logarithms of probabilities.
    target : x's shape
        Probabilities, or with `log_target` their logarithms.
    reduction : 'mean', 'sum', 'batchmean' or 'none'
        'mean' divides by the number of elements, 'batchmean' by x.shape[0].
    log_target : bool
        Whether the target is logarithms, too.
    out : the loss's shape, optional
        Where to put the result; for 'none' it may be x or target.

    Returns
    -------
    loss : () or, for 'none', x's shape

    Notes
    -----
    loss = target (log target - x), 0 log 0 being 0; with `log_target` exp(target) (target - x). The
    divergence of distributions is their sum (Kullback & Leibler 1951): 'batchmean' is its mean over
    a batch, which 'mean' is not.
    """
    x, target = float64(x), float64(target)
    if log_target:
        losses = np.exp(target) * (target - x)
    else:
        losses = np.where(target == 0, 0, target * np.log(target)) - target * x
    return reduce(losses, *_as_mean(x, reduction, out))


@quiet
def kl_div_backward(
    dloss: Floats,
    x: Floats,
    target: Floats,
    *,
    reduction: str = "mean",
    log_target: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `kl_div_forward` with respect to x.

    Parameters
    ----------
    dloss : the loss's shape
        Gradient of the loss.
    x, target, reduction, log_target
        As in `kl_div_forward`.
    out : x's shape, optional
        Where to put the result; may be x or target.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx = -dloss target, with `log_target` -dloss exp(target), divided as the loss was.
    """
    target = float64(target)
    slope = -(np.exp(target) if log_target else target)
    return spread(dloss, slope, *_as_mean(slope, reduction, out))


def _as_mean(
    x: Float64s, reduction: str, out: Floats | None
) -> tuple[str, Floats | None, float | None]:
    """'batchmean' is a mean with another divisor."""
    if reduction != "batchmean":
        return reduction, out, None
    return "mean", out, float(x.shape[0]) if x.ndim else 1.0
