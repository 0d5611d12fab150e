"""Dropout."""

from __future__ import annotations

from convolith import _random
from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients
from convolith.tensor import Function, Node, Tensor


class Dropout(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, p: float) -> Array:
        seed, offset = _random.next_stream()
        ctx.save(p, seed, offset)
        return P.dropout_forward(x, p, seed=seed, offset=offset)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        p, seed, offset = ctx.saved
        return (P.dropout_backward(dy, p, seed=seed, offset=offset),)


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability `p` and scale the rest by 1/(1-p); nothing in evaluation.

    Every call draws its own stream from the generator of `convolith.manual_seed`.
    """
    return Dropout.apply(input, p) if training else input
