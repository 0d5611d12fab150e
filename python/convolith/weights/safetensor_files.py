"""safetensors files: a JSON header and the bytes of each array."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from convolith import nn
from convolith.tensor import Tensor
from convolith.train.files import write_atomically
from convolith.weights import bfloat16

Arrays = dict[str, npt.NDArray[Any]]

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # until it becomes float32
    "C64": "<c8",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(file: BinaryIO) -> Arrays:
    """The arrays in such a file, in the order of its header; bfloat16 becomes float32."""
    from safetensors import SafetensorError, deserialize

    raw = file.read()
    try:
        entries = dict(deserialize(raw))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return {name: _array(name, entries[name]) for name in header if name in entries}


def _array(name: str, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    dtype = entry["dtype"]
    if dtype not in DTYPES:
        raise ValueError(f"{name} is {dtype}, which NumPy does not have")
    array = np.frombuffer(entry["data"], DTYPES[dtype]).reshape(entry["shape"])
    return bfloat16.to_float32(array) if dtype == "BF16" else array


def save_weights(
    model_or_state: nn.Module | Mapping[str, Tensor | npt.NDArray[Any]],
    path: str | os.PathLike[str],
    *,
    dtype: Literal["float32", "float16", "bfloat16"] | None = None,
) -> None:
    """Write weights as safetensors, which PyTorch and others read, too.

    Parameters
    ----------
    model_or_state : Module, or mapping of str to Tensor or array
        Of a module its `state_dict`.
    path : path
        Whatever stood there stays whole until the new file is.
    dtype : {'float32', 'float16', 'bfloat16'}, optional
        Of floating values in the file, each rounded to the nearest; as they are by default. The
        halves take half the space of float32, and `read_weights` gives bfloat16 back as float32.

    Raises
    ------
    ValueError
        If `dtype` is none of these.
    TypeError
        If an array is of a dtype that safetensors does not have.
    OSError
        If it cannot be written.
    """
    if dtype not in (None, "float32", "float16", "bfloat16"):
        raise ValueError(f"save_weights: dtype is {dtype!r}, expected float32, float16 or bfloat16")
    state = model_or_state.state_dict() if isinstance(model_or_state, nn.Module) else model_or_state
    arrays = {name: _values(value, dtype) for name, value in state.items()}
    write_atomically(path, _packed(arrays))


def _values(value: Any, dtype: str | None) -> tuple[str, npt.NDArray[Any]]:
    """The name of the dtype in the file, and the numbers as they stand there."""
    array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
    if dtype == "bfloat16" and array.dtype.kind == "f":
        return "BF16", bfloat16.from_float32(array)
    if dtype and array.dtype.kind == "f":
        array = array.astype(dtype)
    array = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    for known, numpy_name in DTYPES.items():
        if known != "BF16" and array.dtype == np.dtype(numpy_name):
            return known, array
    raise TypeError(f"save_weights: safetensors has no {array.dtype}")


def _packed(arrays: Mapping[str, tuple[str, npt.NDArray[Any]]]) -> bytes:
    """Length of the header in 8 bytes, header, arrays: wide ones first, so that all are aligned."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    parts, end = [], 0
    for name, (dtype, array) in sorted(arrays.items(), key=lambda item: -item[1][1].itemsize):
        start, end = end, end + array.nbytes
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, end]}
        parts.append(array.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *parts])
