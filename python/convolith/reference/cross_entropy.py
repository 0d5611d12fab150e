"""Softmax cross entropy: logits in, loss and probabilities out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convolith.reference._common import Float64s, Floats, Ints, deliver, float64
from convolith.reference.softmax import log_softmax

Target = Ints | Floats


def _is_labels(target: Target) -> bool:
    return bool(np.issubdtype(target.dtype, np.integer))


def _class_weights(weight: Floats | None, C: int, rank: int) -> Float64s:
    """(C) as (1, C, 1 ...), ones if there are none."""
    return (np.ones(C) if weight is None else float64(weight)).reshape(C, *[1] * (rank - 2))


def _divisor(target: Target, weight: Float64s, reduction: str, ignore_index: int) -> float:
    """What the sum of the losses is divided by."""
    if reduction != "mean":
        return 1.0
    if _is_labels(target):
        return float(weight.ravel()[target[target != ignore_index]].sum())
    return float(target.size // target.shape[1])


def _one_hot(labels: Ints, classes: int) -> Float64s:
    """(N, *) labels as (N, C, *); an ignored label may be anything and gives something."""
    return np.moveaxis(np.eye(classes)[labels % classes], -1, 1)


def _valid(target: Target, ignore_index: int) -> NDArray[np.bool_]:
    """Which positions count: (N, 1, *), to broadcast over the classes."""
    if _is_labels(target):
        return np.expand_dims(target != ignore_index, 1)
    return np.ones_like(target[:, :1], dtype=bool)


def softmax_cross_entropy_forward(
    x: Floats,
    target: Target,
    weight: Floats | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: tuple[Floats | None, Floats | None] | None = None,
) -> tuple[Floats, Floats]:
    """Cross entropy between softmax(x) and a target.

    Parameters
    ----------
    x : (N, C, *)
        Logits.
    target : (N, *) int64, or (N, C, *) of x's dtype
        Class labels, or the probability of every class.
    weight : (C), optional
        What each class counts.
    reduction : 'mean', 'sum' or 'none'
        'mean' divides by the sum of the weights of the labels that are not ignored: their number,
        if there are no weights; with probabilities, by the number of positions N * prod(*). The
        mean over nothing is NaN.
    ignore_index : int
        Labels of this value add neither loss nor gradient. Not used with probabilities.
    label_smoothing : float in [0, 1]
        Part of the target that is spread evenly over the C classes.
    out : (loss's shape, (N, C, *)), optional
        Where to put the results.

    Returns
    -------
    loss : () or, for 'none', (N, *)
    probs : (N, C, *)
        softmax(x), which the backward pass needs.

    Raises
    ------
    ValueError
        If a label is outside [0, C) and not `ignore_index`, or a probability is NaN.

    Notes
    -----
    loss[n] = -sum_c weight[c] * q[n,c] * log_softmax(x)[n,c] with q = (1 - label_smoothing) *
    target + label_smoothing / C (`torch.nn.functional.cross_entropy`; smoothing: Szegedy et al.
    2016, section 7).
    """
    logp = log_softmax(float64(x), 1)
    C = x.shape[1]
    weights = _class_weights(weight, C, x.ndim)
    if _is_labels(target):
        labels = np.expand_dims(target.astype(np.int64) % C, 1)
        picked = -weights.ravel()[labels] * np.take_along_axis(logp, labels, axis=1)
    else:
        picked = -(weights * logp * float64(target)).sum(axis=1, keepdims=True)
    losses = (1 - label_smoothing) * picked
    if label_smoothing:  # not multiplied by 0: a logit of -inf has an infinite loss
        losses = losses - label_smoothing / C * (weights * logp).sum(axis=1, keepdims=True)
    loss = np.where(_valid(target, ignore_index), losses, 0.0)[:, 0]
    if reduction != "none":
        divisor = _divisor(target, weights, reduction, ignore_index)
        with np.errstate(invalid="ignore"):
            loss = np.asarray(loss.sum() / np.float64(divisor))
    loss_out, probs_out = out or (None, None)
    return deliver(loss, loss_out), deliver(np.exp(logp), probs_out)


def softmax_cross_entropy_backward(
    dloss: Floats,
    probs: Floats,
    target: Target,
    weight: Floats | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `softmax_cross_entropy_forward` with respect to the logits.

    Parameters
    ----------
    dloss : loss's shape
        Gradient of the loss.
    probs : (N, C, *)
        From the forward pass.
    target, weight, reduction, ignore_index, label_smoothing
        As in `softmax_cross_entropy_forward`.
    out : (N, C, *), optional
        Where to put the result; may be probs itself.

    Returns
    -------
    dx : (N, C, *)

    Notes
    -----
    dx[n,c] = dloss * (probs[n,c] * sum_j weight[j] * q[n,j] - weight[c] * q[n,c]), divided as the
    loss was; 0 where the label is ignored. Without weights, the sum is 1 for labels and for
    probabilities that sum to 1.
    """
    probs = float64(probs)
    C = probs.shape[1]
    q = _one_hot(target.astype(np.int64), C) if _is_labels(target) else float64(target)
    weights = _class_weights(weight, C, probs.ndim)
    q = weights * ((1 - label_smoothing) * q + label_smoothing / C)
    dlosses = float64(dloss)
    if reduction == "none":
        dlosses = np.expand_dims(dlosses, 1)
    dx = dlosses * (probs * q.sum(axis=1, keepdims=True) - q)
    with np.errstate(invalid="ignore", divide="ignore"):
        dx = dx / np.float64(_divisor(target, weights, reduction, ignore_index))
    return deliver(np.where(_valid(target, ignore_index), dx, 0.0), out)
