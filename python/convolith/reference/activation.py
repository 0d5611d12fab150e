"""Element-wise activations; arrays of any shape."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, deliver, float64


def relu_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Rectified linear unit.

    Parameters
    ----------
    x : array of any shape
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Notes
    -----
    y = max(x, 0) (Nair & Hinton 2010). A NaN stays a NaN.
    """
    x = float64(x)
    return deliver(np.where(x <= 0, 0.0, x), out)


def relu_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `relu_forward`, from its output.

    Parameters
    ----------
    dy : gradient of the output, any shape
    y : output of the forward pass, dy's shape
    out : dy's shape, optional
        Where to put the result; may be dy or y itself.

    Returns
    -------
    dx : dy's shape

    Notes
    -----
    dx = dy where not y <= 0, else 0; the derivative at 0 is taken as 0, that at NaN as 1 (PyTorch).
    """
    return deliver(np.where(float64(y) <= 0, 0.0, float64(dy)), out)


def leaky_relu_forward(
    x: Floats, negative_slope: float = 0.01, *, out: Floats | None = None
) -> Floats:
    """Leaky rectified linear unit.

    Parameters
    ----------
    x : array of any shape
    negative_slope : float
        Slope below zero.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Notes
    -----
    y = x where x > 0, else negative_slope * x (Maas, Hannun & Ng 2013).
    """
    x = float64(x)
    return deliver(np.where(x > 0, x, negative_slope * x), out)


def leaky_relu_backward(
    dy: Floats, x: Floats, negative_slope: float = 0.01, *, out: Floats | None = None
) -> Floats:
    """Gradient of `leaky_relu_forward`, from its input.

    Parameters
    ----------
    dy : gradient of the output, any shape
    x : input of the forward pass, dy's shape
    negative_slope : float
        Slope below zero.
    out : dy's shape, optional
        Where to put the result; may be dy or x itself.

    Returns
    -------
    dx : dy's shape

    Notes
    -----
    dx = dy where x > 0, else negative_slope * dy.
    """
    dy = float64(dy)
    return deliver(np.where(float64(x) > 0, dy, negative_slope * dy), out)


def sigmoid_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Logistic sigmoid.

    Parameters
    ----------
    x : array of any shape
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Notes
    -----
    y = 1 / (1 + exp(-x)); where exp overflows, the quotient is the right 0.
    """
    with np.errstate(over="ignore"):
        return deliver(1 / (1 + np.exp(-float64(x))), out)


def sigmoid_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `sigmoid_forward`, from its output.

    Parameters
    ----------
    dy : gradient of the output, any shape
    y : output of the forward pass, dy's shape
    out : dy's shape, optional
        Where to put the result; may be dy or y itself.

    Returns
    -------
    dx : dy's shape

    Notes
    -----
    dx = dy * y * (1 - y).
    """
    y = float64(y)
    return deliver(float64(dy) * y * (1 - y), out)


def tanh_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Hyperbolic tangent.

    Parameters
    ----------
    x : array of any shape
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape
    """
    return deliver(np.tanh(float64(x)), out)


def tanh_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `tanh_forward`, from its output.

    Parameters
    ----------
    dy : gradient of the output, any shape
    y : output of the forward pass, dy's shape
    out : dy's shape, optional
        Where to put the result; may be dy or y itself.

    Returns
    -------
    dx : dy's shape

    Notes
    -----
    dx = dy * (1 - y^2).
    """
    y = float64(y)
    return deliver(float64(dy) * (1 - y * y), out)
