"""Augmentation of images: windows and flips, resampling, blur, colour, normalisation, mixing.

What is random about it is drawn by `convolith.data.augment` and comes as arguments. On the CPU
alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolith.reference._common import (
    Float64s,
    Floats,
    IntOrPair,
    Ints,
    deliver,
    float64,
    pair,
    source,
)

Images = NDArray[Any]


def crop_flip_forward(
    x: Images,
    offsets: Ints,
    flips: Ints,
    size: IntOrPair,
    padding_mode: str = "zeros",
    fill: float = 0.0,
    *,
    out: Images | None = None,
) -> Images:
    """A window of every image, turned over or not: y[n, :, p, q] = x[n, :, top + p, left + q].

    Parameters
    ----------
    x : (N, C, H, W), uint8 or floating
    offsets : (N, 2) int64
        (top, left): where the window begins, which may lie outside of the image.
    flips : (N, 2) int64
        Whether (0 or not) the window is turned upside down, and left to right.
    size : int or (P, Q)
        Of the window.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
        What stands beside the image, as for a convolution.
    fill : float
        Stands there instead of zero; of uint8 a number from 0 to 255.
    out : (N, C, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, P, Q)
        Of x's dtype.

    Raises
    ------
    ValueError
        If the shapes do not belong together, or a window reaches further than 'reflect' (H - 1) or
        'circular' (H) define.
    """
    p, q = pair(size)
    y = np.empty((*x.shape[:2], p, q), x.dtype if x.dtype == np.uint8 else np.float64)
    for n, ((top, left), (down, across)) in enumerate(zip(offsets, flips, strict=True)):
        rows = source(top + np.arange(p), x.shape[2], padding_mode)
        cols = source(left + np.arange(q), x.shape[3], padding_mode)
        inside = (rows >= 0)[:, None] & (cols >= 0)
        window = np.where(inside, x[n][:, rows[:, None], cols], y.dtype.type(fill))
        y[n] = window[:, :: -1 if down else 1, :: -1 if across else 1]
    return deliver(y, out)


def warp_images_forward(
    x: Floats,
    matrices: Floats,
    displacement: Floats | None = None,
    interpolation: str = "bilinear",
    fill: float = 0.0,
    *,
    out: Floats | None = None,
) -> Floats:
    """Read every image anew at other positions: an affine map, displacements, or both at once.

    Column j of row i of y is read at column u, row v of x:
    (u, v) = matrix (j + d[0, i, j], i + d[1, i, j], 1).

    Parameters
    ----------
    x : (N, C, H, W)
    matrices : (N, 2, 3)
        From positions in y to positions in x, in pixels; (0, 0) is the centre of the first.
    displacement : (N, 2, H, W), optional
        d, in pixels: along the columns, and along the rows.
    interpolation : {'bilinear', 'nearest'}
        Between the four neighbours, or the nearest, ties to the even one.
    fill : float
        What stands outside of the image, where a position that is not a number lies, too.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, H, W)
    """
    n, _, h, w = x.shape
    row, col = np.mgrid[:h, :w].astype(np.float64)
    d = np.zeros((n, 2, h, w)) if displacement is None else float64(displacement)
    y = np.empty(x.shape)
    for image, matrix, (du, dv), to in zip(float64(x), float64(matrices), d, y, strict=True):
        framed = np.pad(image, ((0, 0), (1, 2), (1, 2)), constant_values=fill)
        with np.errstate(invalid="ignore"):  # positions that are no numbers
            u, v = np.einsum("ab,bij->aij", matrix, [col + du, row + dv, np.ones((h, w))])
        if interpolation == "nearest":
            u, v = np.rint(u), np.rint(v)
        u = 1 + np.clip(np.nan_to_num(u, nan=-1.0), -1, w)  # in the frame
        v = 1 + np.clip(np.nan_to_num(v, nan=-1.0), -1, h)
        left, top = u.astype(int), v.astype(int)
        across, down = u - left, v - top
        above = _between(framed[:, top, left], framed[:, top, left + 1], across)
        below = _between(framed[:, top + 1, left], framed[:, top + 1, left + 1], across)
        to[...] = _between(above, below, down)
    return deliver(y, out)


def _between(a: Float64s, b: Float64s, share: Float64s) -> Float64s:
    """a + share (b - a), and a itself where the share is 0."""
    return np.where(share == 0, a, a + share * (b - a))


def blur_images_forward(
    x: Floats, weights: Floats, padding_mode: str = "reflect", *, out: Floats | None = None
) -> Floats:
    """Correlation of every plane with weights[r] weights[s]: a separable filter.

    Parameters
    ----------
    x : (N, C, H, W)
    weights : (R,)
        R is odd.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
        What stands beside the image.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, H, W)
    """
    y = float64(x)
    reach = len(weights) // 2
    for axis in (2, 3):
        size = x.shape[axis]
        total = np.zeros(x.shape)
        for r, weight in enumerate(float64(weights)):
            at = source(np.arange(size) + r - reach, size, padding_mode)
            inside = np.expand_dims(at >= 0, tuple(range(1, 4 - axis)))
            total += weight * np.where(inside, y.take(at, axis), 0.0)
        y = total
    return deliver(y, out)


_LUMA = np.array([0.2989, 0.587, 0.114])


def color_jitter_forward(
    x: Floats, factors: Floats, order: Ints, peak: float = 1.0, *, out: Floats | None = None
) -> Floats:
    """Brightness, contrast, saturation and hue of every image, in an order of its own.

    With x in [0, peak] and its grey g = 0.2989 r + 0.587 g + 0.114 b (ITU-R BT.601):
    brightness f x; contrast f x + (1 - f) mean(g); saturation f x + (1 - f) g, each of them
    clipped to [0, peak]; hue turns by f of a circle, value and chroma staying as they are. Factors
    of 1, of hue 0, leave the image alone.

    Parameters
    ----------
    x : (N, C, H, W)
        C is 3, or 1 for grey images, which have neither saturation nor hue.
    factors : (N, 4)
        Of brightness, contrast, saturation and hue.
    order : (N, 4) int64
        Which of these four, counted from 0, comes first, second ...
    peak : float
        White.
    out : (N, C, H, W), optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : (N, C, H, W)

    Notes
    -----
    The steps of torchvision's ColorJitter; hue after Smith, "Color gamut transform pairs" (1978).
    """
    y = float64(x).copy()
    for image, factor, steps in zip(y, float64(factors), order, strict=True):
        for step in steps:
            image[...] = _jittered(image, int(step), float(factor[step]), peak)
    return deliver(y, out)


def _jittered(x: Float64s, step: int, factor: float, peak: float) -> Float64s:
    if factor == (0 if step == 3 else 1) or (step >= 2 and len(x) == 1):
        return x
    if step == 3:
        return _turned(x, factor)
    grey = x[0] if len(x) == 1 else np.tensordot(_LUMA, x, 1)
    base = (np.zeros(()), grey.mean(), grey)[step]
    return np.clip(base + factor * (x - base), 0, peak)


def _turned(x: Float64s, shift: float) -> Float64s:
    """A channel is v - chroma clip(min(k, 4 - k), 0, 1), k = (n + hue) mod 6, n = 5, 3, 1."""
    r, g, b = x
    most = x.max(axis=0)
    chroma = most - x.min(axis=0)
    by = np.where(chroma == 0, 1, chroma)
    hue = np.where(most == g, 2 + (b - r) / by, 4 + (r - g) / by)
    hue = np.where(most == r, (g - b) / by, hue) + 6 * shift
    k = (np.array([5, 3, 1])[:, None, None] + hue) % 6
    return np.asarray(most - chroma * np.clip(np.minimum(k, 4 - k), 0, 1))


def normalize_images_forward(
    x: Images, mean: Floats, std: Floats, *, out: Floats | None = None
) -> Floats:
    """(x - mean) / std, per channel.

    Parameters
    ----------
    x : (N, C, H, W), uint8 or floating
    mean, std : (C,)
        In x's unit: 0 to 255 of uint8, beside which they decide the dtype of y. std is not 0.
    out : (N, C, H, W), optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : (N, C, H, W)
    """
    shape = (1, -1, 1, 1)
    return deliver((float64(x) - float64(mean).reshape(shape)) / float64(std).reshape(shape), out)


def standardize_images_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Every image minus its mean, by its standard deviation.

    The deviation is taken to be at least 1 / sqrt(C H W), so that an even image gives zeros, as in
    TensorFlow's per_image_standardization.

    Parameters
    ----------
    x : (N, C, H, W)
    out : (N, C, H, W), optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : (N, C, H, W)
    """
    x = float64(x)
    axes = (1, 2, 3)
    deviation = np.maximum(x.std(axes, keepdims=True), x[:1].size ** -0.5 if x.size else 1.0)
    return deliver((x - x.mean(axes, keepdims=True)) / deviation, out)


def mix_images_forward(
    x: Floats, partners: Ints, weights: Floats, *, out: Floats | None = None
) -> Floats:
    """y[n] = w[n] x[n] + (1 - w[n]) x[partners[n]] (Zhang et al. 2018, mixup).

    Parameters
    ----------
    x : (N, C, H, W)
    partners : (N,) int64
        In [0, N).
    weights : (N,)
        w.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, H, W)
    """
    w = float64(weights).reshape(-1, 1, 1, 1)
    return deliver(w * float64(x) + (1 - w) * float64(x)[partners], out)
