"""PyTorch checkpoints before version 1.6, pickles in a row, and before 0.2, a tar archive."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from convolith import _pickles
from convolith.weights.tensors import DType, Part, Storage, Tensor
from convolith.weights.torch_names import torch_names
from convolith.weights.torch_zip import storage_id
from convolith.weights.tree import named_arrays

Arrays = dict[str, npt.NDArray[Any]]
Read = Callable[[], npt.NDArray[np.uint8]]
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
WHOLE_MODULE = "it is a whole module, which needs code to be run; save its state_dict() instead"


def read_pickles(file: BinaryIO) -> Arrays:
    """The weights in a file of pickles.

    Notes
    -----
    In a row: the magic number, the protocol's, what is known of the machine, the object, the keys
    of the storages, and for each key, in this order, its storage: the count as 8 bytes, the
    numbers. A persistent id is as in a zip archive, with one entry more: (key, offset, count) where
    the storage is a part of another one.
    """
    stream = io.BytesIO(file.read())
    storages: dict[str, Storage] = {}
    raw: dict[str, Read] = {}

    def reference(identity: Any) -> Storage:
        if identity[0] == "module":
            raise ValueError(WHOLE_MODULE)
        dtype, key, count = storage_id(identity)
        if key not in storages:
            storages[key] = Storage(dtype, count, lambda: raw[key]())
        return storages[key] if identity[5] is None else Part(storages[key], *identity[5][1:])

    if _pickles.load(stream, {}) != MAGIC or _pickles.load(stream, {}) != PROTOCOL:
        raise ValueError("it is a pickle, but does not begin with PyTorch's numbers")
    _pickles.load(stream, torch_names())  # what is known of the machine
    tree = _pickles.load(stream, torch_names(), reference)
    for key in _pickles.load(stream, {}):
        _, raw[key] = _numbers(stream, storages[key].dtype)
    return named_arrays(tree)


def read_tar(file: BinaryIO) -> Arrays:
    """The weights in a tar archive.

    Notes
    -----
    Of its members, ``storages`` is a count, and for each storage the pickle (key, device, class)
    and what it is in a file of pickles; then a list of those that are parts of others: (key, key of
    the whole, offset, count). ``tensors`` is a count, and for each tensor the pickle (key, key of
    the storage, class), the number of dimensions, shape, strides and offset, 8 bytes each.
    ``pickle`` is the object, in which the persistent id of a tensor is its key.
    """
    raw = file.read()
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
        storages = _storages(_member(archive, "storages", len(raw)))
        tensors = _tensors(_member(archive, "tensors", len(raw)), storages)
        program = _member(archive, "pickle", len(raw))

    def reference(identity: Any) -> Tensor:
        if type(identity) is tuple:
            raise ValueError(WHOLE_MODULE)
        return tensors[int(identity)]

    return named_arrays(_pickles.load(program, torch_names(), reference))


def _member(archive: tarfile.TarFile, name: str, limit: int) -> io.BytesIO:
    info = archive.getmember(name)
    member = archive.extractfile(info)
    if member is None or info.issparse() or info.size > limit:
        raise ValueError(f"its member {name} is no plain file")
    return io.BytesIO(member.read())


def _storages(stream: io.BytesIO) -> dict[int, Storage]:
    storages: dict[int, Storage] = {}
    for _ in range(_pickles.load(stream, {})):
        key, _, dtype = _pickles.load(stream, torch_names())
        storages[key] = Storage(dtype, *_numbers(stream, dtype))
    for key, whole, offset, count in _pickles.load(stream, {}):
        storages[key] = Part(storages[whole], offset, count)
    return storages


def _tensors(stream: io.BytesIO, storages: dict[int, Storage]) -> dict[int, Tensor]:
    tensors: dict[int, Tensor] = {}
    for _ in range(_pickles.load(stream, {})):
        key, storage, _ = _pickles.load(stream, torch_names())
        ndim, _ = struct.unpack("<ii", stream.read(8))
        numbers = struct.unpack(f"<{2 * ndim + 1}q", stream.read(8 * (2 * ndim + 1)))
        tensors[key] = Tensor(
            storages[storage], numbers[-1], numbers[:ndim], numbers[ndim : 2 * ndim]
        )
    return tensors


def _numbers(stream: io.BytesIO, dtype: DType) -> tuple[int, Read]:
    """Count of the numbers that come next in `stream`, and what reads them; it goes on behind."""
    (count,) = struct.unpack("<q", stream.read(8))
    start, size = stream.tell(), count * dtype.itemsize
    if count < 0 or stream.seek(0, io.SEEK_END) < start + size:
        raise EOFError(f"it is truncated in a storage of {count} numbers")
    stream.seek(start + size)

    def read() -> npt.NDArray[np.uint8]:
        stream.seek(start)
        return np.frombuffer(bytearray(stream.read(size)), np.uint8)

    return count, read
