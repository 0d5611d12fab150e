"""Tensors in a PyTorch checkpoint: views of storages, which are read when they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convolith._pickles import Note
from convolith.weights import bfloat16

Flat = npt.NDArray[Any]
Order = Literal["<", ">"]

# Elements that a tensor may have beyond those of its storage, by strides of 0: an expanded constant
# is honest, a terabyte behind four bytes is not.
REPEATED = 1 << 20
MOST_DIMENSIONS = 32  # that every version of NumPy has

DTYPES = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": np.uint16,  # until it becomes float32
    "complex128": np.complex128,
    "complex64": np.complex64,
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint64": np.uint64,
    "uint32": np.uint32,
    "uint16": np.uint16,
    "uint8": np.uint8,
    "bool": np.uint8,  # until it becomes bool
}


class DType(Note):
    """A dtype of PyTorch, or the class of storages of that dtype.

    Parameters
    ----------
    name : str
        A key of `DTYPES`, or empty: bytes that tensors of several dtypes may share.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name

    @property
    def itemsize(self) -> int:
        """Bytes of a number in the file."""
        return np.dtype(DTYPES[self.name]).itemsize if self.name else 1


class Storage(Note):
    """A run of numbers.

    Parameters
    ----------
    dtype : DType
    count : int
        Of numbers.
    read : callable
        Returns the bytes, (n,) uint8 in memory that nobody else has.
    order : {'<', '>'}
        Whether the machine that wrote them was little- or big-endian.
    """

    def __init__(
        self, dtype: DType, count: int, read: Callable[[], Flat], order: Order = "<"
    ) -> None:
        self.dtype = dtype
        self.count = _natural(count, "a storage's size")
        self.read = read
        self.order = order
        self.done: dict[str, Flat] = {}

    def flat(self, dtype: str) -> Flat:
        """The numbers, (count,), the same array at every call with the same dtype."""
        if dtype not in self.done:
            self.done[dtype] = self._numbers(dtype)
        return self.done[dtype]

    def _numbers(self, dtype: str) -> Flat:
        kind = np.dtype(DTYPES[dtype])
        size = self.count * self.dtype.itemsize
        raw = self.read()
        if raw.size < size:
            raise ValueError(f"a storage of {size} bytes has only {raw.size}")
        whole = raw[: size // kind.itemsize * kind.itemsize]
        numbers: Flat = whole.view(kind.newbyteorder(self.order)).astype(kind, copy=False)
        if dtype == "bfloat16":
            return bfloat16.to_float32(numbers)
        return numbers != 0 if dtype == "bool" else numbers


class Part(Storage):
    """`count` numbers of the storage `whole`, from number `offset` on."""

    def __init__(self, whole: Storage, offset: int, count: int) -> None:
        super().__init__(whole.dtype, count, whole.read, whole.order)
        self.whole = whole
        self.offset = _natural(offset, "an offset")

    def flat(self, dtype: str) -> Flat:
        """A view."""
        return self.whole.flat(dtype)[self.offset : self.offset + self.count]


class Tensor(Note):
    """A view of a storage.

    Parameters
    ----------
    storage : Storage
    offset : int
    shape, strides : tuple of int
        In elements.
    dtype : DType, optional
        That of the storage, unless it is one of bytes.
    """

    def __init__(
        self,
        storage: Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        dtype: DType | None = None,
    ) -> None:
        dtype = dtype or getattr(storage, "dtype", None)
        if not isinstance(storage, Storage) or type(dtype) is not DType or not dtype.name:
            raise ValueError("a tensor without a storage or a dtype")
        if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
            raise ValueError("a tensor whose shape and strides do not agree")
        if len(shape) > MOST_DIMENSIONS:
            raise ValueError(f"a tensor of {len(shape)} dimensions")
        self.storage = storage
        self.offset = _natural(offset, "an offset")
        self.shape = tuple([_natural(n, "a size") for n in shape])
        self.strides = tuple([_natural(n, "a stride") for n in strides])
        self.dtype = dtype

    def built(self) -> Flat:
        """The array; those of one storage share its memory."""
        flat = self.storage.flat(self.dtype.name)
        elements = 1
        last = self.offset
        for n, stride in zip(self.shape, self.strides, strict=True):
            elements *= n
            last += (n - 1) * stride
        if not elements:
            return np.empty(self.shape, flat.dtype)
        if last >= flat.size:
            raise ValueError(f"a tensor {self.shape} reaches out of its storage")
        if elements > flat.size + REPEATED:
            raise ValueError(f"a tensor {self.shape} repeats {flat.size} numbers")
        strides = [flat.itemsize * stride for stride in self.strides]
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides)


def _natural(value: Any, what: str) -> int:
    if type(value) is not int or value < 0:
        said = value if type(value) is int else f"a {type(value).__name__}"
        raise ValueError(f"{what} is {said}")
    return value
