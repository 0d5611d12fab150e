"""Softmax and its logarithm along one axis."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64


def log_softmax(x: Float64s, dim: int) -> Float64s:
    # The maximum is subtracted so that exp never overflows; a row of only -inf has no softmax: NaN.
    with np.errstate(invalid="ignore", divide="ignore"):
        shifted = x - x.max(axis=dim, keepdims=True, initial=-np.inf)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True)))


def softmax_forward(x: Floats, dim: int = -1, *, out: Floats | None = None) -> Floats:
    """Softmax along one axis.

    Parameters
    ----------
    x : array of any shape
        Logits.
    dim : int
        The axis along which the results sum to 1.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape

    Notes
    -----
    y_i = exp(x_i - max x) / sum_j exp(x_j - max x) (Bridle 1990), which never overflows.
    """
    return deliver(np.exp(log_softmax(float64(x), dim)), out)


def softmax_backward(dy: Floats, y: Floats, dim: int = -1, *, out: Floats | None = None) -> Floats:
    """Gradient of `softmax_forward`, from its output.

    Parameters
    ----------
    dy : gradient of the output, any shape
    y : output of the forward pass, dy's shape
    dim : int
        As in `softmax_forward`.
    out : dy's shape, optional
        Where to put the result; may be dy or y itself.

    Returns
    -------
    dx : dy's shape

    Notes
    -----
    dx_i = y_i * (dy_i - sum_j dy_j * y_j).
    """
    dy, y = float64(dy), float64(y)
    return deliver(y * (dy - (dy * y).sum(axis=dim, keepdims=True)), out)


def log_softmax_forward(x: Floats, dim: int = -1, *, out: Floats | None = None) -> Floats:
    """Logarithm of the softmax along one axis.

    Parameters
    ----------
    x : array of any shape
        Logits.
    dim : int
        The axis along which the exponentials of the results sum to 1.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape
        Log-probabilities.

    Notes
    -----
    y_i = x_i - max x - log sum_j exp(x_j - max x).
    """
    return deliver(log_softmax(float64(x), dim), out)


def log_softmax_backward(
    dy: Floats, y: Floats, dim: int = -1, *, out: Floats | None = None
) -> Floats:
    """Gradient of `log_softmax_forward`, from its output.

    Parameters
    ----------
    dy : gradient of the output, any shape
    y : output of the forward pass (log-probabilities), dy's shape
    dim : int
        As in `log_softmax_forward`.
    out : dy's shape, optional
        Where to put the result; may be dy or y itself.

    Returns
    -------
    dx : dy's shape

    Notes
    -----
    dx_i = dy_i - exp(y_i) * sum_j dy_j.
    """
    dy, y = float64(dy), float64(y)
    return deliver(dy - np.exp(y) * dy.sum(axis=dim, keepdims=True), out)
