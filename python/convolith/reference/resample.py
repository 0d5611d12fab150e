"""Images made larger and smaller: padding, and resizing by interpolation.

Both are a gather along each axis, the same for all images and channels; the gradient adds up what
was read from one place.
"""

from __future__ import annotations

import numpy as np

from convolith.reference._common import (
    Float64s,
    Floats,
    IntOrPair,
    Ints,
    PoolPadding,
    deliver,
    float64,
    gather,
    pair,
    scatter_add,
    sides,
    source,
)


def _padded_axes(size: tuple[int, int], padding: PoolPadding, mode: str) -> tuple[Ints, Ints]:
    """The input row of every output row, and the columns, -1 for the constant."""
    top, bottom, left, right = sides(padding)
    kind = "zeros" if mode == "constant" else mode
    rows = np.arange(size[0] + top + bottom) - top
    cols = np.arange(size[1] + left + right) - left
    return source(rows, size[0], kind), source(cols, size[1], kind)


def pad2d_forward(
    x: Floats,
    padding: PoolPadding,
    *,
    mode: str = "constant",
    value: float = 0.0,
    out: Floats | None = None,
) -> Floats:
    """Put rows and columns around an image.

    Parameters
    ----------
    x : (N, C, H, W)
        Input.
    padding : int, (h, w) or (top, bottom, left, right)
        How many; negative numbers take away instead, in mode 'constant'.
    mode : 'constant', 'reflect', 'replicate' or 'circular'
        What they hold: `value`; the image mirrored at its border, ``c b | a b c | b a``; the border
        itself, ``a a | a b c | c c``; the opposite side, ``b c | a b c | a b``. 'reflect' needs
        padding < size, 'circular' padding <= size.
    value : float
        Of mode 'constant'.
    out : (N, C, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, P, Q)
        P = H + top + bottom, Q = W + left + right.

    Raises
    ------
    ValueError
        If the padding is too large or too small for the mode.

    Notes
    -----
    `torch.nn.functional.pad` for the last two dimensions. Convolution needs no padded copy: it has
    a `padding_mode` of its own.
    """
    x = float64(x)
    rows, cols = _padded_axes(x.shape[2:], padding, mode)
    inside = (rows >= 0)[:, None] & (cols >= 0)
    return deliver(np.where(inside, gather(x, rows, cols), value), out)


def pad2d_backward(
    dy: Floats,
    input_shape: tuple[int, ...],
    padding: PoolPadding,
    *,
    mode: str = "constant",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `pad2d_forward`.

    Parameters
    ----------
    dy : (N, C, P, Q)
        Gradient of the output.
    input_shape : (N, C, H, W)
        Shape of the forward input.
    padding, mode
        As in `pad2d_forward`.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)
        Of every position the sum over its copies.

    Raises
    ------
    ValueError
        If dy does not have the padded shape.
    """
    N, C, H, W = input_shape
    dx = np.zeros((N, C, H, W))
    rows, cols = _padded_axes((H, W), padding, mode)
    scatter_add(dx, rows, cols, float64(dy))
    return deliver(dx, out)


def _axis_weights(
    size: int, outputs: int, factor: float | None, mode: str, align_corners: bool
) -> Float64s:
    """The matrix (outputs, size) that resizes one axis."""
    o = np.arange(outputs)
    if mode == "nearest":
        at = np.floor(o / factor if factor else o * size / outputs)
    elif align_corners:
        at = o * (size - 1) / max(outputs - 1, 1)
    else:
        middle = o + 0.5
        at = (middle / factor if factor else middle * size / outputs) - 0.5
    at = np.clip(at, 0, size - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    weights = np.zeros((outputs, size))
    np.add.at(weights, (o, low), 1 - (at - low))
    np.add.at(weights, (o, high), at - low)
    return weights


def _resize_weights(
    shape: tuple[int, ...],
    size: IntOrPair | None,
    scale_factor: float | tuple[float, float] | None,
    mode: str,
    align_corners: bool,
) -> tuple[Float64s, Float64s]:
    """The matrices (P, H) and (Q, W)."""
    assert (size is None) != (scale_factor is None)
    factors: tuple[float | None, float | None] = (None, None)
    if scale_factor is not None:
        v, h = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * 2
        factors, size = (v, h), (int(np.floor(shape[2] * v)), int(np.floor(shape[3] * h)))
    assert size is not None
    rows, cols = (
        _axis_weights(n, outputs, factor, mode, align_corners)
        for n, outputs, factor in zip(shape[2:], pair(size), factors, strict=True)
    )
    return rows, cols


def interpolate2d_forward(
    x: Floats,
    size: IntOrPair | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    *,
    mode: str = "nearest",
    align_corners: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Resize images, up or down.

    Parameters
    ----------
    x : (N, C, H, W)
        Input.
    size : int or (P, Q)
        Size of the output; this or `scale_factor` is given.
    scale_factor : float or (vertical, horizontal)
        P = floor(H * scale_factor), Q likewise.
    mode : 'nearest' or 'bilinear'
        Each output is one input, or a mean of four, weighted by how near they are.
    align_corners : bool
        Of 'bilinear': whether the middles of the corner pixels stay where they are, not the
        corners of the image.
    out : (N, C, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, P, Q)

    Raises
    ------
    ValueError
        If both or none of `size` and `scale_factor` are given, or the output would be empty.

    Notes
    -----
    With f the scale factor, P / H if a size is given, row p is read at p / f, rounded down, in mode
    'nearest'; in mode 'bilinear' at (p + 0.5) / f - 0.5, no less than 0, or with aligned corners at
    p (H - 1) / (P - 1): `torch.nn.functional.interpolate`. (PyTorch divides in float32, which in
    rare cases makes the nearest row the one before.)
    """
    rows, cols = _resize_weights(x.shape, size, scale_factor, mode, align_corners)
    return deliver(np.einsum("ph,nchw,qw->ncpq", rows, float64(x), cols), out)


def interpolate2d_backward(
    dy: Floats,
    input_shape: tuple[int, ...],
    size: IntOrPair | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    *,
    mode: str = "nearest",
    align_corners: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `interpolate2d_forward`.

    Parameters
    ----------
    dy : (N, C, P, Q)
        Gradient of the output.
    input_shape : (N, C, H, W)
        Shape of the forward input.
    size, scale_factor, mode, align_corners
        As in `interpolate2d_forward`.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)
        Of every position the sum of what has read it, with its weights.

    Raises
    ------
    ValueError
        If dy does not have the shape of the output.
    """
    rows, cols = _resize_weights(input_shape, size, scale_factor, mode, align_corners)
    return deliver(np.einsum("ph,ncpq,qw->nchw", rows, float64(dy), cols), out)
