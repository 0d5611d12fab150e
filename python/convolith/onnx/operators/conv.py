"""Convolution, and transposed convolution."""

from __future__ import annotations

from convolith.nn import functional as F
from convolith.onnx.operators.table import Node, bounded, operator
from convolith.onnx.operators.windows import beyond_images, halves, image, like, sliding, windows
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
    axes = len(x.shape) - 2
    over = windows(node, x.shape, w.shape[2:])
    extra = node.get("output_padding", [0] * axes)
    before, after = list(over.before), list(over.after)
    wanted = _wanted(node, x)
    full = [
        (n - 1) * step + over.span(axis)
        for axis, (n, step) in enumerate(zip(image(x).shape[2:], over.stride, strict=True))
    ]
    more = [0, *extra] if axes == 1 else list(extra)
    if wanted is not None:
        size = [1, *wanted] if axes == 1 else wanted
        totals = [n + m - w for n, m, w in zip(full, more, size, strict=True)]
        more = [m + max(-total, 0) for m, total in zip(more, totals, strict=True)]
        clipped = [max(total, 0) for total in totals]
        before, after = halves(clipped, node.get("auto_pad") == "SAME_UPPER")
    group = node.get("group", 1)
    bounded((x.shape[0], w.shape[1] * group, *(n + m for n, m in zip(full, more, strict=True))))
    y = F.conv_transpose2d(
        image(x),
        image(w),
        bias,
        over.stride,
        (before[0], after[0], before[1], after[1]),
        (more[0], more[1]),
        group,
        over.dilation,
    )
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
