"""PyTorch checkpoints since version 1.6: a zip archive of a pickle and storages."""

from __future__ import annotations

import io
import zipfile
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from convolith import _pickles
from convolith.weights.tensors import DType, Order, Storage
from convolith.weights.torch_names import torch_names
from convolith.weights.tree import named_arrays

Arrays = dict[str, npt.NDArray[Any]]


def read_zip(file: BinaryIO) -> Arrays:
    """The weights in such an archive.

    Notes
    -----
    ``NAME/data.pkl`` is the pickle, in which a storage is the persistent id ('storage', dtype, key,
    device, count); its bytes are ``NAME/data/KEY``, in the order that ``NAME/byteorder`` names.
    Members are stored, not compressed, so that all of them together are no larger than the file.
    """
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        folder = _folder(members)
        _check_stored(members, file)
        named = f"{folder}byteorder"
        order: Order = ">" if named in members and archive.read(named).strip() == b"big" else "<"
        storages: dict[str, Storage] = {}

        def reference(identity: Any) -> Storage:
            dtype, key, count = storage_id(identity)
            if key not in storages:
                name = f"{folder}data/{key}"
                storages[key] = Storage(dtype, count, lambda: _bytes(archive, members[name]), order)
            return storages[key]

        program = io.BytesIO(archive.read(f"{folder}data.pkl"))
        return named_arrays(_pickles.load(program, torch_names(), reference))


def storage_id(identity: Any) -> tuple[DType, str, int]:
    """Dtype, key and count of a storage, from its persistent id."""
    kind, dtype, key, _, count = identity[:5]
    if kind != "storage" or type(dtype) is not DType or type(key) is not str or len(key) > 100:
        raise ValueError("it refers to something that is no storage")
    return dtype, key, count


def _check_stored(members: dict[str, zipfile.ZipInfo], file: BinaryIO) -> None:
    for name, info in members.items():
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ValueError(f"its member {name[:100]} is compressed, which PyTorch's are not")
    if sum(info.file_size for info in members.values()) > file.seek(0, io.SEEK_END):
        raise ValueError("its members are larger than the file")


def _folder(members: dict[str, zipfile.ZipInfo]) -> str:
    """With a slash at its end."""
    folders = [name[: -len("data.pkl")] for name in members if name.endswith("/data.pkl")]
    if len(folders) != 1:
        raise ValueError("it is a zip archive, but holds no data.pkl of PyTorch")
    if f"{folders[0]}constants.pkl" in members:
        raise ValueError("it is a TorchScript archive, which holds code; save the state_dict()")
    return folders[0]


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> npt.NDArray[np.uint8]:
    raw = np.empty(info.file_size, np.uint8)
    with archive.open(info) as member:
        if member.readinto(raw.data) != raw.size:  # type: ignore[attr-defined]
            raise EOFError(f"its member {info.filename[:100]} is truncated")
    return raw
