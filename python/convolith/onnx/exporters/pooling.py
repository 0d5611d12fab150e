"""Pooling.

Runtimes and versions of ONNX differ in what `ceil_mode` means, so it is never written: what a last
window takes from beyond the padding becomes padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.nn.functional import pooling
from convolith.onnx.export_graph import Graph, Value
from convolith.onnx.exporters.borders import Sides, onnx_pads, padded
from convolith.reference._common import output_size, pair, sides
from convolith.tensor import Function

Window = dict[str, tuple[int, int]]


def _window(kernel_size: Any, stride: Any) -> Window:
    """The attributes that all pools share."""
    size = pair(kernel_size)
    return {"kernel_shape": size, "strides": size if stride is None else pair(stride)}


def _reach(x: Value, window: Window, padding: Any, ceil_mode: bool, dilation: Any = 1) -> Sides:
    """The padding, at the ends as far as the last windows reach."""
    top, bottom, left, right = sides(padding)
    if not ceil_mode:
        return top, bottom, left, right
    ends = []
    befores, afters = (top, left), (bottom, right)
    axes = zip(x.size(), *window.values(), befores, afters, pair(dilation), strict=True)
    for size, length, step, before, after, apart in axes:
        outputs = output_size(size, length, step, before, after, apart, ceil_mode=True)
        end = (outputs - 1) * step + apart * (length - 1) + 1
        ends.append(max(after, end - before - size))
    return top, ends[0], left, ends[1]


def max_pool2d(
    g: Graph,
    x: Value,
    kernel_size: Any,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> str:
    """A MaxPool."""
    window = _window(kernel_size, stride)
    pads = onnx_pads(_reach(x, window, padding, ceil_mode, dilation))
    return g.node("MaxPool", x, pads=pads, dilations=pair(dilation), **window)


def min_pool2d(g: Graph, x: Value, kernel_size: Any, **options: Any) -> str:
    """A MaxPool with the sign turned."""
    return g.node("Neg", max_pool2d(g, x.called(g.node("Neg", x)), kernel_size, **options))


def avg_pool2d(
    g: Graph,
    x: Value,
    kernel_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> str:
    """An AveragePool."""
    window = _window(kernel_size, stride)
    around, given = _reach(x, window, padding, ceil_mode), sides(padding)
    counted = count_include_pad
    if divisor_override is not None:
        counted = True  # all windows are means of R S numbers, so that one factor makes them sums
    elif counted and around != given:
        # The padding counts and what lies beyond it does not.
        x, counted = padded(g, x, given, "constant"), False
        around = tuple(np.subtract(around, given).tolist())
    pads = onnx_pads(around)
    y = g.node("AveragePool", x, pads=pads, count_include_pad=int(counted), **window)
    if divisor_override is None:
        return y
    factor = float(np.prod(window["kernel_shape"])) / divisor_override
    return g.node("Mul", y, np.asarray(factor, x.dtype))


def lp_pool2d(
    g: Graph, x: Value, norm_type: float, kernel_size: Any, *, stride: Any, ceil_mode: bool
) -> str:
    """A mean of powers, times R S, and its root; ONNX's LpPool takes absolute values instead."""
    powers = x.called(g.node("Pow", x, np.asarray(norm_type, x.dtype)))
    mean = avg_pool2d(g, powers, kernel_size, stride=stride, ceil_mode=ceil_mode)
    total = g.node("Mul", mean, np.asarray(float(np.prod(pair(kernel_size))), x.dtype))
    return g.node("Pow", total, np.asarray(1 / norm_type, x.dtype))


def _adaptive(operator: str, uneven: Callable[..., str]) -> Any:
    """Pooling to a given size: of the whole, in equal windows, or of windows that are `uneven`."""

    def write(g: Graph, x: Value, output_size: Any) -> str:
        sizes, wanted = x.size(), output_size
        if isinstance(output_size, int):
            wanted = (output_size, output_size)
        outputs = [n if p is None else p for n, p in zip(sizes, wanted, strict=True)]
        if outputs == list(sizes):
            return x.name
        if outputs == [1, 1]:
            return g.node(f"Global{operator}", x)
        if any(n % p for n, p in zip(sizes, outputs, strict=True)):
            return uneven(g, x, outputs)
        window = [n // p for n, p in zip(sizes, outputs, strict=True)]
        return g.node(operator, x, kernel_shape=window, strides=window)

    return write


def _uneven_means(g: Graph, x: Value, outputs: list[int]) -> str:
    """Rows and columns are multiplied by matrices of which each row is the mean of a window."""
    rows, columns = (
        _means(size, count).astype(x.dtype) for size, count in zip(x.size(), outputs, strict=True)
    )
    return g.node("MatMul", g.node("MatMul", rows, x), np.ascontiguousarray(columns.T))


def _means(size: int, outputs: int) -> npt.NDArray[np.float64]:
    """(outputs, size): window i reaches from floor(i size / outputs) to the next one's, up."""
    means = np.zeros((outputs, size))
    for i, mean in enumerate(means):
        window = slice(i * size // outputs, -(-(i + 1) * size // outputs))
        mean[window] = 1 / (window.stop - window.start)
    return means


def _uneven_maxima(g: Graph, x: Value, outputs: list[int]) -> str:
    raise ValueError(
        f"export: AdaptiveMaxPool2d of {x.size()} to {tuple(outputs)} has windows of several "
        "sizes, and ONNX has no operator for them"
    )


def global_avg_pool2d(g: Graph, x: Value) -> str:
    """A GlobalAveragePool."""
    return g.node("GlobalAveragePool", x)


def global_max_pool2d(g: Graph, x: Value) -> str:
    """A GlobalMaxPool."""
    return g.node("GlobalMaxPool", x)


EXPORTERS: dict[type[Function], Any] = {
    pooling.MaxPool2d: max_pool2d,
    pooling.MinPool2d: min_pool2d,
    pooling.AvgPool2d: avg_pool2d,
    pooling.LpPool2d: lp_pool2d,
    pooling.AdaptiveAvgPool2d: _adaptive("AveragePool", _uneven_means),
    pooling.AdaptiveMaxPool2d: _adaptive("MaxPool", _uneven_maxima),
    pooling.GlobalAvgPool2d: global_avg_pool2d,
    pooling.GlobalMaxPool2d: global_max_pool2d,
}
