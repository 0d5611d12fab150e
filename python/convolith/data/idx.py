"""IDX files, the format of MNIST: two zero bytes, a type code, the rank, the sizes, the elements.

Everything is big-endian; the format is described on Yann LeCun's MNIST page.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """The array in an IDX file, gzipped or not.

    Parameters
    ----------
    path : path

    Returns
    -------
    array
        In native byte order.

    Raises
    ------
    ValueError
        If the file is no IDX file, truncated, corrupt, or longer than it says.
    OSError
        If it cannot be read.
    """
    raw = _read(Path(path))
    if len(raw) < 4 or raw[:2] != b"\0\0":
        raise ValueError(
            f"{path}: not an IDX file: it begins with {raw[:4]!r}, expected 2 zero bytes"
        )
    code, rank = raw[2], raw[3]
    if code not in _DTYPES:
        known = ", ".join(f"0x{known:02x}" for known in _DTYPES)
        raise ValueError(f"{path}: unknown IDX type code 0x{code:02x}, expected one of {known}")
    start = 4 + 4 * rank
    if len(raw) < start:
        raise ValueError(f"{path}: truncated: {len(raw)} bytes, expected {start} of header alone")
    shape = struct.unpack(f">{rank}I", raw[4:start])
    dtype = np.dtype(_DTYPES[code])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        fault = "truncated" if len(raw) < expected else "trailing bytes"
        raise ValueError(
            f"{path}: {fault}: {len(raw)} bytes, expected {expected} for shape {shape}"
        )
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def pack_idx(array: npt.NDArray[Any]) -> bytes:
    """The bytes of an IDX file that holds `array`: the inverse of `read_idx`."""
    dtype = array.dtype.newbyteorder(">")
    header = struct.pack(f">HBB{array.ndim}I", 0, _CODES[dtype], array.ndim, *array.shape)
    return header + array.astype(dtype).tobytes()


def _read(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: corrupt or truncated gzip file: {error}") from error
