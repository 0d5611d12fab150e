"""Convolution, and transposed convolution."""

from __future__ import annotations

from convolith.nn import functional as F
from convolith.onnx.operators.table import Node, bounded, operator
from convolith.onnx.operators.windows import (
    beyond_images,
    halves,
    image,
    like,
    rows,
    sliding,
    windows,
)
from convolith.tensor import Tensor


@operator("Conv", refuses=beyond_images)
def conv(node: Node, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """Pads may differ from side to side."""
    over = sliding(node, x.shape, w.shape[2:])
    bounded((x.shape[0], w.shape[0], *over.outputs()))
    group = node.get("group", 1)
    arrays = (image(x), image(w), bias)
    return like(F.conv2d(*arrays, over.stride, over.padding, over.dilation, group), x)


@operator("ConvTranspose", refuses=beyond_images)
def conv_transpose(node: Node, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """`output_shape`, and 'same', make the padding."""
    over = windows(node, x.shape, w.shape[2:])
    more = rows(node.get("output_padding", [0] * (x.ndim - 2)), 0)
    before, after = list(over.before), list(over.after)
    full = [
        (n - 1) * step + over.span(axis) + m
        for axis, (n, step, m) in enumerate(zip(over.size, over.stride, more, strict=True))
    ]
    wanted = _wanted(node, x)
    if wanted is not None:
        totals = [n - size for n, size in zip(full, rows(wanted, 1), strict=True)]
        before, after = halves([max(n, 0) for n in totals], node.get("auto_pad") == "SAME_UPPER")
        more = (more[0] + max(-totals[0], 0), more[1] + max(-totals[1], 0))
    group = node.get("group", 1)
    bounded((x.shape[0], w.shape[1] * group, full[0] + more[0], full[1] + more[1]))
    padding = (before[0], after[0], before[1], after[1])
    arrays = (image(x), image(w), bias)
    y = F.conv_transpose2d(*arrays, over.stride, padding, more, group, over.dilation)
    return like(y, x)


def _wanted(node: Node, x: Tensor) -> list[int] | None:
    """The size of the output, if it is that which is given."""
    shape = node.get("output_shape")
    if shape is not None:
        return list(shape[-(x.ndim - 2) :])
    if node.get("auto_pad", "NOTSET") in ("NOTSET", "VALID"):
        return None
    strides = node.get("strides", [1] * (x.ndim - 2))
    return [n * step for n, step in zip(x.shape[2:], strides, strict=True)]
