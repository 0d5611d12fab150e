"""Values that are made from shapes or numbers, and their types."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from convolith.device import Array
from convolith.onnx.operators.table import Node, Value, bounded, ints, operator
from convolith.tensor import Tensor

# The CPU has no kernels for 16 bits: such floats become float32 wherever they enter.
FLOATS: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.FLOAT16: np.dtype(np.float32),
    TensorProto.BFLOAT16: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
}
INTEGERS: dict[int, np.dtype[Any]] = {
    TensorProto.BOOL: np.dtype(bool),
    TensorProto.INT8: np.dtype(np.int8),
    TensorProto.INT16: np.dtype(np.int16),
    TensorProto.INT32: np.dtype(np.int32),
    TensorProto.INT64: np.dtype(np.int64),
    TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.UINT16: np.dtype(np.uint16),
    TensorProto.UINT32: np.dtype(np.uint32),
    TensorProto.UINT64: np.dtype(np.uint64),
}


def type_name(kind: int) -> str:
    """ONNX's name of a type; 0 is none."""
    names: dict[int, str] = {value: name for name, value in TensorProto.DataType.items()}
    return names.get(kind, f"type {kind}")


def _unknown_type(node: Node) -> str | None:
    kind = node.get("to")
    return None if kind in FLOATS or kind in INTEGERS else f"to {type_name(kind)}"


@operator("Cast", refuses=_unknown_type)
def cast(node: Node, x: Value) -> Value:
    """Gradients flow from floats to floats."""
    kind = node.get("to")
    if kind in INTEGERS:
        return np.asarray(x).astype(INTEGERS[kind])
    return Tensor(x.astype(FLOATS[kind])) if isinstance(x, np.ndarray) else x.to(FLOATS[kind])


@operator("ConstantOfShape")
def constant_of_shape(node: Node, given: Array) -> Value:
    """Filled with one number, 0 of float32 if none is given."""
    value = node.get("value", np.zeros(1, np.float32))
    filled = np.full(bounded(ints(given)), value.item(), value.dtype)
    return Tensor(filled) if filled.dtype.kind == "f" else filled


@operator("Range")
def arange(node: Node, start: Value, limit: Value, step: Value) -> Value:
    """From `start`, to what lies before `limit`."""
    first, last, by = (np.asarray(v).item() for v in (start, limit, step))
    if by == 0:
        raise ValueError("the step is 0")
    bounded((max(int(np.ceil((last - first) / by)), 0),))
    values: Array = np.arange(first, last, by).astype(np.asarray(start).dtype)
    return values if isinstance(start, np.ndarray) else Tensor(values)


def _no_numbers(node: Node) -> str | None:
    return next((f"with {name}" for name in node.attributes if name not in _CONSTANTS), None)


_CONSTANTS: dict[str, Any] = {
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


@operator("Constant", refuses=_no_numbers)
def constant(node: Node) -> Value:
    """The one attribute that it has."""
    ((name, value),) = node.attributes.items()
    array = np.asarray(value, _CONSTANTS[name])
    return Tensor(array) if array.dtype.kind == "f" else array
