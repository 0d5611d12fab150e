"""Activations where values are known: by hand, at the ends, and to the last digit."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from convolith import _C, reference
from tolerance import rounding, tolerance

both = pytest.mark.parametrize("p", [reference, _C], ids=["reference", "compiled"])

_E = math.e
# x, options and y, by formulas that are worked out elsewhere.
VALUES: dict[str, tuple[list[float], dict[str, Any], list[float]]] = {
    "relu6": ([-1, 0.5, 7], {}, [0, 0.5, 6]),
    "hardtanh": ([-1, 0.5, 7], {"min_val": -0.5, "max_val": 2}, [-0.5, 0.5, 2]),
    "hardsigmoid": ([-4, -1.5, 0, 3], {}, [0, 0.25, 0.5, 1]),
    "hardswish": ([-4, -1.5, 0, 1, 3], {}, [0, -0.375, 0, 2 / 3, 3]),
    "step": ([-2, -0.0, 0, 3, np.nan], {"values": 0.5}, [0, 0.5, 0.5, 1, 0]),
    "elu": ([-1, 0, 2], {"alpha": 2}, [2 / _E - 2, 0, 2]),
    "selu": ([1, 2], {}, [1.0507009873554804934, 2 * 1.0507009873554804934]),
    "softplus": ([0, math.log(3)], {}, [math.log(2), math.log(4)]),
    "softplus of 2 x": ([0, 3], {"beta": 2, "threshold": 5}, [math.log(2) / 2, 3]),
    "logsigmoid": ([0, -math.log(3)], {}, [-math.log(2), -math.log(4)]),
    "softsign": ([-3, 1], {}, [-0.75, 0.5]),
    "silu": ([math.log(3)], {}, [0.75 * math.log(3)]),
    "silu of 2 x": ([math.log(3)], {"beta": 2}, [0.9 * math.log(3)]),
    "mish": ([math.log(2)], {}, [0.8 * math.log(2)]),  # tanh(log 3) = (9 - 1) / (9 + 1)
    # Abramowitz & Stegun 1964, table 26.1
    "gelu": ([1, -2], {}, [0.8413447460685429486, -2 * 0.0227501319481792072]),
}
# Values at minus and plus infinity, and derivatives there.
LIMITS: dict[str, tuple[float, float, float, float]] = {
    "relu": (0, np.inf, 0, 1),
    "relu6": (0, 6, 0, 0),
    "hardtanh": (-1, 1, 0, 0),
    "hardsigmoid": (0, 1, 0, 0),
    "hardswish": (0, np.inf, 0, 1),
    "step": (0, 1, 0, 0),
    "elu": (-1, np.inf, 0, 1),
    "sigmoid": (0, 1, 0, 0),
    "logsigmoid": (-np.inf, 0, 1, 0),
    "tanh": (-1, 1, 0, 0),
    "softsign": (-1, 1, 0, 0),
    "softplus": (0, np.inf, 0, 1),
    "silu": (0, np.inf, 0, 1),
    "mish": (0, np.inf, 0, 1),
    "gelu": (0, np.inf, 0, 1),
}


@both
@pytest.mark.parametrize("name", VALUES)
def test_activations(p: Any, name: str) -> None:
    x, options, expected = VALUES[name]
    y = getattr(p, f"{name.split()[0]}_forward")(np.array(x, float), **options)
    allowed = tolerance(rounding(np.float64), 1, np.abs(expected))
    assert np.all(np.abs(y - np.array(expected)) <= allowed)


@both
@pytest.mark.parametrize("name", LIMITS)
def test_activations_at_the_ends(p: Any, name: str) -> None:
    low, high, low_slope, high_slope = LIMITS[name]
    forward, backward = getattr(p, f"{name}_forward"), getattr(p, f"{name}_backward")
    x = np.array([-np.inf, -1e4, 1e4, np.inf])
    y = forward(x)
    np.testing.assert_array_equal(y[[0, 3]], [low, high])
    np.testing.assert_allclose(y[1:3], [max(low, -1e4), min(high, 1e4)], rtol=2e-4, atol=0)
    takes_x = "x" in inspect.signature(getattr(reference, f"{name}_backward")).parameters
    dx = backward(np.ones(4), x if takes_x else y)
    np.testing.assert_allclose(dx, [low_slope] * 2 + [high_slope] * 2, rtol=1e-15, atol=1e-7)


@both
def test_prelu(p: Any) -> None:
    x, w = np.array([[-1.0, -2.0], [3.0, np.nan]]), np.array([0.5, -1.0])
    assert p.prelu_forward(x, w)[0].tolist() == [-0.5, 2.0]
    dx, dw = p.prelu_backward(np.full((2, 2), 2.0), x, w)
    assert dx.tolist() == [[1.0, -2.0], [2.0, -2.0]]
    np.testing.assert_array_equal(dw, [-2.0, np.nan])
    assert p.prelu_backward(np.ones((1, 2)), x[:1], w[:1])[1].tolist() == [-3.0]


@both
def test_maxout(p: Any) -> None:
    x = np.array([[1.0, 5.0, 5.0, 2.0, np.nan, 3.0]])
    np.testing.assert_array_equal(p.maxout_forward(x, 3), [[5.0, np.nan]])
    dx = p.maxout_backward(np.array([[7.0, 8.0]]), x, 3)
    assert dx.tolist() == [[0, 7, 0, 0, 8, 0]]  # the first of the two fives; NaN


# Far below 0, where a difference of numbers near 1 would leave no digit: x and y to 18 digits.
TAILS: dict[str, list[tuple[float, float]]] = {
    "gelu": [
        (-1, -0.158655253931457051),
        (-4, -0.000126684967332479685),
        (-8, -4.9767684594174273e-15),
        (-16, -1.02220070408609397e-56),
        (-32, -1.74466579312396675e-223),
    ],
    "softplus": [
        (-1, 0.313261687518222834),
        (-10, 0.0000453988992168646468),
        (-40, 4.24835425529158899e-18),
    ],
    "silu": [
        (-1, -0.268941421369995121),
        (-8, -0.00268280104373182483),
        (-30, -2.80728689065178969e-12),
    ],
    "mish": [
        (-1, -0.303401461374108918),
        (-8, -0.00268325088254653751),
        (-30, -2.80728689065192103e-12),
    ],
}


@pytest.mark.parametrize("name", TAILS)
def test_small_values_keep_their_digits(name: str) -> None:
    x, expected = np.array(TAILS[name]).T
    magnitude = np.abs(expected)
    if name == "gelu" and _C.isa() == "baseline":
        magnitude *= 1 + x**2 / 4  # without a fused multiply-add x^2 is rounded (math.hpp)
    error = np.abs(getattr(_C, f"{name}_forward")(x) - expected)
    assert np.all(error <= tolerance(rounding(np.float64), 1, magnitude))
