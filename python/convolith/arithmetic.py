"""Arithmetic on tensors: what `Tensor`'s operators and methods are made of.

With equal shapes `+` is the primitive `add`, and `@` is `linear`; what else there is on the CPU is
NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convolith import primitives
from convolith.device import Array, cast, device_of, is_device, reshape, to_device
from convolith.tensor import Function, Node, Tensor, autocast_arguments


def binary(function: type[Function], a: Any, b: Any) -> Tensor:
    """``function(a, b)``; a Python number takes the dtype of the tensor beside it."""
    like = a if isinstance(a, Tensor) else b
    if not isinstance(a, Tensor):
        a = _constant(function, a, like)
    elif not isinstance(b, Tensor):
        b = _constant(function, b, like)
    a, b = autocast_arguments(function, (a, b))
    if a.dtype != b.dtype:
        raise TypeError(f"{function.__name__.lower()}: the operands are {a.dtype} and {b.dtype}")
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.device != b.device:
        raise ValueError(
            f"{function.__name__.lower()}: the operands are on {a.device} and {b.device}; "
            "move one of them with .to()"
        )
    if like.device != "cpu" and not (function is Add and a.shape == b.shape):
        raise ValueError(
            f"{function.__name__.lower()}: on {like.device} only tensors of equal shape are added, "
            f"not {a.shape} and {b.shape}; .cpu() brings them to where everything works"
        )
    try:
        return function.apply(a, b)
    except ValueError as error:
        raise ValueError(
            f"{function.__name__.lower()}: shapes {a.shape} and {b.shape} do not broadcast"
        ) from error


def _constant(function: type[Function], value: Any, like: Tensor) -> Array:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, float | int) and (like.dtype.kind == "f" or isinstance(value, int)):
        return np.asarray(value, like.dtype)
    raise TypeError(
        f"{function.__name__.lower()}: cannot combine a {like.dtype} tensor "
        f"with {type(value).__name__} {value!r}"
    )


def _moved(x: Array, target: Any, non_blocking: bool = False) -> Array:
    return to_device(x, target, non_blocking) if is_device(target) else cast(x, target)


def _unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum `gradient` over the dimensions along which an operand of `shape` was repeated."""
    if gradient.shape == shape:
        return gradient
    lead = gradient.ndim - len(shape)
    repeated = tuple(lead + i for i, n in enumerate(shape) if n == 1)
    axes = (*range(lead), *repeated)
    total: Array = gradient.sum(axes, keepdims=True)
    return total.reshape(shape)


class Add(Function):
    @staticmethod
    def forward(ctx: Node, a: Array, b: Array) -> Array:
        ctx.save(a.shape, b.shape)
        y: Array = primitives.add_forward(a, b) if a.shape == b.shape else a + b
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return tuple(
            _unbroadcast(dy, shape) if need else None
            for shape, need in zip(ctx.saved, ctx.needs, strict=True)
        )


class To(Function):
    """Another device, or another dtype."""

    @staticmethod
    def forward(ctx: Node, x: Array, *, target: Any, non_blocking: bool) -> Array:
        ctx.save(device_of(x), x.dtype)
        return _moved(x, target, non_blocking)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        device, dtype = ctx.saved
        return (_moved(_moved(dy, device), dtype),)


class Subtract(Function):
    @staticmethod
    def forward(ctx: Node, a: Array, b: Array) -> Array:
        ctx.save(a.shape, b.shape)
        return a - b

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        a_shape, b_shape = ctx.saved
        return (
            _unbroadcast(dy, a_shape) if ctx.needs[0] else None,
            _unbroadcast(-dy, b_shape) if ctx.needs[1] else None,
        )


class Multiply(Function):
    @staticmethod
    def forward(ctx: Node, a: Array, b: Array) -> Array:
        ctx.save(a, b)
        return a * b

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        a, b = ctx.saved
        return (
            _unbroadcast(dy * b, a.shape) if ctx.needs[0] else None,
            _unbroadcast(dy * a, b.shape) if ctx.needs[1] else None,
        )


class Divide(Function):
    @staticmethod
    def forward(ctx: Node, a: Array, b: Array) -> Array:
        y: Array = a / b
        ctx.save(a.shape, b, y)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        a_shape, b, y = ctx.saved
        da = dy / b
        return (
            _unbroadcast(da, a_shape) if ctx.needs[0] else None,
            _unbroadcast(-da * y, b.shape) if ctx.needs[1] else None,
        )


class Power(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, exponent: float) -> Array:
        ctx.save(x, exponent)
        y: Array = x**exponent
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        x, exponent = ctx.saved
        return (dy * (exponent * x ** (exponent - 1)),)


class MatMul(Function):
    """``a @ b`` with a (..., I) and b (I, O): the primitive `linear` with w = b transposed."""

    @staticmethod
    def forward(ctx: Node, a: Array, b: Array) -> Array:
        ctx.save(a, b)
        y: Array = primitives.linear_forward(a, b.T)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        a, b = ctx.saved
        return (
            primitives.linear_backward_input(dy, b.T) if ctx.needs[0] else None,
            primitives.linear_backward_weight(dy, a).T if ctx.needs[1] else None,
        )


class Sum(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, dim: int | tuple[int, ...] | None, keepdim: bool) -> Array:
        y: Array = np.asarray(x.sum(dim, keepdims=True))
        ctx.save(x.shape, y.shape)
        return y if keepdim else np.asarray(y.squeeze(dim))

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        x_shape, y_shape = ctx.saved
        return (np.broadcast_to(dy.reshape(y_shape), x_shape),)


class Reshape(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, shape: Any) -> Array:
        ctx.save(x.shape)
        extents = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
        return reshape(x, tuple(int(n) for n in extents))

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return (reshape(dy, ctx.saved[0]),)


class Flatten(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, start_dim: int, end_dim: int) -> Array:
        ctx.save(x.shape)
        y: Array = primitives.flatten_forward(x, start_dim, end_dim)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return (primitives.flatten_backward(dy, ctx.saved[0]),)


class Transpose(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, dims: tuple[int, int]) -> Array:
        ctx.save(*dims)
        y: Array = x.swapaxes(*dims)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        dim0, dim1 = ctx.saved
        dx: Array = dy.swapaxes(dim0, dim1)
        return (dx,)
