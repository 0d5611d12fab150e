"""Parts of values, and their axes in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convolith.device import Array, full
from convolith.nn import functional as F
from convolith.onnx.operators.numpys import Take
from convolith.onnx.operators.table import Node, Value, bounded, ints, operator
from convolith.tensor import Tensor


def take(x: Value, index: tuple[slice | Array, ...]) -> Value:
    """``x[index]``."""
    return x[index] if isinstance(x, np.ndarray) else Take.apply(x, index=index)


def reshape(x: Value, shape: Sequence[int]) -> Value:
    """The same elements in another shape."""
    return x.reshape(*shape)


def permute(x: Value, order: Sequence[int]) -> Value:
    """The axes of `x` in another order, one exchange after the other."""
    now = list(range(x.ndim))
    if sorted(order) != now:
        raise ValueError(f"perm {list(order)} is no order of the axes of {x.shape}")
    if isinstance(x, np.ndarray):
        return x.transpose(order)
    for at, axis in enumerate(order):
        other = now.index(axis)
        if other != at:
            x = x.transpose(at, other)
            now[at], now[other] = now[other], now[at]
    return x


def expand(x: Value, shape: Sequence[int]) -> Value:
    """`x` repeated along axes of one element, as arithmetic does."""
    target = bounded(np.broadcast_shapes(x.shape, tuple(shape)))
    if isinstance(x, np.ndarray):
        return np.broadcast_to(x, target)
    return x if x.shape == target else x * Tensor(full(target, 1, x.dtype, x.device))


def reversed_channels(x: Tensor) -> Tensor:
    """The last channel first."""
    return Take.apply(x, index=(slice(None), slice(None, None, -1)))


def along(x: Value, axis: int, part: slice | Array) -> tuple[slice | Array, ...]:
    """The index of a part of one axis."""
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis {axis} is not one of {x.shape}")
    return (*[slice(None)] * (axis % x.ndim), part)


@operator("Concat")
def concat(node: Node, *inputs: Value) -> Value:
    """Along one axis."""
    axis = node.get("axis", 1)
    if isinstance(inputs[0], np.ndarray):
        return np.concatenate(inputs, axis)
    return F.cat(inputs, axis)


@operator("Split")
def split(node: Node, x: Value, given: Array | None = None) -> tuple[Value, ...]:
    """Into sizes, or as equal parts as there are outputs; the last one may be smaller."""
    axis, count = node.get("axis", 0), len(node.outputs)
    sizes = node.get("split") if given is None else ints(given)
    along(x, axis, slice(None))
    if sizes is None:
        sizes = [-(-x.shape[axis] // count)] * count
        sizes[-1] = x.shape[axis] - sum(sizes[:-1])
    ends = np.cumsum(sizes)
    if len(sizes) != count or min(sizes) < 0 or ends[-1] != x.shape[axis]:
        raise ValueError(f"cannot split {x.shape} along axis {axis} into {count} parts of {sizes}")
    parts = (slice(end - size, end) for size, end in zip(sizes, ends, strict=True))
    return tuple(take(x, along(x, axis, part)) for part in parts)


@operator("Slice")
def cut(
    node: Node,
    x: Value,
    starts: Array | None = None,
    ends: Array | None = None,
    axes: Array | None = None,
    steps: Array | None = None,
) -> Value:
    """Python's rule; attributes before opset 10."""
    first = ints(node.get("starts") if starts is None else starts)
    end = ints(node.get("ends") if ends is None else ends)
    named = node.get("axes", range(len(first))) if axes is None else ints(axes)
    step = [1] * len(first) if steps is None else ints(steps)
    index = [slice(None)] * x.ndim
    for axis, *part in zip(named, first, end, step, strict=True):
        index[axis] = slice(*part)
    return take(x, tuple(index))


@operator("Gather")
def gather(node: Node, x: Value, indices: Array) -> Value:
    """Along one axis; negative positions count from its end."""
    axis = node.get("axis", 0)
    index = along(x, axis, indices)
    rest = x.shape[axis % x.ndim + 1 :]
    bounded((*x.shape[: axis % x.ndim], *indices.shape, *rest))
    return take(x, index)


@operator("Transpose")
def transpose(node: Node, x: Value) -> Value:
    """The axes in reverse, if no order is given."""
    return permute(x, node.get("perm", range(x.ndim)[::-1]))


@operator("Expand")
def expanded(node: Node, x: Value, shape: Array) -> Value:
    """Both ways: x may have the longer axes."""
    return expand(x, ints(shape))


@operator("Tile")
def tile(node: Node, x: Value, repeats: Array) -> Value:
    """Repeated as a whole: each axis is split, and its new half is expanded."""
    times = ints(repeats)
    shape = bounded([n * r for n, r in zip(x.shape, times, strict=True)])
    if isinstance(x, np.ndarray):
        return np.tile(x, times)
    apart = [m for n in x.shape for m in (1, n)]
    wide = [m for n, r in zip(x.shape, times, strict=True) for m in (r, n)]
    return expand(x.reshape(*apart), wide).reshape(*shape)
