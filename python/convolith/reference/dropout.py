"""Dropout: the mask is a function of (seed, offset, position), so backward needs nothing stored."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from convolith.reference._common import Float64s, Floats, deliver, float64

_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def philox4x32(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Philox4x32-10: four random 32-bit words per counter (..., 4), held in uint64.

    Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, 3.3.
    """
    c0, c1, c2, c3 = np.moveaxis(counter, -1, 0)
    k0, k1 = key
    for _ in range(10):
        high0, low0 = np.divmod(c0 * np.uint64(0xD2511F53), _LOW + np.uint64(1))
        high1, low1 = np.divmod(c2 * np.uint64(0xCD9E8D57), _LOW + np.uint64(1))
        c0, c1, c2, c3 = high1 ^ c1 ^ np.uint64(k0), low1, high0 ^ c3 ^ np.uint64(k1), low0
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF  # the golden ratio
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF  # sqrt(3) - 1
    return np.stack([c0, c1, c2, c3], axis=-1)


def _kept(shape: tuple[int, ...], p: float, seed: int, offset: int) -> NDArray[np.bool_]:
    """Where elements are kept."""
    size = int(np.prod(shape, dtype=np.int64))
    block = np.arange(-(-size // 4), dtype=np.uint64)
    counter = np.empty((block.size, 4), dtype=np.uint64)
    counter[:, 0], counter[:, 1] = block & _LOW, block >> _32
    counter[:, 2], counter[:, 3] = offset & 0xFFFFFFFF, offset >> 32
    words = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32)).reshape(-1)[:size]
    u = (words >> np.uint64(8)) * 2.0**-24  # uniform on [0, 1), exact in float32
    return np.asarray(u >= p).reshape(shape)


def _thinned(x: Float64s, kept: NDArray[np.bool_], p: float) -> Float64s:
    """x / (1 - p) where kept, else 0."""
    return np.where(kept, x * (1 / (1 - p) if p < 1 else 0.0), 0.0)


def dropout_forward(
    x: Floats,
    p: float = 0.5,
    *,
    seed: int = 0,
    offset: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Zero each element with probability p and scale the others by 1 / (1 - p).

    Parameters
    ----------
    x : array of any shape
    p : float in [0, 1]
        Probability of dropping an element; 1 gives zeros.
    seed, offset : int in [0, 2**64)
        Equal (seed, offset) give the same mask, on any machine and any number of threads.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Raises
    ------
    ValueError
        If p is outside [0, 1].

    Notes
    -----
    Inverted dropout (Srivastava et al. 2014). Element i (row-major) takes word i % 4 of the
    Philox4x32-10 block (Salmon et al. 2011) with key (seed & 0xffffffff, seed >> 32) and counter
    (lo32(i // 4), hi32(i // 4), lo32(offset), hi32(offset)); u = (word >> 8) * 2^-24; the element
    is kept where u >= p.
    """
    x = float64(x)
    return deliver(_thinned(x, _kept(x.shape, p, seed, offset), p), out)


def dropout_backward(
    dy: Floats,
    p: float = 0.5,
    *,
    seed: int = 0,
    offset: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `dropout_forward`: the same mask and scale, applied to dy.

    Parameters
    ----------
    dy : gradient of the output, any shape
    p, seed, offset
        As in `dropout_forward`.
    out : dy's shape, optional
        Where to put the result; may be dy itself.

    Returns
    -------
    dx : dy's shape
    """
    return dropout_forward(dy, p, seed=seed, offset=offset, out=out)


_ALPHA = -1.7580993408473766  # the lowest value of SELU


def _alpha_scale(p: float) -> float:
    return 1 / math.sqrt((1 - p) * (1 + p * _ALPHA**2)) if p < 1 else 0.0


def alpha_dropout_forward(
    x: Floats,
    p: float = 0.5,
    *,
    seed: int = 0,
    offset: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Give each element SELU's lowest value with probability p; keep the mean and variance of all.

    Parameters
    ----------
    x : array of any shape
        Of mean 0 and variance 1, for these to stay.
    p : float in [0, 1]
        Probability of dropping an element; 1 gives zeros.
    seed, offset : int in [0, 2**64)
        As in `dropout_forward`: the same elements are dropped.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Raises
    ------
    ValueError
        If p is outside [0, 1].

    Notes
    -----
    y = a * x + b where kept, else a * alpha + b, with alpha = -1.758..., a = ((1 - p) * (1 + p *
    alpha**2))**-0.5 and b = -a * p * alpha (Klambauer et al. 2017, "Self-normalizing neural
    networks", section 2).
    """
    x = float64(x)
    a, alpha = _alpha_scale(p), _ALPHA
    kept = _kept(x.shape, p, seed, offset)
    return deliver(np.where(kept, a * x - a * p * alpha, a * alpha * (1 - p)), out)


def alpha_dropout_backward(
    dy: Floats,
    p: float = 0.5,
    *,
    seed: int = 0,
    offset: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `alpha_dropout_forward`: a * dy where kept, else 0.

    Parameters
    ----------
    dy : gradient of the output, any shape
    p, seed, offset
        As in `alpha_dropout_forward`.
    out : dy's shape, optional
        Where to put the result; may be dy itself.

    Returns
    -------
    dx : dy's shape
    """
    dy = float64(dy)
    return deliver(np.where(_kept(dy.shape, p, seed, offset), _alpha_scale(p) * dy, 0.0), out)


def dropout_slices_forward(
    x: Floats,
    p: float = 0.5,
    axes: int = 2,
    *,
    seed: int = 0,
    offset: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Zero whole slices of x with probability p and scale the others by 1 / (1 - p).

    Parameters
    ----------
    x : array of at least `axes` axes
    p : float in [0, 1]
        Probability of dropping a slice; 1 gives zeros.
    axes : {2, 1, 0}
        How many of the first axes tell slices apart: 2 for the channels of (N, C, *), 1 for
        samples, 0 for everything or nothing.
    seed, offset : int in [0, 2**64)
        Equal (seed, offset) drop the same slices, on any machine and any number of threads.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Raises
    ------
    ValueError
        If p is outside [0, 1], or x has no so many axes.

    Notes
    -----
    Channels: Tompson et al. 2015, "Efficient object localization using convolutional networks",
    section 3.2. Samples, of a residual branch: Huang et al. 2016, "Deep networks with stochastic
    depth". Slice i is kept where element i of `dropout_forward` would be.
    """
    x = float64(x)
    leading = x.shape[:axes]
    kept = _kept(leading, p, seed, offset).reshape(leading + (1,) * (x.ndim - axes))
    return deliver(_thinned(x, kept, p), out)


def dropout_slices_backward(
    dy: Floats,
    p: float = 0.5,
    axes: int = 2,
    *,
    seed: int = 0,
    offset: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `dropout_slices_forward`: the same slices and scale, applied to dy.

    Parameters
    ----------
    dy : gradient of the output
    p, axes, seed, offset
        As in `dropout_slices_forward`.
    out : dy's shape, optional
        Where to put the result; may be dy itself.

    Returns
    -------
    dx : dy's shape
    """
    return dropout_slices_forward(dy, p, axes, seed=seed, offset=offset, out=out)
