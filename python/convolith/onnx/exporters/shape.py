"""What moves numbers and changes none."""

from __future__ import annotations

from typing import Any

from convolith import arithmetic as functions
from convolith.nn.functional.shape import Concat
from convolith.onnx.export_graph import Graph, Value, ints
from convolith.tensor import Function


def reshape(g: Graph, x: Value, **_: Any) -> str:
    """The shape that both runs had, -1 where the batch is in it."""
    if g.shape.count(-1) > 1:
        raise ValueError(
            f"export: a reshape of {x.shape} spreads the batch over two dimensions; "
            "dynamic_batch=False exports the batch of the example alone"
        )
    return g.node("Reshape", x, ints(g.shape))


def transpose(g: Graph, x: Value, *, dims: tuple[int, int]) -> str:
    """Two dimensions exchanged."""
    order = list(range(len(x.shape)))
    i, j = dims
    order[i], order[j] = order[j], order[i]
    return g.node("Transpose", x, perm=order)


def concat(g: Graph, *xs: Value, dim: int) -> str:
    """One after the other along `dim`."""
    return g.node("Concat", *xs, axis=dim)


EXPORTERS: dict[type[Function], Any] = {
    functions.Reshape: reshape,
    functions.Flatten: reshape,
    functions.Transpose: transpose,
    Concat: concat,
}
