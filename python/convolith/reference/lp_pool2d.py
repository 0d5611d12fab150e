"""Power-average pooling: between the sum (norm 1) and, for large norms, the maximum of a window."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, IntOrPair, deliver, float64, pair
from convolith.reference.pool2d import avg_pool2d_backward, avg_pool2d_forward


def lp_pool2d_forward(
    x: Floats,
    norm_type: float,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    ceil_mode: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Root of the sum of powers over windows.

    Parameters
    ----------
    x : (N, C, H, W)
        Input.
    norm_type : float
        The power, above 0.
    kernel_size, stride : int or (vertical, horizontal)
        Size of a window, and distance between windows: their size if not given.
    ceil_mode : bool
        As in `avg_pool2d_forward`.
    out : (N, C, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, P, Q)

    Raises
    ------
    ValueError
        If no window fits, or norm_type is not above 0.

    Notes
    -----
    y = (sum of x**norm_type)**(1/norm_type), signs and all: an odd norm adds up signed powers and
    the root of a negative sum is NaN, as `torch.nn.functional.lp_pool2d` has it. Where ceil_mode
    cuts a window off, its mean counts for all R S positions, as there. (Sermanet et al. 2012,
    "Convolutional neural networks applied to house numbers digit classification".)
    """
    R, S = pair(kernel_size)
    with np.errstate(invalid="ignore"):
        powers = float64(x) ** norm_type
        mean = avg_pool2d_forward(powers, kernel_size, stride=stride, ceil_mode=ceil_mode)
        return deliver(float64(mean * (R * S)) ** (1 / norm_type), out)


def lp_pool2d_backward(
    dy: Floats,
    x: Floats,
    y: Floats,
    norm_type: float,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    ceil_mode: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `lp_pool2d_forward`.

    Parameters
    ----------
    dy : (N, C, P, Q)
        Gradient of the output.
    x : (N, C, H, W)
        Input of the forward pass.
    y : (N, C, P, Q)
        Its output.
    norm_type, kernel_size, stride, ceil_mode
        As in `lp_pool2d_forward`.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)

    Raises
    ------
    ValueError
        If shapes and options do not fit together.

    Notes
    -----
    dx = x**(norm_type - 1) times the sum of dy / y**(norm_type - 1) over the windows that x is in;
    windows with y = 0 add nothing.
    """
    R, S = pair(kernel_size)
    y = float64(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(y == 0, 0.0, float64(dy) * (R * S) * y ** (1 - norm_type))
        total = avg_pool2d_backward(
            shares, x.shape, kernel_size, stride=stride, ceil_mode=ceil_mode
        )
        return deliver(np.where(total == 0, 0.0, total * float64(x) ** (norm_type - 1)), out)
