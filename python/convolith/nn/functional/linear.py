"""Linear maps."""

from __future__ import annotations

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients
from convolith.tensor import Function, Node, Tensor


class Linear(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, w: Array, bias: Array | None) -> Array:
        ctx.save(x, w)
        return P.linear_forward(x, w, bias)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        x, w = ctx.saved
        return (
            P.linear_backward_input(dy, w) if ctx.needs[0] else None,
            P.linear_backward_weight(dy, x) if ctx.needs[1] else None,
            P.linear_backward_bias(dy) if ctx.needs[2] else None,
        )


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``: `input` (..., I), `weight` (O, I), `bias` (O)."""
    return Linear.apply(input, weight, bias)
