"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients, IntPair, OutputSize, Padding
from convolith.reference._common import pair
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


class LpPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *window: Any, **options: Any) -> Array:
        y = P.lp_pool2d_forward(x, *window, **options)
        ctx.save(x, y, window, options)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        x, y, window, options = ctx.saved
        return (P.lp_pool2d_backward(dy, x, y, *window, **options),)


class MaxUnpool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, indices: Array, shape: tuple[int, ...]) -> Array:
        ctx.save(indices)
        return P.max_unpool2d_forward(x, indices, shape)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.max_unpool2d_backward(dy, *ctx.saved),)


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


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """``(sum of x**norm_type)**(1/norm_type)`` over windows; where it is 0, so is its gradient."""
    return LpPool2d.apply(input, norm_type, kernel_size, stride=stride, ceil_mode=ceil_mode)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Values of `input` (N, C, P, Q) where `indices` of `max_pool2d` say, zeros elsewhere.

    Parameters
    ----------
    input, indices : Tensor
        (N, C, P, Q).
    kernel_size, stride, padding
        Those of `max_pool2d`; they give the smallest size that was pooled to (P, Q).
    output_size : (H, W) or (N, C, H, W), optional
        Another size.

    Returns
    -------
    Tensor
        (N, C, H, W). Values for one position, which windows that overlap give, are added up;
        PyTorch keeps one of them.

    Raises
    ------
    ValueError
        If `output_size` is a stride or more away from that size, or an index lies outside.
    """
    stride = kernel_size if stride is None else stride
    options = zip(*map(pair, (kernel_size, stride, padding)), strict=True)
    sizes = [
        ((n - 1) * step - 2 * before + window, step)
        for n, (window, step, before) in zip(input.shape[2:], options, strict=True)
    ]
    size = [n for n, _ in sizes] if output_size is None else [*output_size][-2:]
    if any(abs(n - usual) >= step for n, (usual, step) in zip(size, sizes, strict=True)):
        raise ValueError(
            f"max_unpool2d: output_size {tuple(size)} is a stride or more away from "
            f"{tuple(n for n, _ in sizes)}, which these windows would give"
        )
    return MaxUnpool2d.apply(input, indices, (*input.shape[:2], *size))
