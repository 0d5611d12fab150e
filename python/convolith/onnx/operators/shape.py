"""Shapes: what changes no number."""

from __future__ import annotations

import math

import numpy as np

from convolith.device import Array
from convolith.onnx.operators.select import reshape
from convolith.onnx.operators.table import Node, Value, axes_of, ints, operator


@operator("Identity")
def identity(node: Node, x: Value) -> Value:
    """Another name."""
    return x


@operator("Flatten")
def flatten(node: Node, x: Value) -> Value:
    """Two axes: those before `axis`, and the rest."""
    axis = node.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@operator("Reshape")
def reshaped(node: Node, x: Value, given: Array) -> Value:
    """0 stands for the length that is there, unless `allowzero`; -1 for what remains."""
    shape = ints(given)
    if not node.get("allowzero", 0):
        if any(n == 0 and i >= x.ndim for i, n in enumerate(shape)):
            raise ValueError(f"shape {shape} copies a length that x {x.shape} has not")
        shape = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)]
    return reshape(x, shape)


@operator("Squeeze")
def squeeze(node: Node, x: Value, given: Array | None = None) -> Value:
    """Without these axes of one element, or all of them."""
    axes = axes_of(node, given)
    gone = {a % x.ndim for a in axes} if axes else {i for i, n in enumerate(x.shape) if n == 1}
    if any(x.shape[i] != 1 for i in gone):
        raise ValueError(f"axes {axes} of {x.shape} are longer than 1")
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in gone])


@operator("Unsqueeze")
def unsqueeze(node: Node, x: Value, given: Array | None = None) -> Value:
    """With axes of one element at these places of the result."""
    axes = axes_of(node, given) or []
    rank = x.ndim + len(axes)
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) < len(axes):
        raise ValueError(f"axes {axes} are not places among {rank}")
    lengths = iter(x.shape)
    places = {a % rank for a in axes}
    return reshape(x, [1 if i in places else next(lengths) for i in range(rank)])


@operator("Shape")
def shape_of(node: Node, x: Value) -> Array:
    """A part of it, since opset 15."""
    return np.array(x.shape[node.get("start", 0) : node.get("end")], np.int64)


@operator("Size")
def size(node: Node, x: Value) -> Array:
    """How many elements there are."""
    return np.array(math.prod(x.shape), np.int64)
