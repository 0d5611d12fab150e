"""Convolution, and transposed convolution."""

from __future__ import annotations

from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import (
    Activation,
    Algo,
    ConvPadding,
    Gradients,
    IntPair,
    Padding,
    PaddingMode,
)
from convolith.tensor import Function, Node, Tensor


class Conv2d(Function):
    @staticmethod
    def forward(
        ctx: Node,
        x: Array,
        w: Array,
        bias: Array | None,
        residual: Array | None,
        activation: Activation,
        prepared: Array | None,
        **options: Any,
    ) -> Array:
        y: Array = P.conv2d_forward(
            x, w, bias, residual=residual, activation=activation, prepared=prepared, **options
        )
        ctx.save(x, w, options, y if activation == "relu" else None)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        x, w, options, y = ctx.saved
        if y is not None:
            dy = P.relu_backward(dy, y)
        return (
            P.conv2d_backward_input(dy, w, x.shape, **options) if ctx.needs[0] else None,
            P.conv2d_backward_weight(dy, x, w.shape, **options) if ctx.needs[1] else None,
            P.conv2d_backward_bias(dy) if ctx.needs[2] else None,
            dy,
        )


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntPair = 1,
    padding: ConvPadding = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    residual: Tensor | None = None,
    activation: Activation = "identity",
    algo: Algo = "auto",
    prepared: Array | None = None,
) -> Tensor:
    """Cross-correlation of `input` (N, C, H, W) with `weight` (K, C/G, R, S), plus `bias` (K).

    See `convolith.primitives.conv2d_forward` for the formula and every form of padding; beyond
    PyTorch: (top, bottom, left, right), strided 'same', `padding_mode`, a `residual` (N, K, P, Q)
    added and an `activation` applied while the result is in cache, `algo`, how it is computed, and
    `prepared`, `weight` as `convolith.primitives.conv2d_prepare_weight` made it ready.
    """
    return Conv2d.apply(
        input,
        weight,
        bias,
        residual,
        activation,
        prepared,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        algo=algo,
    )


class ConvTranspose2d(Function):
    """Forward is convolution's input gradient, so its gradients are what convolution has else."""

    @staticmethod
    def forward(
        ctx: Node, x: Array, w: Array, bias: Array | None, output_padding: IntPair, **options: Any
    ) -> Array:
        ctx.save(x, w, options)
        return P.conv_transpose2d_forward(x, w, bias, output_padding=output_padding, **options)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        x, w, options = ctx.saved
        return (
            P.conv2d_forward(dy, w, **options) if ctx.needs[0] else None,
            P.conv2d_backward_weight(x, dy, w.shape, **options) if ctx.needs[1] else None,
            P.conv2d_backward_bias(dy) if ctx.needs[2] else None,
        )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntPair = 1,
    padding: Padding = 0,
    output_padding: IntPair = 0,
    groups: int = 1,
    dilation: IntPair = 1,
) -> Tensor:
    """Transposed convolution of `input` (N, C, H, W) with `weight` (C, K/G, R, S), plus `bias` (K).

    What the gradient of a convolution does to its output's gradient: a stride makes images larger.
    See `convolith.primitives.conv_transpose2d_forward`.
    """
    return ConvTranspose2d.apply(
        input,
        weight,
        bias,
        output_padding,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
