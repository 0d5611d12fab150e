"""Pickles of arrays of numbers, read without executing anything."""

from __future__ import annotations

import io
import os
from typing import Any

from convolith import _pickles


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
        value = _pickles.load(io.BytesIO(raw), _pickles.numpy_names(), strings="bytes")
        return _built(value, {})
    except Exception as error:  # a broken pickle raises nearly anything
        raise ValueError(f"{path}: not read as a pickle of plain data: {error}") from error


def _built(value: Any, done: dict[int, Any]) -> Any:
    """`value` with arrays in the place of notes; what comes twice in it is built once."""
    if isinstance(value, (_pickles.Array, _pickles.DType)):
        return value.built()
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {key: _built(item, done) for key, item in value.items()}
        else:
            done[id(value)] = type(value)([_built(item, done) for item in value])
    return done[id(value)]
