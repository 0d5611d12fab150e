"""Arithmetic on tensors: what `Tensor`'s operators and methods are made of.

Floats go through the primitives, on every device. Integers are NumPy's, and so is float16 on the
CPU, which has no kernels for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from convolith import primitives, reference
from convolith.device import (
    Array,
    cast,
    device_of,
    has_kernels,
    is_array,
    is_device,
    reshape,
    to_device,
    transpose,
)
from convolith.tensor import Function, Node, Tensor

Shape = tuple[int, ...]


def binary(function: type[Function], a: Any, b: Any) -> Tensor:
    """``function(a, b)``; a Python number takes the dtype of the tensor beside it."""
    if not isinstance(a, Tensor):
        a = _operand(function, a, b)
    elif not isinstance(b, Tensor):
        b = _operand(function, b, a)
    return function.apply(a, b)


def _operand(function: type[Function], value: Any, like: Tensor) -> Array | float:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, Real) and has_kernels(like._array):
        return float(value)
    if isinstance(value, Integral) or (isinstance(value, Real) and like.dtype.kind == "f"):
        return np.asarray(value, like.dtype)
    raise TypeError(
        f"{function.__name__.lower()}: cannot combine a {like.dtype} tensor "
        f"with {type(value).__name__} {value!r}"
    )


# In place of kernels; gradients are the reference's.
_NUMPYS: dict[str, Callable[..., Any]] = {
    "add_forward": np.add,
    "subtract_forward": np.subtract,
    "multiply_forward": np.multiply,
    "divide_forward": np.divide,
    "power_forward": np.power,
    "sum_forward": lambda x, dim, keep: np.sum(x, None if dim == () else dim, keepdims=keep),
}


def _compute(name: str, *args: Any) -> Array:
    """What the primitive `name` gives, or NumPy where no kernel takes the arrays."""
    arrays = [x for x in args if is_array(x)]
    dtype = arrays[0].dtype
    numpys = getattr(reference, name) if dtype.kind == "f" else None
    numpys = _NUMPYS.get(name, numpys)
    if numpys is None or any(map(has_kernels, arrays)):
        y: Array = getattr(primitives, name)(*args)
        return y
    family = name.split("_")[0]
    if any(x.dtype != dtype for x in arrays):
        raise TypeError(f"{family}: a is {dtype} but b is {arrays[1].dtype}; cast one of them")
    try:
        y = np.asarray(numpys(*args))
    except ValueError as error:
        raise ValueError(f"{family}: {error}") from error
    return y.astype(dtype, copy=False) if dtype.kind == "f" else y


def _moved(x: Array, target: Any, non_blocking: bool = False) -> Array:
    return to_device(x, target, non_blocking) if is_device(target) else cast(x, target)


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


class Add(Function):
    @staticmethod
    def forward(ctx: Node, a: Array | float, b: Array | float) -> Array:
        ctx.save(np.shape(a), np.shape(b))
        return _compute("add_forward", a, b)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return tuple(
            _compute("add_backward", dy, shape) if need else None
            for shape, need in zip(ctx.saved, ctx.needs, strict=True)
        )


class Subtract(Function):
    @staticmethod
    def forward(ctx: Node, a: Array | float, b: Array | float) -> Array:
        ctx.save(np.shape(a), np.shape(b))
        return _compute("subtract_forward", a, b)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        a_shape, b_shape = ctx.saved
        return (
            _compute("add_backward", dy, a_shape) if ctx.needs[0] else None,
            _compute("subtract_backward_b", dy, b_shape) if ctx.needs[1] else None,
        )


class Multiply(Function):
    @staticmethod
    def forward(ctx: Node, a: Array | float, b: Array | float) -> Array:
        kept = (b if ctx.needs[0] else None, a if ctx.needs[1] else None)
        ctx.save(*kept, np.shape(a), np.shape(b))
        return _compute("multiply_forward", a, b)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        b, a, a_shape, b_shape = ctx.saved
        return (
            _compute("multiply_backward", dy, b, a_shape) if ctx.needs[0] else None,
            _compute("multiply_backward", dy, a, b_shape) if ctx.needs[1] else None,
        )


class Divide(Function):
    @staticmethod
    def forward(ctx: Node, a: Array | float, b: Array | float) -> Array:
        y = _compute("divide_forward", a, b)
        ctx.save(np.shape(a), b, y if ctx.needs[1] else None)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        a_shape, b, y = ctx.saved
        return (
            _compute("divide_backward_a", dy, b, a_shape) if ctx.needs[0] else None,
            _compute("divide_backward_b", dy, y, b) if ctx.needs[1] else None,
        )


class Power(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, exponent: float) -> Array:
        ctx.save(x, exponent)
        return _compute("power_forward", x, exponent)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return (_compute("power_backward", dy, *ctx.saved),)


class MatMul(Function):
    """``a @ b`` with a (..., I) and b (I, O): the primitive `linear` with w = b transposed."""

    @staticmethod
    def forward(ctx: Node, a: Array, b: Array) -> Array:
        w = transpose(b, 0, -1)
        ctx.save(a, w)
        y: Array = primitives.linear_forward(a, w)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        a, w = ctx.saved
        return (
            primitives.linear_backward_input(dy, w) if ctx.needs[0] else None,
            transpose(primitives.linear_backward_weight(dy, a), 0, 1) if ctx.needs[1] else None,
        )


class Sum(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, dim: int | Shape | None, keepdim: bool) -> Array:
        ctx.save(x.shape, dim, keepdim)
        return _compute("sum_forward", x, dim, keepdim)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return (_compute("sum_backward", dy, *ctx.saved),)


class Mean(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *, dim: int | Shape | None, keepdim: bool) -> Array:
        ctx.save(x.shape, dim, keepdim)
        return _compute("mean_forward", x, dim, keepdim)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return (_compute("mean_backward", dy, *ctx.saved),)


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
        return transpose(x, *dims)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return (transpose(dy, *ctx.saved),)
