"""Arithmetic, sums, products of matrices, and casts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from convolith import amp
from convolith import arithmetic as functions
from convolith.device import is_device
from convolith.nn.functional.linear import Linear
from convolith.onnx.export_graph import Graph, Value
from convolith.tensor import Function


def _binary(operator: str) -> Any:
    def write(g: Graph, a: Value | float, b: Value | float) -> str:
        dtype = next(x.dtype for x in (a, b) if isinstance(x, Value))
        operands = [x if isinstance(x, Value) else np.asarray(x, dtype) for x in (a, b)]
        return g.node(operator, *operands)

    return write


def power(g: Graph, x: Value, *, exponent: float) -> str:
    """``x ** exponent``."""
    return g.node("Pow", x, np.asarray(exponent, x.dtype))


def matmul(g: Graph, a: Value, b: Value) -> str:
    """``a @ b``."""
    return g.node("MatMul", a, b)


def linear(g: Graph, x: Value, w: Value, bias: Value | None) -> str:
    """``x @ w.T + bias``; of rank 2 a Gemm, which transposes by itself."""
    if len(x.shape) == 2:
        return g.node("Gemm", x, w, bias, transB=1)
    y = g.node("MatMul", x, g.node("Transpose", w, perm=[1, 0]))
    return y if bias is None else g.node("Add", y, bias)


def _reduction(operator: str) -> Any:
    def write(g: Graph, x: Value, *, dim: int | tuple[int, ...] | None, keepdim: bool) -> str:
        rank = len(x.shape)
        axes = [dim] if isinstance(dim, int) else list(dim or range(rank))
        return g.reduce(operator, x, [axis % rank for axis in axes], keepdim)

    return write


def to(g: Graph, x: Value, *, target: Any, non_blocking: bool) -> str:
    """Another dtype; a file knows no devices."""
    return x.name if is_device(target) else _cast(g, x, target)


def cast_before(g: Graph, x: Value, y: Value) -> str:
    """x in the dtype of y, which is x cast before."""
    return _cast(g, x, y.dtype)


def _cast(g: Graph, x: Value, dtype: Any) -> str:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return g.node("Cast", x, to=kind)


EXPORTERS: dict[type[Function], Any] = {
    functions.Add: _binary("Add"),
    functions.Subtract: _binary("Sub"),
    functions.Multiply: _binary("Mul"),
    functions.Divide: _binary("Div"),
    functions.Power: power,
    functions.MatMul: matmul,
    functions.Sum: _reduction("ReduceSum"),
    functions.Mean: _reduction("ReduceMean"),
    functions.To: to,
    amp.CastBefore: cast_before,
    Linear: linear,
}
