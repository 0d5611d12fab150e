"""Convolution taken apart: windows as the columns of a matrix, and layers made of them."""

from __future__ import annotations

from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients, IntPair, Padding
from convolith.reference._common import output_size, pair, sides
from convolith.tensor import Function, Node, Tensor


class Unfold(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, kernel_size: IntPair, **options: Any) -> Array:
        ctx.save(x.shape[2:], kernel_size, options)
        return P.unfold_forward(x, kernel_size, **options)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        size, kernel_size, options = ctx.saved
        return (P.fold_forward(dy, size, kernel_size, **options),)


class Fold(Function):
    @staticmethod
    def forward(
        ctx: Node, x: Array, output_size: IntPair, kernel_size: IntPair, **options: Any
    ) -> Array:
        ctx.save(kernel_size, options)
        return P.fold_forward(x, output_size, kernel_size, **options)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        kernel_size, options = ctx.saved
        return (P.unfold_forward(dy, kernel_size, **options),)


class LocalLinear(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, w: Array, bias: Array | None) -> Array:
        ctx.save(x, w)
        return P.local_linear_forward(x, w, bias)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        x, w = ctx.saved
        return (
            P.local_linear_backward_input(dy, w) if ctx.needs[0] else None,
            P.local_linear_backward_weight(dy, x) if ctx.needs[1] else None,
            P.local_linear_backward_bias(dy) if ctx.needs[2] else None,
        )


def unfold(
    input: Tensor,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: Padding = 0,
    stride: IntPair = 1,
) -> Tensor:
    """Windows of `input` (N, C, H, W) side by side: im2col, (N, C*R*S, L) with L = P*Q.

    With it a convolution is a product of matrices: ``weight.reshape(K, -1) @ unfold(input)`` for
    each image, (K, C*R*S) by (C*R*S, L), is ``conv2d(input, weight)`` with its P rows and Q columns
    in one. See `convolith.reference.patches`.
    """
    return Unfold.apply(input, kernel_size, dilation=dilation, padding=padding, stride=stride)


def fold(
    input: Tensor,
    output_size: IntPair,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: Padding = 0,
    stride: IntPair = 1,
) -> Tensor:
    """Windows (N, C*R*S, L) put back into images (N, C, H, W) and added up: col2im.

    The gradient of `unfold`, as `unfold` is of this; not its inverse, for what windows share is
    added up.
    """
    return Fold.apply(
        input, output_size, kernel_size, dilation=dilation, padding=padding, stride=stride
    )


def windows(
    input_size: IntPair,
    kernel_size: IntPair,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
) -> tuple[int, int]:
    """(P, Q): how many windows fit into an image of `input_size` (H, W)."""
    top, bottom, left, right = sides(padding)
    axes = zip(
        *map(pair, (input_size, kernel_size, stride)),
        (top, left),
        (bottom, right),
        pair(dilation),
        strict=True,
    )
    rows, columns = (output_size(*axis) for axis in axes)
    return rows, columns


def locally_connected2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    kernel_size: IntPair,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
) -> Tensor:
    """Convolution of `input` (N, C, H, W) whose weights are not shared: filters for each window.

    Parameters
    ----------
    input : Tensor
        (N, C, H, W).
    weight : Tensor
        (P*Q, K, C*R*S): for each window, row by row, a matrix; a row of it is a filter (C, R, S).
    bias : Tensor or None
        (K, P*Q).
    kernel_size, stride, dilation : int or (vertical, horizontal)
    padding : int, (h, w) or (top, bottom, left, right)

    Returns
    -------
    Tensor
        (N, K, P, Q).

    Raises
    ------
    ValueError
        If `weight` is for another number or size of windows.
    """
    columns = unfold(input, kernel_size, dilation, padding, stride)
    y = LocalLinear.apply(columns, weight, bias)
    size = (input.shape[2], input.shape[3])
    return y.reshape(*y.shape[:2], *windows(size, kernel_size, stride, padding, dilation))
