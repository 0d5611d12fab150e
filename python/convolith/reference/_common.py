"""What several references share: results into `out`, output sizes, padding and gathering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Float64s = NDArray[np.float64]
Ints = NDArray[np.int64]
IntOrPair = int | tuple[int, int]
PoolPadding = int | tuple[int, int] | tuple[int, int, int, int]
Padding = int | tuple[int, int] | tuple[int, int, int, int] | str


def float64(x: Floats | Ints | float) -> Float64s:
    return np.asarray(x, dtype=np.float64)


def deliver(y: Float64s, out: Floats | None) -> Floats:
    """`y` itself, or `out` filled with it."""
    if out is None:
        return np.asarray(y)  # NumPy makes scalars of 0-d results
    assert out.shape == y.shape
    np.copyto(out, y)
    return out


def deliver_indices(indices: Ints, out: Ints | None) -> Ints:
    if out is None:
        return indices
    assert out.shape == indices.shape
    np.copyto(out, indices)
    return out


def pair(value: IntOrPair | Sequence[int]) -> tuple[int, int]:
    """An int stands for both directions."""
    if isinstance(value, (int, np.integer)):
        return int(value), int(value)
    vertical, horizontal = value
    return vertical, horizontal


def sides(padding: PoolPadding) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of an int, an (h, w) or a (top, bottom, left, right)."""
    if isinstance(padding, tuple) and len(padding) == 4:
        return padding
    h, w = pair(padding)
    return h, h, w, w


def output_size(
    size: int,
    kernel: int,
    stride: int,
    before: int,
    after: int,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """How many windows fit into `size` positions with padding on both ends.

    In ceil mode a last, partial window counts too, unless it would start in the padding after.
    """
    span = size + before + after - dilation * (kernel - 1) - 1
    assert span >= 0, "the kernel is larger than the padded input"
    if not ceil_mode:
        return span // stride + 1
    windows = -(-span // stride) + 1
    if (windows - 1) * stride >= size + before:
        windows -= 1
    return windows


def source(positions: Ints, size: int, padding_mode: str = "zeros") -> Ints:
    """Where each position along an axis is read from: an index in [0, size), or -1 for a zero."""
    if padding_mode == "zeros":
        return np.where((positions >= 0) & (positions < size), positions, -1)
    if padding_mode == "replicate":  # a a | a b c | c c
        return np.clip(positions, 0, size - 1)
    if padding_mode == "circular":  # b c | a b c | a b
        return np.asarray(positions % size)
    assert padding_mode == "reflect"  # c b | a b c | b a
    return np.asarray((size - 1) - np.abs((size - 1) - np.abs(positions)))


def gather(x: Float64s, rows: Ints, cols: Ints) -> Float64s:
    """x (..., H, W) at every rows[p], cols[q]: (..., P, Q), zero where either is -1."""
    inside = (rows >= 0)[:, None] & (cols >= 0)
    return np.where(inside, x[..., rows[:, None], cols], 0.0)


def scatter_add(dx: Float64s, rows: Ints, cols: Ints, dy: Float64s) -> None:
    """The adjoint of `gather`: dy (..., P, Q) is added to where it was read from."""
    p, q = rows >= 0, cols >= 0
    where: Any = (..., rows[p][:, None], cols[q])
    np.add.at(dx, where, dy[..., p, :][..., q])
