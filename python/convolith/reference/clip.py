"""What clips gradients: their norm, and bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convolith.reference._common import Floats, deliver, float64


def total_norm_forward(
    xs: Sequence[Floats], p: float = 2.0, *, out: Floats | None = None
) -> Floats:
    """The norm of all arrays together, as of one long vector.

    Parameters
    ----------
    xs : sequence of array
        Of any shapes, and of one dtype.
    p : float
        1, 2 or infinity.
    out : scalar array, optional
        Where to put the result.

    Returns
    -------
    y : scalar array
        On a device float32 for halves, too.

    Raises
    ------
    ValueError
        If there is no array, or `p` is none of these.

    Notes
    -----
    y = (sum |x|^p)^(1/p), of infinity the largest |x|; 0 without elements, NaN where one is.
    """
    x = np.abs(np.concatenate([float64(x).ravel() for x in xs]))
    if p == np.inf:
        return deliver(np.asarray(x.max(initial=0.0)), out)
    return deliver(np.asarray(np.sum(x**p) ** (1 / p)), out)


def clip_forward(x: Floats, limit: float, *, out: Floats | None = None) -> Floats:
    """x between -limit and limit.

    Parameters
    ----------
    x : array of any shape
    limit : float
        At least 0.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Raises
    ------
    ValueError
        If `limit` is negative.

    Notes
    -----
    y = max(-limit, min(x, limit)); NaN stays.
    """
    return deliver(np.clip(float64(x), -limit, limit), out)
