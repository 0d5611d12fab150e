"""Leaky rectified linear unit whose slope is learnt."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64


def _slopes(weight: Floats, x: Float64s) -> Float64s:
    """As x's shape wants them: one for all, or along axis 1."""
    w = float64(weight)
    return w.reshape(()) if w.size == 1 else w.reshape(-1, *[1] * (x.ndim - 2))


def prelu_forward(x: Floats, weight: Floats, *, out: Floats | None = None) -> Floats:
    """Parametric rectified linear unit.

    Parameters
    ----------
    x : (N, C, *), or any shape where there is one slope
    weight : (C) or (1)
        Slope below zero, of each channel or of all. Beside x of a half float32.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Notes
    -----
    y = x where x > 0, else weight * x (He et al. 2015, "Delving Deep into Rectifiers").
    """
    x = float64(x)
    return deliver(np.where(x > 0, x, _slopes(weight, x) * x), out)


def prelu_backward(
    dy: Floats, x: Floats, weight: Floats, *, out: tuple[Floats | None, Floats | None] | None = None
) -> tuple[Floats, Floats]:
    """Gradients of `prelu_forward`.

    Parameters
    ----------
    dy : gradient of the output, x's shape
    x : input of the forward pass
    weight : (C) or (1)
        The slopes.
    out : (dx, dweight), optional
        Where to put the results; dx may be dy or x itself. None for either makes a new array.

    Returns
    -------
    dx : x's shape
    dweight : weight's shape

    Notes
    -----
    dx = dy where x > 0, else weight * dy; dweight = sum of x * dy where not x > 0, over all but the
    channels.
    """
    dy, x = float64(dy), float64(x)
    dx = np.where(x > 0, dy, _slopes(weight, x) * dy)
    terms = np.where(x > 0, 0.0, x * dy)
    axes = tuple(axis for axis in range(x.ndim) if axis != 1) if weight.size > 1 else None
    first, second = out or (None, None)
    return deliver(dx, first), deliver(terms.sum(axes).reshape(weight.shape), second)
