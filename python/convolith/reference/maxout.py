"""The largest of neighbouring channels."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, Ints, deliver, float64


def _grouped(x: Floats, pieces: int) -> Float64s:
    """(N, K, pieces, *)"""
    x = float64(x)
    return x.reshape(x.shape[0], x.shape[1] // pieces, pieces, *x.shape[2:])


def _first_largest(groups: Float64s) -> Ints:
    """Its index along axis 2, which stays; NumPy takes NaN for the largest, too."""
    return np.expand_dims(groups.argmax(2), 2)


def maxout_forward(x: Floats, pieces: int, *, out: Floats | None = None) -> Floats:
    """Maxout: each output channel is the largest of `pieces` neighbouring input channels.

    Parameters
    ----------
    x : (N, K * pieces, *)
    pieces : int
        At least 1.
    out : y's shape, optional
        Where to put the result.

    Returns
    -------
    y : (N, K, *)

    Notes
    -----
    y[n, k] = max of x[n, k * pieces + i] over i < pieces (Goodfellow et al. 2013, "Maxout
    Networks"). A NaN counts as the largest.
    """
    groups = _grouped(x, pieces)
    return deliver(np.take_along_axis(groups, _first_largest(groups), 2).squeeze(2), out)


def maxout_backward(dy: Floats, x: Floats, pieces: int, *, out: Floats | None = None) -> Floats:
    """Gradient of `maxout_forward`, from its input.

    Parameters
    ----------
    dy : gradient of the output, (N, K, *)
    x : input of the forward pass, (N, K * pieces, *)
    pieces : int
        At least 1.
    out : x's shape, optional
        Where to put the result.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dy goes to the first channel that is the largest, 0 to the others.
    """
    groups = _grouped(x, pieces)
    dx = np.zeros_like(groups)
    np.put_along_axis(dx, _first_largest(groups), np.expand_dims(float64(dy), 2), 2)
    return deliver(dx.reshape(x.shape), out)
