"""bfloat16 in NumPy, which has no such dtype: the upper half of a float32, as uint16."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def to_float32(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """The values, exactly."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def from_float32(array: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """The nearest bfloat16 of each value, halves to even; NaN stays NaN."""
    values = np.ascontiguousarray(array, np.float32)
    bits = values.view(np.uint32).astype(np.uint64)
    bits += 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))
    return np.where(np.isnan(values), 0x7FC0, bits >> np.uint64(16)).astype(np.uint16)
