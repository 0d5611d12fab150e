"""Windows: convolutions with filters of one tap each put them side by side, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from convolith.nn.functional import patches
from convolith.onnx.export_graph import Array, Graph, Value, ints
from convolith.onnx.exporters.borders import NONE, onnx_pads
from convolith.reference._common import pair, sides
from convolith.tensor import Function


def _taps(channels: int, window: tuple[int, int], dtype: Any) -> Array:
    """(C R S, 1, R, S): for each channel a filter for each tap."""
    taps = np.eye(window[0] * window[1], dtype=dtype).reshape(-1, 1, *window)
    return np.tile(taps, (channels, 1, 1, 1))


def unfold(
    g: Graph, x: Value, kernel_size: Any, *, dilation: Any, padding: Any, stride: Any
) -> str:
    """A depthwise Conv, a filter for each tap."""
    channels, window = x.shape[1], pair(kernel_size)
    columns = g.node(
        "Conv",
        x,
        _taps(channels, window, x.dtype),
        kernel_shape=window,
        strides=pair(stride),
        pads=onnx_pads(sides(padding)),
        dilations=pair(dilation),
        group=channels,
    )
    return g.node("Reshape", columns, ints((0, *g.shape[1:])))


def fold(
    g: Graph,
    x: Value,
    output_size: Any,
    kernel_size: Any,
    *,
    dilation: Any,
    padding: Any,
    stride: Any,
) -> str:
    """A DepthToSpace where windows are squares that touch; else `unfold`'s ConvTranspose."""
    size, window, step = pair(output_size), pair(kernel_size), pair(stride)
    counts = patches.windows(size, window, step, padding, dilation)
    columns = g.node("Reshape", x, ints((0, x.shape[1], *counts)))
    channels, around = x.shape[1] // (window[0] * window[1]), sides(padding)
    covered = (counts[0] * step[0], counts[1] * step[1])
    touching = (step, covered, around, pair(dilation)) == (window, size, NONE, (1, 1))
    if touching and window[0] == window[1]:
        return g.node("DepthToSpace", columns, blocksize=window[0], mode="CRD")
    axes = zip(size, counts, window, step, pair(dilation), around[::2], around[1::2], strict=True)
    return g.node(
        "ConvTranspose",
        columns,
        _taps(channels, window, x.dtype),
        kernel_shape=window,
        strides=step,
        pads=onnx_pads(around),
        output_padding=[_rest(*axis) for axis in axes],
        dilations=pair(dilation),
        group=channels,
    )


def _rest(
    size: int, count: int, window: int, step: int, apart: int, before: int, after: int
) -> int:
    """How far an image reaches beyond its last window."""
    return size + before + after - ((count - 1) * step + apart * (window - 1) + 1)


def local_linear(g: Graph, x: Value, w: Value, bias: Value | None) -> str:
    """A matrix for each window."""
    y = g.node("Einsum", x, w, equation="ncl,lkc->nkl")
    return y if bias is None else g.node("Add", y, bias)


EXPORTERS: dict[type[Function], Any] = {
    patches.Unfold: unfold,
    patches.Fold: fold,
    patches.LocalLinear: local_linear,
}
