"""Scaling of losses and gradients in mixed precision."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, deliver, float64


def scale_forward(
    x: Floats, factor: Floats, found_inf: Floats | None = None, *, out: Floats | None = None
) -> Floats:
    """Multiply by a scalar that is an array, too: a loss, or a gradient, in mixed precision.

    Parameters
    ----------
    x : array of any shape
    factor : scalar array
    found_inf : scalar array, optional
        Set to 1 if an element of x is infinite or NaN, else left as it is.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Raises
    ------
    ValueError
        If `factor` or `found_inf` has an axis.

    Notes
    -----
    y = factor * x, and dx = factor * dy: the gradient is the same function. On a device beside
    halves `factor` and `found_inf` are float32. Micikevicius et al. 2018, "Mixed precision
    training", section 3.2.
    """
    if found_inf is not None and not np.isfinite(x).all():
        found_inf[...] = 1
    return deliver(float64(x) * float64(factor), out)
