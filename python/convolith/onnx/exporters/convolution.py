"""Convolution, and transposed convolution."""

from __future__ import annotations

from typing import Any

from convolith.nn.functional import conv
from convolith.onnx.export_graph import Graph, Value
from convolith.onnx.exporters.borders import NONE, Sides, onnx_pads, padded
from convolith.reference._common import pair, sides
from convolith.tensor import Function


def conv2d(
    g: Graph,
    x: Value,
    w: Value,
    bias: Value | None,
    residual: Value | None,
    activation: str,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    padding_mode: str,
    algo: str,
) -> str:
    """A Conv, with a Pad before it where the border is not zeros; then residual and activation."""
    window: dict[str, Any] = {
        "kernel_shape": w.shape[2:],
        "strides": pair(stride),
        "dilations": pair(dilation),
    }
    around = _same(x, **window) if padding == "same" else NONE
    if not isinstance(padding, str):
        around = sides(padding)
    if padding_mode != "zeros" and around != NONE:
        x, around = padded(g, x, around, padding_mode), NONE
    y = g.node("Conv", x, w, bias, pads=onnx_pads(around), group=groups, **window)
    if residual is not None:
        y = g.node("Add", y, residual)
    return g.node("Relu", y) if activation == "relu" else y


def _same(
    x: Value,
    kernel_shape: tuple[int, ...],
    strides: tuple[int, int],
    dilations: tuple[int, int],
) -> Sides:
    """The padding that gives ceil(H / stride) rows, the odd one at the end."""
    around: list[int] = []
    for size, window, step, apart in zip(x.size(), kernel_shape, strides, dilations, strict=True):
        outputs = -(-size // step)
        total = max((outputs - 1) * step + apart * (window - 1) + 1 - size, 0)
        around += [total // 2, total - total // 2]
    top, bottom, left, right = around
    return top, bottom, left, right


def conv_transpose2d(
    g: Graph,
    x: Value,
    w: Value,
    bias: Value | None,
    output_padding: Any,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> str:
    """A ConvTranspose."""
    return g.node(
        "ConvTranspose",
        x,
        w,
        bias,
        kernel_shape=w.shape[2:],
        strides=pair(stride),
        pads=onnx_pads(sides(padding)),
        output_padding=pair(output_padding),
        dilations=pair(dilation),
        group=groups,
    )


EXPORTERS: dict[type[Function], Any] = {
    conv.Conv2d: conv2d,
    conv.ConvTranspose2d: conv_transpose2d,
}
