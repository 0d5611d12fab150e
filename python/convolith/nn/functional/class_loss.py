"""Losses of classes and distributions. Weights are tensors too, but get no gradient."""

from __future__ import annotations

from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.loss import Loss
from convolith.nn.functional.types import BatchReduction, Gradients, Reduction
from convolith.tensor import Function, Node, Tensor


class CrossEntropy(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, target: Array, weight: Array | None, **options: Any) -> Array:
        loss, probs = P.softmax_cross_entropy_forward(x, target, weight, **options)
        ctx.save(probs, target, weight, options)
        return loss

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        *arrays, options = ctx.saved
        return (P.softmax_cross_entropy_backward(dy, *arrays, **options),)


class ClampedLog(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, least: float) -> Array:
        ctx.save(x, least)
        y: Array = P.clamped_log_forward(x, least)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.clamped_log_backward(dy, *ctx.saved),)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross entropy of logits `input` (N, C, *).

    Parameters
    ----------
    input : Tensor
        Logits (N, C, *).
    target : Tensor
        int64 class indices (N, *), or probabilities of the shape and dtype of `input`.
    weight : Tensor, optional
        What each class counts, (C).
    ignore_index : int
        The class index that does not count.
    reduction : {'mean', 'sum', 'none'}
        The mean is over the targets that count: it divides by the sum of their weights, of
        probabilities by their number.
    label_smoothing : float
        This much of each target is spread evenly over all classes.

    Returns
    -------
    Tensor
        A scalar, or (N, *) for 'none'. Gradients flow to `input` only.

    Raises
    ------
    ValueError
        If a label is out of range or a target probability is NaN.
    """
    return CrossEntropy.apply(
        input,
        target,
        weight,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )


def categorical_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
    eps: float = 1e-7,
) -> Tensor:
    """``-sum(target * log(input))`` over the classes, of probabilities instead of logits.

    `cross_entropy` of the logits before the softmax is faster and more accurate: here a
    probability that was rounded to 0 has no gradient.

    Parameters
    ----------
    input : Tensor
        Probabilities (N, C, *); divided by their sum over the classes first, as in Keras.
    target : Tensor
        Probabilities of that shape, one-hot rows mostly.
    weight, reduction
        As in `cross_entropy`.
    eps : float
        What smaller probabilities count as, so that the loss stays finite.

    Returns
    -------
    Tensor
        A scalar, or (N, *) for 'none'. Gradients flow to `input` only.

    Raises
    ------
    ValueError
        If shapes do not fit or a target probability is NaN.
    """
    return cross_entropy(ClampedLog.apply(input, eps), target, weight, reduction=reduction)


def sparse_categorical_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    eps: float = 1e-7,
) -> Tensor:
    """`categorical_cross_entropy` of int64 class indices `target` (N, *).

    `ignore_index` as in `cross_entropy`, the other arguments as there; ValueError if a label is
    out of range.
    """
    return cross_entropy(
        ClampedLog.apply(input, eps),
        target,
        weight,
        ignore_index=ignore_index,
        reduction=reduction,
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """Minus the logarithm of the probability of each label: `cross_entropy` after `log_softmax`.

    Parameters
    ----------
    input : Tensor
        Logarithms of probabilities (N, C, *).
    target : Tensor
        int64 class indices (N, *).
    weight, ignore_index, reduction
        As in `cross_entropy`.

    Returns
    -------
    Tensor
        A scalar, or (N, *) for 'none'. Gradients flow to `input` only.

    Raises
    ------
    ValueError
        If a label is out of range.
    """
    return Loss.apply(
        input, target, weight, name="nll_loss", ignore_index=ignore_index, reduction=reduction
    )


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Multi-class hinge loss: how much other scores miss a margin below that of the label.

    Parameters
    ----------
    input : Tensor
        Scores (N, C).
    target : Tensor
        int64 class indices (N).
    p : {1, 2}
        The power of what is missing.
    margin : float
    weight : Tensor, optional
        What each class counts, (C).
    reduction : {'mean', 'sum', 'none'}
        The mean is over N, whatever the weights.

    Returns
    -------
    Tensor
        The sum over the other classes, divided by C: a scalar, or (N) for 'none'. Gradients flow
        to `input` only.

    Raises
    ------
    ValueError
        If a label is out of range or `p` is another number.
    """
    return Loss.apply(
        input, target, weight, name="multi_margin_loss", p=p, margin=margin, reduction=reduction
    )


def kl_div(
    input: Tensor,
    target: Tensor,
    *,
    reduction: BatchReduction = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence of `target` from `input`, element by element.

    Parameters
    ----------
    input : Tensor
        Logarithms of probabilities, any shape.
    target : Tensor
        Probabilities of that shape, or their logarithms.
    reduction : {'mean', 'batchmean', 'sum', 'none'}
        'batchmean' divides the sum by ``input.shape[0]``, which makes it a divergence; 'mean'
        divides by the number of elements.
    log_target : bool
        Whether `target` is logarithms.

    Returns
    -------
    Tensor
        A scalar, or of the shape of `input` for 'none'. Gradients flow to `input` only.
    """
    return Loss.apply(input, target, name="kl_div", reduction=reduction, log_target=log_target)
