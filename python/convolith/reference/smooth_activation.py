"""Element-wise activations made of exponentials; arrays of any shape.

At infinity each is its limit, which PyTorch makes NaN where its formula says 0 times infinity.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64
from convolith.reference.elementwise import elementwise

Approximate = Literal["none", "tanh"]


def _sigmoid(x: Float64s) -> Float64s:
    with np.errstate(over="ignore"):  # the quotient is the right 0
        return np.asarray(1 / (1 + np.exp(-x)))


def _softplus(x: Float64s) -> Float64s:
    """log(1 + exp(x))"""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _times(x: Float64s, s: Float64s) -> Float64s:
    """x * s, and 0 where s is 0, though x may be infinite."""
    with np.errstate(invalid="ignore"):
        return np.where(s == 0, 0.0, x * s)


def _square(x: Float64s) -> Float64s:
    with np.errstate(over="ignore"):
        return np.asarray(x * x)


@elementwise
def sigmoid_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Logistic sigmoid.

    Notes
    -----
    y = 1 / (1 + exp(-x)).
    """
    return deliver(_sigmoid(float64(x)), out)


@elementwise
def sigmoid_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `sigmoid_forward`, from its output.

    Notes
    -----
    dx = dy * y * (1 - y).
    """
    y = float64(y)
    return deliver(float64(dy) * y * (1 - y), out)


@elementwise
def logsigmoid_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Logarithm of the sigmoid, without its underflow.

    Notes
    -----
    y = log(1 / (1 + exp(-x))) = -log(1 + exp(-x)).
    """
    return deliver(-_softplus(-float64(x)), out)


