"""Losses."""

from __future__ import annotations

from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients, Reduction
from convolith.tensor import Function, Node, Tensor


class CrossEntropy(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, target: Array, **options: Any) -> Array:
        loss, probs = P.softmax_cross_entropy_forward(x, target, **options)
        ctx.save(probs, target, options)
        return loss

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        probs, target, options = ctx.saved
        return (P.softmax_cross_entropy_backward(dy, probs, target, **options),)


def cross_entropy(
    input: Tensor,
    target: Tensor,
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
    ignore_index : int
        The class index that does not count.
    reduction : {'mean', 'sum', 'none'}
        The mean is over the targets that count.
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
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
