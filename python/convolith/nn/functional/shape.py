"""Shapes: what moves numbers and changes none."""

from __future__ import annotations

from collections.abc import Sequence

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients
from convolith.tensor import Function, Node, Tensor


class Concat(Function):
    @staticmethod
    def forward(ctx: Node, *xs: Array, dim: int) -> Array:
        y = P.concat_forward(xs, dim)
        ctx.save([x.shape[dim] for x in xs], dim)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return tuple(P.concat_backward(dy, *ctx.saved))


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along `dim`; all their other dimensions agree."""
    return Concat.apply(*tensors, dim=dim)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Make the dimensions from `start_dim` to `end_dim` one."""
    return input.flatten(start_dim, end_dim)
