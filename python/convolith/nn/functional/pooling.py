"""Pooling."""

from __future__ import annotations

from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients, IntPair, OutputSize, Padding
from convolith.tensor import Function, Node, Tensor


class MaxPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, kernel_size: IntPair, **options: Any) -> tuple[Array, Array]:
        y, indices = P.max_pool2d_forward(x, kernel_size, **options)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.max_pool2d_backward(dy, *ctx.saved),)


class MinPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, kernel_size: IntPair, **options: Any) -> tuple[Array, Array]:
        y, indices = P.min_pool2d_forward(x, kernel_size, **options)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.min_pool2d_backward(dy, *ctx.saved),)


class AvgPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, kernel_size: IntPair, **options: Any) -> Array:
        ctx.save(x.shape, kernel_size, options)
        return P.avg_pool2d_forward(x, kernel_size, **options)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        shape, kernel_size, options = ctx.saved
        return (P.avg_pool2d_backward(dy, shape, kernel_size, **options),)


class AdaptiveAvgPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, output_size: OutputSize) -> Array:
        ctx.save(x.shape)
        return P.adaptive_avg_pool2d_forward(x, output_size)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.adaptive_avg_pool2d_backward(dy, *ctx.saved),)


class AdaptiveMaxPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, output_size: OutputSize) -> tuple[Array, Array]:
        y, indices = P.adaptive_max_pool2d_forward(x, output_size)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.adaptive_max_pool2d_backward(dy, *ctx.saved),)


class GlobalAvgPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        ctx.save(x.shape)
        return P.global_avg_pool2d_forward(x)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.global_avg_pool2d_backward(dy, *ctx.saved),)


class GlobalMaxPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> tuple[Array, Array]:
        y, indices = P.global_max_pool2d_forward(x)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.global_max_pool2d_backward(dy, *ctx.saved),)


def max_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Maximum over windows of `input` (N, C, H, W); the first maximum of a window wins.

    Returns
    -------
    Tensor, or (Tensor, Tensor) if `return_indices`
        The maxima, and their int64 positions in the unpadded H*W plane.
    """
    y, indices = MaxPool2d.outputs(
        input, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    return (y, indices) if return_indices else y


def min_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Minimum over windows: `max_pool2d` with the sign turned. Not in PyTorch."""
    y, indices = MinPool2d.outputs(
        input, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    return (y, indices) if return_indices else y


def avg_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean over windows of `input` (N, C, H, W)."""
    return AvgPool2d.apply(
        input,
        kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Mean over windows chosen so that the output is `output_size`."""
    return AdaptiveAvgPool2d.apply(input, output_size)


def adaptive_max_pool2d(
    input: Tensor, output_size: OutputSize, return_indices: bool = False
) -> Any:
    """Maximum over windows chosen so that the output is `output_size`."""
    y, indices = AdaptiveMaxPool2d.outputs(input, output_size)
    return (y, indices) if return_indices else y


def global_avg_pool2d(input: Tensor) -> Tensor:
    """Mean over every plane: (N, C, H, W) to (N, C, 1, 1)."""
    return GlobalAvgPool2d.apply(input)


def global_max_pool2d(input: Tensor, return_indices: bool = False) -> Any:
    """Maximum over every plane: (N, C, H, W) to (N, C, 1, 1)."""
    y, indices = GlobalMaxPool2d.outputs(input)
    return (y, indices) if return_indices else y
