"""Activations, softmax among them; ``F.identity`` is what textbooks call the linear activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients
from convolith.tensor import Function, Node, Tensor


class FromInput(Function):
    """A pair of primitives of x and options, of which `gradient` takes dy and x."""

    value: ClassVar[Callable[..., Array]]
    gradient: ClassVar[Callable[..., Array]]

    @classmethod
    def forward(cls, ctx: Node, x: Array, *options: Any) -> Array:
        ctx.save(x, *options)
        return cls.value(x, *options)

    @classmethod
    def backward(cls, ctx: Node, dy: Array) -> Gradients:
        return (cls.gradient(dy, *ctx.saved),)


class FromOutput(FromInput):
    """The same, but `gradient` takes dy and y."""

    @classmethod
    def forward(cls, ctx: Node, x: Array, *options: Any) -> Array:
        y = cls.value(x, *options)
        ctx.save(y, *options)
        return y


class ReLU(FromOutput):
    value, gradient = P.relu_forward, P.relu_backward


def relu(input: Tensor) -> Tensor:
    """``max(input, 0)``; its derivative at 0 is 0."""
    return ReLU.apply(input)


class ReLU6(FromOutput):
    value, gradient = P.relu6_forward, P.relu6_backward


def relu6(input: Tensor) -> Tensor:
    """``min(max(input, 0), 6)``."""
    return ReLU6.apply(input)


class LeakyReLU(FromInput):
    value, gradient = P.leaky_relu_forward, P.leaky_relu_backward


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`input` where positive, ``negative_slope * input`` elsewhere."""
    return LeakyReLU.apply(input, negative_slope)


class PReLU(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, weight: Array) -> Array:
        ctx.save(x, weight)
        return P.prelu_forward(x, weight)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return P.prelu_backward(dy, *ctx.saved)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """`leaky_relu` with slopes that have a gradient: (1), or (C) for `input` (N, C, *)."""
    return PReLU.apply(input, weight)


class Hardtanh(FromInput):
    value, gradient = P.hardtanh_forward, P.hardtanh_backward


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """``min(max(input, min_val), max_val)``."""
    return Hardtanh.apply(input, min_val, max_val)


class Hardsigmoid(FromInput):
    value, gradient = P.hardsigmoid_forward, P.hardsigmoid_backward


def hardsigmoid(input: Tensor) -> Tensor:
    """``min(max(input + 3, 0), 6) / 6``."""
    return Hardsigmoid.apply(input)


class Hardswish(FromInput):
    value, gradient = P.hardswish_forward, P.hardswish_backward


def hardswish(input: Tensor) -> Tensor:
    """``input * hardsigmoid(input)``."""
    return Hardswish.apply(input)


class Step(FromInput):
    value, gradient = P.step_forward, P.step_backward


def step(input: Tensor, values: float = 0.0) -> Tensor:
    """Heaviside's step: 1 where positive, `values` at 0, else 0. Its gradient is 0."""
    return Step.apply(input, values)


class ELU(FromInput):
    value, gradient = P.elu_forward, P.elu_backward


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`input` where positive, ``alpha * (exp(input) - 1)`` elsewhere."""
    return ELU.apply(input, alpha)


class SELU(FromInput):
    value, gradient = P.selu_forward, P.selu_backward


def selu(input: Tensor) -> Tensor:
    """`elu` with the scale and alpha that keep mean 0 and variance 1 from layer to layer."""
    return SELU.apply(input)


class Sigmoid(FromOutput):
    value, gradient = P.sigmoid_forward, P.sigmoid_backward


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-input))``."""
    return Sigmoid.apply(input)


class LogSigmoid(FromInput):
    value, gradient = P.logsigmoid_forward, P.logsigmoid_backward


def logsigmoid(input: Tensor) -> Tensor:
    """Logarithm of `sigmoid`, without its underflow."""
    return LogSigmoid.apply(input)


class Tanh(FromOutput):
    value, gradient = P.tanh_forward, P.tanh_backward


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return Tanh.apply(input)


class Softsign(FromInput):
    value, gradient = P.softsign_forward, P.softsign_backward


def softsign(input: Tensor) -> Tensor:
    """``input / (1 + abs(input))``."""
    return Softsign.apply(input)


class Softplus(FromInput):
    value, gradient = P.softplus_forward, P.softplus_backward


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta * input)) / beta``, and `input` where ``beta * input > threshold``."""
    return Softplus.apply(input, beta, threshold)


class SiLU(FromInput):
    value, gradient = P.silu_forward, P.silu_backward


def silu(input: Tensor, beta: float = 1.0) -> Tensor:
    """``input * sigmoid(beta * input)``: swish, which PyTorch has without `beta`."""
    return SiLU.apply(input, beta)


class Mish(FromInput):
    value, gradient = P.mish_forward, P.mish_backward


def mish(input: Tensor) -> Tensor:
    """``input * tanh(softplus(input))``."""
    return Mish.apply(input)


class GELU(FromInput):
    value, gradient = P.gelu_forward, P.gelu_backward


def gelu(input: Tensor, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """`input` times the probability that a normal variable is less, exactly or by tanh."""
    return GELU.apply(input, approximate)


class Maxout(FromInput):
    value, gradient = P.maxout_forward, P.maxout_backward


def maxout(input: Tensor, pieces: int) -> Tensor:
    """(N, K * pieces, *) to (N, K, *): the largest of `pieces` neighbouring channels."""
    return Maxout.apply(input, pieces)


class Softmax(FromOutput):
    value, gradient = P.softmax_forward, P.softmax_backward


def softmax(input: Tensor, dim: int = -1) -> Tensor:
    """``exp(input)`` scaled to sum to 1 along `dim`."""
    return Softmax.apply(input, dim)


class LogSoftmax(FromOutput):
    value, gradient = P.log_softmax_forward, P.log_softmax_backward


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """Logarithm of `softmax`, without its underflow."""
    return LogSoftmax.apply(input, dim)


def identity(input: Tensor) -> Tensor:
    """`input` itself: the linear activation."""
    return input
