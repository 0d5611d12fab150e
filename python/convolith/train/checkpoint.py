"""Checkpoints: safetensors files with everything that is not a tensor as JSON in the metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.train.files import write_atomically

_KEY = "convolith"
_FORMAT = 1

Arrays = dict[str, npt.NDArray[Any]]


def save_checkpoint(path: str | os.PathLike[str], arrays: Arrays, info: dict[str, Any]) -> None:
    """Write a checkpoint; whatever stood at `path` stays whole until the new one is.

    Parameters
    ----------
    path : path
    arrays : dict of str to array
    info : dict
        Anything that JSON can hold.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    from safetensors.numpy import save

    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_atomically(path, save(whole, {_KEY: json.dumps({"format": _FORMAT, **info})}))


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Parameters
    ----------
    path : path

    Returns
    -------
    arrays, info : dict, dict

    Raises
    ------
    ValueError
        If the file is truncated, no safetensors file, not from convolith, or of another format.
    OSError
        If it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    with Path(path).open("rb"):
        pass  # a missing or unreadable file is an OSError, not a corrupt one
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: no whole safetensors file: {error}") from error
    try:
        info = json.loads(metadata[_KEY])
        number = info["format"]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: a safetensors file, but no checkpoint of convolith") from error
    if number != _FORMAT:
        raise ValueError(f"{path}: checkpoint format {number}, and this version reads {_FORMAT}")
    return arrays, info
