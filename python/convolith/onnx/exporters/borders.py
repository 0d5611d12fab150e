"""Rows and columns around images."""

from __future__ import annotations

import numpy as np

from convolith.onnx.export_graph import Graph, Value, ints

Sides = tuple[int, int, int, int]  # top, bottom, left, right
NONE: Sides = (0, 0, 0, 0)
_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def onnx_pads(around: Sides) -> list[int]:
    """All beginnings, then all ends."""
    top, bottom, left, right = around
    return [top, left, bottom, right]


def padded(g: Graph, x: Value, around: Sides, mode: str, value: float = 0.0) -> Value:
    """x (N, C, H, W) with a border; negative numbers take away."""
    top, bottom, left, right = around
    h, w = x.size()
    if mode == "circular":  # Pad has a mode for it from opset 19 on
        y = _wrapped(g, _wrapped(g, x.name, 2, h, top, bottom), 3, w, left, right)
    else:
        y = _bordered(g, x, around, mode, value)
    return Value(y, (*x.shape[:2], h + top + bottom, w + left + right), x.dtype)


def _bordered(g: Graph, x: Value, around: Sides, mode: str, value: float) -> str:
    top, bottom, left, right = around
    y = x.name
    if min(around) < 0:
        ends = [n + min(end, 0) for n, end in zip(x.size(), (bottom, right), strict=True)]
        y = g.node("Slice", y, ints((-min(top, 0), -min(left, 0))), ints(ends), ints((2, 3)))
        top, bottom, left, right = (max(side, 0) for side in around)
    pads = ints((0, 0, top, left, 0, 0, bottom, right))
    return g.node("Pad", y, pads, np.asarray(value, x.dtype), mode=_MODES[mode])


def _wrapped(g: Graph, x: str, axis: int, size: int, before: int, after: int) -> str:
    """x between its own end and its own beginning."""

    def piece(start: int, stop: int) -> str:
        return g.node("Slice", x, ints((start,)), ints((stop,)), ints((axis,)))

    pieces = [piece(size - before, size)] if before else []
    pieces += [x, *([piece(0, after)] if after else [])]
    return g.node("Concat", *pieces, axis=axis)
