"""Activations, softmax among them."""

from __future__ import annotations

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients
from convolith.tensor import Function, Node, Tensor


class ReLU(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        y = P.relu_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.relu_backward(dy, *ctx.saved),)


def relu(input: Tensor) -> Tensor:
    """``max(input, 0)``; its derivative at 0 is 0."""
    return ReLU.apply(input)


class LeakyReLU(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, negative_slope: float) -> Array:
        ctx.save(x, negative_slope)
        return P.leaky_relu_forward(x, negative_slope)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.leaky_relu_backward(dy, *ctx.saved),)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`input` where positive, ``negative_slope * input`` elsewhere."""
    return LeakyReLU.apply(input, negative_slope)


class Sigmoid(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        y = P.sigmoid_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.sigmoid_backward(dy, *ctx.saved),)


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-input))``."""
    return Sigmoid.apply(input)


class Tanh(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        y = P.tanh_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.tanh_backward(dy, *ctx.saved),)


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return Tanh.apply(input)


class Softmax(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, dim: int) -> Array:
        y = P.softmax_forward(x, dim)
        ctx.save(y, dim)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.softmax_backward(dy, *ctx.saved),)


def softmax(input: Tensor, dim: int = -1) -> Tensor:
    """``exp(input)`` scaled to sum to 1 along `dim`."""
    return Softmax.apply(input, dim)


class LogSoftmax(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, dim: int) -> Array:
        y = P.log_softmax_forward(x, dim)
        ctx.save(y, dim)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.log_softmax_backward(dy, *ctx.saved),)


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """Logarithm of `softmax`, without its underflow."""
    return LogSoftmax.apply(input, dim)
