"""What a row of invalid input is, and what arrays it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

F32, F64, I64 = np.float32, np.float64, np.int64


def a(*shape: int, dtype: Any = F32) -> np.ndarray:
    return np.ones(shape, dtype=dtype)


def labels(*values: Any) -> np.ndarray:
    return np.array(values, dtype=I64)


def read_only(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


def nan(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, dtype=F32)


@dataclass(frozen=True)
class Invalid:
    primitive: str
    name: str
    build: Callable[[], tuple[Any, ...]]  # positional arguments; a dict at the end is keywords
    error: type[Exception]
    words: tuple[str, ...]


INVALID: list[Invalid] = []
X = (2, 3, 8, 9)
NAN = float("nan")


def invalid(
    primitive: str, name: str, build: Callable[[], Any], error: type[Exception], *words: str
) -> None:
    INVALID.append(Invalid(primitive, name, build, error, words))


def values(primitive: str, rows: dict[str, tuple[Any, ...]]) -> None:
    for name, (build, *words) in rows.items():
        invalid(primitive, name, build, ValueError, *words)


def types(primitive: str, rows: dict[str, tuple[Any, ...]]) -> None:
    for name, (build, *words) in rows.items():
        invalid(primitive, name, build, TypeError, *words)
