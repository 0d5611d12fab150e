"""Pickles of plain data, read without executing anything.

A pickle is a program that may call whatever it names. Here it meets stand-ins alone: for the three
names of NumPy that an array is made of, and for the way Python 2 spells bytes. Any other name is
refused, and NumPy itself is not called before the pickle has ended.
"""

from __future__ import annotations

import io
import os
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt


class _DType:
    """What a pickle says of a dtype."""

    def __init__(self, name: str | bytes, *flags: object) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else name
        self.order = "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else order

    def built(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.name).newbyteorder(self.order)  # type: ignore[arg-type]
        return dtype


class _Array:
    """What a pickle says of an array."""

    shape: tuple[int, ...] = ()
    dtype: _DType
    fortran = False
    raw = b""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.dtype, self.fortran, self.raw = state

    def built(self) -> npt.NDArray[Any]:
        dtype = self.dtype.built()
        if dtype.hasobject or not isinstance(self.raw, bytes):
            raise pickle.UnpicklingError("an array of objects")
        flat = np.frombuffer(self.raw, dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def _reconstruct(*arguments: object) -> _Array:
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"text encoded as {encoding}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no plain data")
        return _ALLOWED[module, name]


def read_pickle(raw: bytes, path: str | os.PathLike[str]) -> Any:
    """What is pickled in `raw`: dicts, lists, numbers, bytes, and arrays of numbers.

    Parameters
    ----------
    raw : bytes
    path : path
        Where they came from, for errors.

    Returns
    -------
    object
        Strings of Python 2 are bytes.

    Raises
    ------
    ValueError
        If it is no pickle, or one that names anything else.
    """
    try:
        return _built(_Unpickler(io.BytesIO(raw), encoding="bytes").load())
    except Exception as error:  # a broken pickle raises nearly anything
        raise ValueError(f"{path}: not read as a pickle of plain data: {error}") from error


def _built(value: Any) -> Any:
    if isinstance(value, (_Array, _DType)):
        return value.built()
    if isinstance(value, dict):
        return {_built(k): _built(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_built, value))
    return value