@elementwise
def logsigmoid_backward(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `logsigmoid_forward`, from its input.

    Notes
    -----
    dx = dy * sigmoid(-x).
    """
    return deliver(float64(dy) * _sigmoid(-float64(x)), out)


@elementwise
def tanh_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Hyperbolic tangent."""
    return deliver(np.tanh(float64(x)), out)


@elementwise
def tanh_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `tanh_forward`, from its output.

    Notes
    -----
    dx = dy * (1 - y^2).
    """
    y = float64(y)
    return deliver(float64(dy) * (1 - y * y), out)


@elementwise
def softsign_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """A sigmoid from -1 to 1 that approaches both slowly.

    Notes
    -----
    y = x / (1 + |x|) (Bergstra et al. 2009); at infinity 1, of x's sign.
    """
    x = float64(x)
    with np.errstate(invalid="ignore"):
        return deliver(np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))), out)


@elementwise
def softsign_backward(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `softsign_forward`, from its input.

    Notes
    -----
    dx = dy / (1 + |x|)^2.
    """
    return deliver(float64(dy) / _square(1 + np.abs(float64(x))), out)


@elementwise
def softplus_forward(
    x: Floats, beta: float = 1.0, threshold: float = 20.0, *, out: Floats | None = None
) -> Floats:
    """A smooth rectifier.

    beta : float
        Not 0; the larger, the nearer to the rectifier.
    threshold : float
        Where beta * x is larger, y is x.

    Notes
    -----
    y = log(1 + exp(beta * x)) / beta (Dugas et al. 2001).
    """
    x = float64(x)
    return deliver(np.where(beta * x > threshold, x, _softplus(beta * x) / beta), out)


@elementwise
def softplus_backward(
    dy: Floats,
    x: Floats,
    beta: float = 1.0,
    threshold: float = 20.0,
    *,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `softplus_forward`, from its input.

    beta : float
        Not 0.
    threshold : float
        Where beta * x is larger, dx is dy.

    Notes
    -----
    dx = dy * sigmoid(beta * x).
    """
    x, dy = float64(x), float64(dy)
    return deliver(np.where(beta * x > threshold, dy, dy * _sigmoid(beta * x)), out)


@elementwise
def silu_forward(x: Floats, beta: float = 1.0, *, out: Floats | None = None) -> Floats:
    """Sigmoid linear unit; with `beta` it is also called swish.

    beta : float
        Slope of the sigmoid; at 0 y is x / 2, and towards infinity it becomes relu.

    Notes
    -----
    y = x * sigmoid(beta * x) (Elfwing, Uchibe & Doya 2018; Ramachandran, Zoph & Le 2017 for beta).
    """
    x = float64(x)
    return deliver(_times(x, _sigmoid(beta * x)), out)


@elementwise
def silu_backward(dy: Floats, x: Floats, beta: float = 1.0, *, out: Floats | None = None) -> Floats:
    """Gradient of `silu_forward`, from its input.

    beta : float
        Slope of the sigmoid.

    Notes
    -----
    dx = dy * (s + z * s * (1 - s)) with z = beta * x and s = sigmoid(z).
    """
    z = beta * float64(x)
    return deliver(float64(dy) * (_sigmoid(z) + _times(z, _sigmoid(z) * _sigmoid(-z))), out)


@elementwise
def mish_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """A smooth rectifier that dips below 0, like silu.

    Notes
    -----
    y = x * tanh(log(1 + exp(x))) (Misra 2019).
    """
    x = float64(x)
    return deliver(_times(x, np.tanh(_softplus(x))), out)


@elementwise
def mish_backward(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `mish_forward`, from its input.

    Notes
    -----
    dx = dy * (t + x * (1 - t^2) * sigmoid(x)) with t = tanh(log(1 + exp(x))).
    """
    x = float64(x)
    t = np.tanh(_softplus(x))
    return deliver(float64(dy) * (t + _times(x, (1 - t * t) * _sigmoid(x))), out)


# Of the normal distribution: the probability of less than x, and the density there.
def _probability(x: Float64s) -> Float64s:
    return np.asarray(np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2)


def _density(x: Float64s) -> Float64s:
    return np.asarray(np.exp(-_square(x) / 2) / math.sqrt(2 * math.pi))


# Half of the angle of gelu's approximation, and its derivative.
def _angle(x: Float64s) -> Float64s:
    with np.errstate(over="ignore"):
        return np.asarray(math.sqrt(2 / math.pi) * x * (1 + 0.044715 * _square(x)))


def _angle_derivative(x: Float64s) -> Float64s:
    return np.asarray(math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * _square(x)))


@elementwise
def gelu_forward(
    x: Floats, approximate: Approximate = "none", *, out: Floats | None = None
) -> Floats:
    """Gaussian error linear unit.

    approximate : {'none', 'tanh'}
        'tanh' computes the paper's approximation, which is up to 5e-4 off.

    Notes
    -----
    y = x * P(X <= x) = x * (1 + erf(x / sqrt(2))) / 2 of a normal X (Hendrycks & Gimpel 2016), or
    with 'tanh' y = x * (1 + tanh(u)) / 2, u = sqrt(2 / pi) * (x + 0.044715 * x^3).
    """
    x = float64(x)
    share = _probability(x) if approximate == "none" else _sigmoid(2 * _angle(x))
    return deliver(_times(x, share), out)


@elementwise
def gelu_backward(
    dy: Floats, x: Floats, approximate: Approximate = "none", *, out: Floats | None = None
) -> Floats:
    """Gradient of `gelu_forward`, from its input.

    approximate : {'none', 'tanh'}
        As in the forward pass.

    Notes
    -----
    dx = dy * (P(X <= x) + x * p(x)), p being the density of the normal distribution, or with 'tanh'
    dx = dy * (s + x * s * (1 - s) * 2 du/dx) with s = (1 + tanh(u)) / 2 = sigmoid(2 u).
    """
    x = float64(x)
    if approximate == "none":
        return deliver(float64(dy) * (_probability(x) + _times(x, _density(x))), out)
    s, rest = _sigmoid(2 * _angle(x)), _sigmoid(-2 * _angle(x))
    slope = _times(x * _angle_derivative(x), 2 * s * rest)
    return deliver(float64(dy) * (s + slope), out)
