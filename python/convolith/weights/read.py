"""Weights from a file of any known format, told by its first bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from tarfile import TarError
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy.typing as npt

from convolith._pickles import NameRefused
from convolith.weights.safetensor_files import read_safetensors
from convolith.weights.torch_legacy import read_pickles, read_tar
from convolith.weights.torch_zip import read_zip
from convolith.weights.tree import without_prefix

Arrays = dict[str, npt.NDArray[Any]]


def read_weights(path: str | os.PathLike[str]) -> Arrays:
    """The arrays in a file of weights, by name; neither PyTorch is needed nor anything executed.

    Parameters
    ----------
    path : path
        safetensors; or a checkpoint of any version of PyTorch that holds a state dict, or a dict
        with one under ``state_dict``, ``model`` or another usual key. The format is told by the
        content, not by the name.

    Returns
    -------
    dict of str to array
        bfloat16 as float32, other dtypes as they are. Arrays that were views of one tensor share
        memory. A prefix that all names have from DataParallel (``module.``) or ``torch.compile``
        (``_orig_mod.``) is taken off.

    Raises
    ------
    ValueError
        Naming the file and what is wrong: it is of another format, truncated, lies about its sizes,
        or its pickle names anything but tensors and plain data.
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        read = _reader(file, path)
        try:
            return without_prefix(read(file))
        except NameRefused as error:
            raise ValueError(
                f"{path}: not read, nothing of it was executed: {error}{_advice(error.name)}"
            ) from error
        except Exception as error:  # a broken file raises nearly anything
            raise ValueError(f"{path}: not read: {_said(error)}") from error


def _said(error: Exception) -> str:
    if isinstance(error, (ValueError, EOFError, UnpicklingError, BadZipFile, TarError)):
        return str(error)[:300]
    return f"broken or truncated ({type(error).__name__})"


def _advice(name: str) -> str:
    if name.startswith(("torch._utils.", "torch.float8")):  # tensors, but sparse, quantized, ...
        return "; save dense tensors of a dtype that NumPy has"
    return "; if it is a whole module that was saved, save its state_dict() instead"


def _reader(file: BinaryIO, path: str | os.PathLike[str]) -> Callable[[BinaryIO], Arrays]:
    """What reads the format that the file begins as."""
    start = file.read(512)
    file.seek(0, io.SEEK_SET)
    if start[8:9] == b"{":  # first: the length before it may begin as any of the others
        return read_safetensors
    if start.startswith(b"PK\x03\x04"):
        return read_zip
    if start.startswith(b"\x80"):
        return read_pickles
    if start[257:262] == b"ustar":
        return read_tar
    if start.startswith(b"\x89HDF"):
        raise ValueError(f"{path}: an HDF5 file; read_keras reads those that Keras wrote")
    raise ValueError(f"{path}: neither safetensors nor a checkpoint of PyTorch")
