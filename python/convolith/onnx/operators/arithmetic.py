"""Arithmetic, element by element, with NumPy's rule of broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from convolith.device import Array
from convolith.onnx.operators.numpys import Elementwise
from convolith.onnx.operators.table import Node, Value, bounded, operator
from convolith.tensor import Tensor

Function = Callable[..., Any]


def _quotient(a: Array, b: Array) -> Array:
    """Of integers, cut off towards 0."""
    if not np.all(b):
        raise ValueError("an integer is divided by 0")
    quotient: Array = a // b
    return np.where((quotient < 0) & (quotient * b != a), quotient + 1, quotient)


# Of tensors; of integers.
BINARY: dict[str, tuple[Function, Function]] = {
    "Add": (lambda a, b: a + b, np.add),
    "Sub": (lambda a, b: a - b, np.subtract),
    "Mul": (lambda a, b: a * b, np.multiply),
    "Div": (lambda a, b: a / b, _quotient),
}

_zero: Function = lambda x, y: np.zeros_like(x)  # noqa: E731
_erf = np.frompyfunc(math.erf, 1, 1)

# What has no kernel: its value, and its derivative from x and y.
BY_NUMPY: dict[str, tuple[Function, Function]] = {
    "Abs": (np.abs, lambda x, y: np.sign(x)),
    "Exp": (np.exp, lambda x, y: y),
    "Log": (np.log, lambda x, y: 1 / x),
    "Erf": (
        lambda x: np.asarray(_erf(x), x.dtype),
        lambda x, y: 2 / math.sqrt(math.pi) * np.exp(-x * x),
    ),
    "Floor": (np.floor, _zero),
    "Ceil": (np.ceil, _zero),
    "Round": (np.round, _zero),
    "Sign": (np.sign, _zero),
}


def _binary(tensors: Function, integers: Function) -> Function:
    def compute(node: Node, a: Value, b: Value) -> Value:
        bounded(np.broadcast_shapes(a.shape, b.shape))
        return integers(a, b) if isinstance(a, np.ndarray) else tensors(a, b)

    return compute


def _unary(value: Function, slope: Function) -> Function:
    def compute(node: Node, x: Value) -> Value:
        return value(x) if isinstance(x, np.ndarray) else by_numpy(value, (slope,), x)

    return compute


def by_numpy(value: Function, slopes: tuple[Function, ...], *inputs: Value) -> Tensor:
    """``value(*inputs)`` with the derivatives ``slopes(*inputs, y)``."""
    return Elementwise.apply(*inputs, value=value, slopes=slopes)


for _name, _pair in BINARY.items():
    operator(_name)(_binary(*_pair))
for _name, _pair in BY_NUMPY.items():
    operator(_name)(_unary(*_pair))


def absolute(x: Tensor) -> Tensor:
    """Magnitudes."""
    value, slope = BY_NUMPY["Abs"]
    return by_numpy(value, (slope,), x)


def where(condition: Array, a: Tensor, b: Tensor) -> Tensor:
    """`a` where the condition holds, else `b`."""
    value: Function = lambda a, b: np.where(condition, a, b)  # noqa: E731
    slopes = (lambda a, b, y: condition, lambda a, b, y: ~condition)
    return by_numpy(value, slopes, a, b)


@operator("Neg")
def negative(node: Node, x: Value) -> Value:
    """-x."""
    return -x


@operator("Sqrt")
def square_root(node: Node, x: Tensor) -> Tensor:
    """A power with a kernel of its own."""
    return x**0.5


@operator("Reciprocal")
def reciprocal(node: Node, x: Tensor) -> Tensor:
    """1 / x."""
    return x**-1.0


@operator("Pow", fixed=(1,))
def power(node: Node, x: Value, exponent: Value) -> Value:
    """A single exponent has a kernel; it may be of another type than x."""
    bounded(np.broadcast_shapes(x.shape, exponent.shape))
    if isinstance(x, np.ndarray):
        return np.power(x, np.asarray(exponent)).astype(x.dtype)
    if math.prod(exponent.shape) == 1 and exponent.ndim <= x.ndim:
        return x ** float(np.asarray(exponent).item())
    if isinstance(exponent, np.ndarray):
        exponent = Tensor(exponent.astype(x.dtype))
    slopes = (lambda a, b, y: b * np.power(a, b - 1), lambda a, b, y: np.log(a) * y)
    return by_numpy(np.power, slopes, x, exponent)


@operator("Sum")
def total(node: Node, *inputs: Tensor) -> Tensor:
    """Of one input or more."""
    bounded(np.broadcast_shapes(*(x.shape for x in inputs)))
    return reduce(Tensor.__add__, inputs)


@operator("Mean")
def mean(node: Node, *inputs: Tensor) -> Tensor:
    """Of one input or more."""
    return reduce(Tensor.__add__, inputs) / len(inputs)


@operator("Max", "Min")
def extreme(node: Node, *inputs: Value) -> Value:
    """Of one input or more; the first of equal ones gets the gradient."""
    bounded(np.broadcast_shapes(*(x.shape for x in inputs)))
    value, wins = {
        "Max": (np.maximum, np.greater_equal),
        "Min": (np.minimum, np.less_equal),
    }[node.operator]
    if isinstance(inputs[0], np.ndarray):
        return reduce(value, inputs)
    slopes = (lambda a, b, y: wins(a, b), lambda a, b, y: ~wins(a, b))
    return reduce(lambda a, b: by_numpy(value, slopes, a, b), inputs)
