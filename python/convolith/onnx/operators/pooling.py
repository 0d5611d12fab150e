"""Pooling. Windows may reach further into the padding than our kernels let them."""

from __future__ import annotations

from typing import Any

import numpy as np

from convolith.device import Array
from convolith.nn import functional as F
from convolith.onnx.operators.arithmetic import absolute
from convolith.onnx.operators.table import Node, Value, bounded, ints, operator
from convolith.onnx.operators.windows import Windows, beyond_images, image, like, sliding, windows
from convolith.tensor import Tensor


def _within_half(over: Windows) -> bool:
    """Whether kernels take the padding: at most half a window on each side."""
    pads = zip(over.padding, (over.kernel[0],) * 2 + (over.kernel[1],) * 2, strict=True)
    return all(pad <= kernel // 2 for pad, kernel in pads)


def _padded(x: Tensor, over: Windows, ceil: bool, value: float) -> Tensor:
    top, bottom, left, right = over.fitted(ceil)
    return F.pad(x, (left, right, top, bottom), value=value)


@operator("MaxPool", refuses=beyond_images)
def max_pool(node: Node, x: Tensor) -> Any:
    """The second output are positions in the whole of x, row-major or column-major by plane."""
    over = sliding(node, x.shape, node.get("kernel_shape"))
    ceil = bool(node.get("ceil_mode", 0))
    sizes = (over.kernel, over.stride)
    if _within_half(over):
        y, where = F.max_pool2d(image(x), *sizes, over.padding, over.dilation, ceil, True)
        at = where.numpy()
    else:
        padded = _padded(image(x), over, ceil, -np.inf)
        y, where = F.max_pool2d(padded, *sizes, 0, over.dilation, False, True)
        rows, columns = np.divmod(where.numpy(), padded.shape[3])
        at = (rows - over.before[0]) * over.size[1] + columns - over.before[1]
    y = like(y, x)
    return (y, _positions(at, over, node).reshape(y.shape)) if node.makes(1) else y


def _positions(at: Array, over: Windows, node: Node) -> Array:
    H, W = over.size
    if node.get("storage_order", 0):
        at = at % W * H + at // W
    first: Array = np.arange(at.shape[0] * at.shape[1]).reshape(*at.shape[:2], 1, 1) * (H * W)
    return first + at


@operator("MaxUnpool", refuses=beyond_images)
def max_unpool(node: Node, x: Tensor, where: Array, shape: Value | None = None) -> Tensor:
    """Positions are those in the smallest size that was pooled, whatever `shape` is."""
    kernel = node.get("kernel_shape")
    over = windows(node, x.shape, kernel)
    top, bottom, left, right = over.padding
    p, q = image(x).shape[2:]
    H = (p - 1) * over.stride[0] + over.kernel[0] - top - bottom
    W = (q - 1) * over.stride[1] + over.kernel[1] - left - right
    bounded((*x.shape[:2], H, W))
    at = np.ascontiguousarray(where.reshape(image(x).shape) % (H * W))
    y = F.MaxUnpool2d.apply(image(x), at, (*x.shape[:2], H, W))
    if shape is not None:
        height, width = bounded([1, *ints(shape)[2:]])[-2:]
        y = F.pad(y, (0, width - W, 0, height - H))
    return like(y, x)


@operator("AveragePool", refuses=beyond_images)
def average_pool(node: Node, x: Tensor) -> Tensor:
    """Padding counts if the file says so; what ceil_mode cuts off a window never does."""
    over = sliding(node, x.shape, node.get("kernel_shape"))
    ceil, counts = bool(node.get("ceil_mode", 0)), bool(node.get("count_include_pad", 0))
    if _within_half(over) and over.dilation == (1, 1):
        y = F.avg_pool2d(image(x), over.kernel, over.stride, over.padding, ceil, counts)
        return like(y, x)
    return like(_any_average(image(x), over, ceil, counts), x)


def _any_average(x: Tensor, over: Windows, ceil: bool, counts: bool) -> Tensor:
    """Sums by a convolution with ones, divided by how many positions count."""
    n, c = x.shape[:2]
    planes = x.reshape(n * c, 1, *over.size)
    ones = Tensor(np.ones((1, 1, *over.kernel), x.dtype))
    top, bottom, left, right = over.fitted(ceil)
    fits = F.pad(planes, (0, min(right, 0), 0, min(bottom, 0)))
    padding = (top, max(bottom, 0), left, max(right, 0))
    sums = F.conv2d(fits, ones, None, over.stride, padding, over.dilation)
    means = sums / Tensor(over.counts(ceil, counts).astype(x.dtype))
    y: Tensor = means.reshape(n, c, *means.shape[2:])
    return y


@operator("LpPool", refuses=lambda node: beyond_images(node) or _dilated(node))
def lp_pool(node: Node, x: Tensor) -> Tensor:
    """Of magnitudes, whatever the norm."""
    over = sliding(node, x.shape, node.get("kernel_shape"))
    padded = _padded(image(x), over, bool(node.get("ceil_mode", 0)), 0.0)
    return like(F.lp_pool2d(_unsigned(node, padded), _norm(node), over.kernel, over.stride), x)


def _dilated(node: Node) -> str | None:
    dilations = node.get("dilations", [1])
    return None if set(dilations) == {1} else f"with dilations {dilations}"


def _norm(node: Node) -> float:
    return float(node.get("p", 2))


def _unsigned(node: Node, x: Tensor) -> Tensor:
    """Even powers have no sign."""
    return absolute(x) if node.get("p", 2) % 2 else x


@operator("GlobalAveragePool")
def global_average_pool(node: Node, x: Tensor) -> Tensor:
    """Over everything but N and C."""
    return F.global_avg_pool2d(_plane(x)).reshape(_one_each(x))


@operator("GlobalMaxPool")
def global_max_pool(node: Node, x: Tensor) -> Tensor:
    """Over everything but N and C."""
    y: Tensor = F.global_max_pool2d(_plane(x)).reshape(_one_each(x))
    return y


@operator("GlobalLpPool")
def global_lp_pool(node: Node, x: Tensor) -> Tensor:
    """Over everything but N and C."""
    plane = _unsigned(node, _plane(x))
    H, W = plane.shape[2:]
    y: Tensor = F.lp_pool2d(plane, _norm(node), (H, W)).reshape(_one_each(x))
    return y


def _plane(x: Tensor) -> Tensor:
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], 1, -1)


def _one_each(x: Tensor) -> tuple[int, ...]:
    return (*x.shape[:2], *[1] * (x.ndim - 2))
