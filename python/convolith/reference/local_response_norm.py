"""Local response normalisation across neighbouring channels."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64


def _windows(x: Float64s, before: int, after: int) -> Float64s:
    """Of each channel of x (N, C, *) the sum over channels [c - before, c + after]."""
    y: Float64s = x.copy()
    for distance in range(1, x.shape[1]):
        if distance <= after:
            y[:, :-distance] += x[:, distance:]
        if distance <= before:
            y[:, distance:] += x[:, :-distance]
    return y


def local_response_norm_forward(
    x: Floats,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    out: Floats | None = None,
) -> Floats:
    """Divide by a power of the mean square of neighbouring channels.

    Parameters
    ----------
    x : (N, C, *)
        Three axes or more.
    size : int
        Channels of a window, at least 1; there are none beyond the first and the last one.
    alpha : float
        At least 0; weight of the mean square over `size`, whether or not all of them are there.
        (TensorFlow's and the paper's is that of the sum.)
    beta : float
        Exponent.
    k : float
        Above 0; added before the power is taken.
    out : x's shape, optional
        Where to put the result.

    Returns
    -------
    y : x's shape

    Raises
    ------
    ValueError
        If an option is out of range or x has less than three axes.

    Notes
    -----
    y_c = x_c * s_c**-beta with s_c = k + alpha / size * sum of x_j**2 over the channels j in
    [c - size // 2, c + (size - 1) // 2] (Krizhevsky et al. 2012, section 3.3; PyTorch's window).
    """
    x = float64(x)
    s = k + alpha / size * _windows(x**2, size // 2, (size - 1) // 2)
    with np.errstate(invalid="ignore"):  # infinity times 0
        return deliver(x * s**-beta, out)


def local_response_norm_backward(
    dy: Floats,
    x: Floats,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `local_response_norm_forward` with respect to x.

    Parameters
    ----------
    dy, x : (N, C, *)
        Gradient of the output, and input of the forward pass.
    size, alpha, beta, k
        As in the forward pass.
    out : x's shape, optional
        Where to put the result.

    Returns
    -------
    dx : x's shape

    Notes
    -----
    dx_c = dy_c * s_c**-beta - 2 * alpha * beta / size * x_c * sum of dy_j * x_j * s_j**(-beta - 1)
    over the channels j whose window c is in: j in [c - (size - 1) // 2, c + size // 2].
    """
    dy, x = float64(dy), float64(x)
    before, after = size // 2, (size - 1) // 2
    s = k + alpha / size * _windows(x**2, before, after)
    through = _windows(dy * x * s ** (-beta - 1), after, before)
    return deliver(dy * s**-beta - 2 * alpha * beta / size * x * through, out)
