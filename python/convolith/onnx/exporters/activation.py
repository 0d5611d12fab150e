"""Activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convolith.nn.functional import activation as functions
from convolith.onnx.export_graph import Array, Graph, Value, ints
from convolith.onnx.exporters.normalization import per_channel
from convolith.tensor import Function


def _number(value: float, x: Value) -> Array:
    """A scalar of x's dtype."""
    return np.asarray(value, x.dtype)


def _attributes(name: str, *options: str) -> Any:
    """One operator that has the function's options as attributes of these names."""

    def write(g: Graph, x: Value, *values: Any) -> str:
        return g.node(name, x, **dict(zip(options, values, strict=True)))

    return write


def hardtanh(g: Graph, x: Value, min_val: float, max_val: float) -> str:
    """A Clip."""
    return g.node("Clip", x, _number(min_val, x), _number(max_val, x))


def relu6(g: Graph, x: Value) -> str:
    """A Clip."""
    return hardtanh(g, x, 0, 6)


def prelu(g: Graph, x: Value, weight: Value) -> str:
    """A PRelu, whose slopes lie along the channels."""
    return g.node("PRelu", x, weight if weight.shape == (1,) else per_channel(g, weight, x))


def step(g: Graph, x: Value, values: float) -> str:
    """1 where x is positive, and `values` where it is 0."""
    zero = _number(0, x)
    at_zero = g.node("Where", g.node("Equal", x, zero), _number(values, x), zero)
    return g.node("Where", g.node("Greater", x, zero), _number(1, x), at_zero)


def logsigmoid(g: Graph, x: Value) -> str:
    """``-softplus(-x)``."""
    return g.node("Neg", g.node("Softplus", g.node("Neg", x)))


def softplus(g: Graph, x: Value, beta: float, threshold: float) -> str:
    """``softplus(beta x) / beta``; from 20 on float32 knows no difference to x."""
    scaled = _times(g, x, beta)
    y = g.node("Softplus", scaled)
    if beta != 1:
        y = g.node("Div", y, _number(beta, x))
    if threshold >= 20:
        return y
    return g.node("Where", g.node("Greater", scaled, _number(threshold, x)), x, y)


def silu(g: Graph, x: Value, beta: float) -> str:
    """``x * sigmoid(beta x)``."""
    return g.node("Mul", x, g.node("Sigmoid", _times(g, x, beta)))


def _times(g: Graph, x: Value, beta: float) -> str:
    return x.name if beta == 1 else g.node("Mul", x, _number(beta, x))


def mish(g: Graph, x: Value) -> str:
    """``x * tanh(softplus(x))``."""
    return g.node("Mul", x, g.node("Tanh", g.node("Softplus", x)))


def gelu(g: Graph, x: Value, approximate: str) -> str:
    """``x / 2 * (1 + erf(x / sqrt(2)))``, or with tanh in its place."""
    if approximate == "none":
        bell = g.node("Erf", g.node("Mul", x, _number(math.sqrt(0.5), x)))
    else:
        cube = g.node("Mul", g.node("Mul", x, g.node("Mul", x, x)), _number(0.044715, x))
        inner = g.node("Mul", g.node("Add", x, cube), _number(math.sqrt(2 / math.pi), x))
        bell = g.node("Tanh", inner)
    half = g.node("Mul", x, _number(0.5, x))
    return g.node("Mul", half, g.node("Add", bell, _number(1, x)))


def maxout(g: Graph, x: Value, pieces: int) -> str:
    """The maximum over an axis of its own."""
    channels = x.shape[1] // pieces
    apart = g.node("Reshape", x, ints((0, channels, pieces, *x.shape[2:])))
    return g.reduce("ReduceMax", apart, [2], keepdims=False)


EXPORTERS: dict[type[Function], Any] = {
    functions.ReLU: _attributes("Relu"),
    functions.ReLU6: relu6,
    functions.LeakyReLU: _attributes("LeakyRelu", "alpha"),
    functions.PReLU: prelu,
    functions.Hardtanh: hardtanh,
    functions.Hardsigmoid: lambda g, x: g.node("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    functions.Hardswish: _attributes("HardSwish"),
    functions.Step: step,
    functions.ELU: _attributes("Elu", "alpha"),
    functions.SELU: _attributes("Selu"),
    functions.Sigmoid: _attributes("Sigmoid"),
    functions.LogSigmoid: logsigmoid,
    functions.Tanh: _attributes("Tanh"),
    functions.Softsign: _attributes("Softsign"),
    functions.Softplus: softplus,
    functions.SiLU: silu,
    functions.Mish: mish,
    functions.GELU: gelu,
    functions.Maxout: maxout,
    functions.Softmax: _attributes("Softmax", "axis"),
    functions.LogSoftmax: _attributes("LogSoftmax", "axis"),
}
