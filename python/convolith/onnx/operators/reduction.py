"""Sums and means over axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convolith.device import Array
from convolith.onnx.operators.arithmetic import absolute
from convolith.onnx.operators.table import Node, Value, axes_of, operator
from convolith.tensor import Tensor

Reduction = Callable[[Tensor, "tuple[int, ...] | None", bool], Tensor]

REDUCTIONS: dict[str, Reduction] = {
    "ReduceMean": lambda x, dim, keep: x.mean(dim, keep),
    "ReduceSum": lambda x, dim, keep: x.sum(dim, keep),
    "ReduceL1": lambda x, dim, keep: absolute(x).sum(dim, keep),
    "ReduceL2": lambda x, dim, keep: (x * x).sum(dim, keep) ** 0.5,
    "ReduceSumSquare": lambda x, dim, keep: (x * x).sum(dim, keep),
}


@operator(*REDUCTIONS, fixed=(1,))
def reduce_axes(node: Node, x: Value, given: Array | None = None) -> Value:
    """No axes are all of them, or, if the file says so, none."""
    axes = axes_of(node, given)
    if not axes and node.get("noop_with_empty_axes", 0):
        dim: tuple[int, ...] | None = ()
    else:
        dim = tuple(axes) if axes else None
    keep = bool(node.get("keepdims", 1))
    if isinstance(x, np.ndarray):
        return _of_integers(node, x, dim, keep)
    if dim == ():  # which is all of them elsewhere
        return REDUCTIONS[node.operator](x.reshape(1, *x.shape), (0,), False)
    return REDUCTIONS[node.operator](x, dim, keep)


def _of_integers(node: Node, x: Array, dim: tuple[int, ...] | None, keep: bool) -> Array:
    if node.operator != "ReduceSum":
        raise TypeError(f"integers ({x.dtype}) have no {node.operator} here")
    return np.sum(x, dim, keepdims=keep, dtype=x.dtype)
