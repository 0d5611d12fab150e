"""Borders, and images made larger and smaller."""

from __future__ import annotations

from typing import Any

import numpy as np

from convolith.nn.functional import resample
from convolith.onnx.export_graph import Array, Graph, Value, ints
from convolith.onnx.exporters.borders import padded
from convolith.reference._common import sides
from convolith.tensor import Function


def pad2d(g: Graph, x: Value, padding: Any, mode: str, value: float) -> str:
    """A Pad, or slices of the image around it."""
    return padded(g, x, sides(padding), mode, value).name


def interpolate2d(
    g: Graph, x: Value, *, size: Any, scale_factor: Any, mode: str, align_corners: bool
) -> str:
    """A Resize; of the nearest rows and columns a Gather each, unless factors are whole.

    Runtimes divide in float32 to find the nearest, which makes it the one before at one in fifty
    pairs of sizes, 14 to 2 for one.
    """
    sizes, outputs = x.size(), g.shape[2:]
    factors = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * 2
    if mode != "nearest":
        kind = "align_corners" if align_corners else "half_pixel"
        options = {"mode": "linear", "coordinate_transformation_mode": kind}
    elif all(p % n == 0 for n, p in zip(sizes, outputs, strict=True)):
        options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
        options["nearest_mode"] = "floor"
    else:
        rows, columns = map(_nearest, sizes, outputs, factors)
        return g.node("Gather", g.node("Gather", x, rows, axis=2), columns, axis=3)
    if size is None and outputs != tuple(n * f for n, f in zip(sizes, factors, strict=True)):
        scales = np.array([1, 1, *factors], np.float32)
        if outputs != tuple((scales[2:] * np.array(sizes, np.float32)).astype(int).tolist()):
            raise ValueError(
                f"export: {sizes} times {factors} is {outputs}, but not in float32, which ONNX "
                "has for factors; give interpolate a size"
            )
        return g.node("Resize", x, None, scales, **options)
    shape = g.node("Concat", g.node("Shape", x, start=0, end=2), ints(outputs), axis=0)
    return g.node("Resize", x, None, None, shape, **options)


def _nearest(size: int, outputs: int, factor: float | None) -> Array:
    """Which row each output is."""
    o = np.arange(outputs)
    at = np.floor(o / factor) if factor else o * size // outputs
    return np.minimum(at, size - 1).astype(np.int64)


EXPORTERS: dict[type[Function], Any] = {
    resample.Pad2d: pad2d,
    resample.Interpolate2d: interpolate2d,
}
