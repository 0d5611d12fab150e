"""Flatten and concatenate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convolith.reference._common import Floats, deliver, float64


def flatten_forward(
    x: Floats, start_dim: int = 1, end_dim: int = -1, *, out: Floats | None = None
) -> Floats:
    """Join the axes from start_dim to end_dim, both included, into one.

    Parameters
    ----------
    x : array of any shape
    start_dim, end_dim : int
        First and last axis to join; the default keeps the batch axis.
    out : the result's shape, optional
        Where to put the result.

    Returns
    -------
    y : x's shape with those axes joined
        A view of x where x is contiguous and `out` is not given.

    Raises
    ------
    ValueError
        If an axis is out of range or start_dim is after end_dim.

    Notes
    -----
    `torch.flatten`, but with start_dim = 1, as `torch.nn.Flatten`.
    """
    first, last = start_dim % max(x.ndim, 1), end_dim % max(x.ndim, 1)
    joined = int(np.prod(x.shape[first : last + 1], dtype=np.int64))
    return deliver(float64(x).reshape(*x.shape[:first], joined, *x.shape[last + 1 :]), out)


def flatten_backward(
    dy: Floats, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `flatten_forward`: dy in the shape of the input.

    Parameters
    ----------
    dy : gradient of the output
    input_shape : tuple of int
        Shape of the forward input.
    out : input_shape, optional
        Where to put the result.

    Returns
    -------
    dx : input_shape
        A view of dy where dy is contiguous and `out` is not given.

    Raises
    ------
    ValueError
        If dy does not have as many elements as `input_shape`.
    """
    return deliver(float64(dy).reshape(input_shape), out)


def concat_forward(xs: Sequence[Floats], dim: int = 1, *, out: Floats | None = None) -> Floats:
    """Join arrays along one axis.

    Parameters
    ----------
    xs : sequence of arrays
        At least one; shapes equal but for axis `dim`.
    dim : int
        The axis to join; the channels by default.
    out : the result's shape, optional
        Where to put the result.

    Returns
    -------
    y : array
        The arrays one after the other.

    Raises
    ------
    ValueError
        If xs is empty or the shapes do not match.

    Notes
    -----
    `torch.cat`, but along the channels by default.
    """
    return deliver(np.concatenate([float64(x) for x in xs], axis=dim), out)


def concat_backward(
    dy: Floats,
    sizes: Sequence[int],
    dim: int = 1,
    *,
    out: Sequence[Floats | None] | None = None,
) -> list[Floats]:
    """Gradients of `concat_forward`: dy cut into pieces.

    Parameters
    ----------
    dy : gradient of the output
    sizes : sequence of int
        Length of every input along axis `dim`; they add up to dy's.
    dim : int
        As in `concat_forward`.
    out : sequence of arrays, optional
        Where to put the results.

    Returns
    -------
    dxs : list of arrays

    Raises
    ------
    ValueError
        If the sizes do not add up.
    """
    ends = np.cumsum(sizes)
    assert ends[-1] == dy.shape[dim]
    pieces = np.split(float64(dy), ends[:-1], axis=dim)
    outs = [None] * len(pieces) if out is None else out
    return [deliver(piece.copy(), o) for piece, o in zip(pieces, outs, strict=True)]
