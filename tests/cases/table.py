"""What a case is, and how arrays are filled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Build = Callable[[Generator, DTypeLike], Arguments]


@dataclass(frozen=True)
class Case:
    name: str
    build: Build
    length: int = 1  # terms that add up to one output
    in_place: tuple[str, ...] = ()  # arguments that are updated
    exact: bool = False  # the result must equal the reference's, rounded
    algo: str = "auto"  # the one asked for by name, which not every backend has
    halves: bool = True  # whether that one takes float16 and bfloat16
    floats: bool = True  # and float32
    devices: bool = True  # whether they have a kernel, and not the CPU alone


CASES: dict[str, list[Case]] = {}


def case(primitive: str, name: str, build: Build, length: int = 1, **flags: Any) -> None:
    CASES.setdefault(primitive, []).append(Case(name, build, length, **flags))


def normal(
    rng: Generator, shape: Iterable[int], dtype: DTypeLike, scale: float = 1.0
) -> np.ndarray:
    return np.asarray(scale * rng.standard_normal(tuple(shape))).astype(dtype)


def integers(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    """So small that sums of their products are exact in float32."""
    return np.asarray(rng.integers(-4, 5, tuple(shape))).astype(dtype)


def few_values(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    """Ties in nearly every window, zeros of both signs among them."""
    return np.asarray(rng.choice([-1.0, -0.0, 0.0, 1.0], tuple(shape))).astype(dtype)


def with_nan(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    x = normal(rng, shape, dtype)
    x[rng.random(x.shape) < 0.15] = np.nan
    return x


def with_infinities(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    """Whole windows of -inf or +inf, which must not be taken for padding."""
    x = np.full(tuple(shape), -np.inf, dtype=dtype)
    x[:, 1:] = np.inf
    x[rng.random(x.shape) < 0.1] = 1.0
    return x


def specials(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    """Zeros of both signs, infinities, NaN, huge and tiny numbers, each in several lanes."""
    tiny, huge = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max) / 4
    values = [0.0, -0.0, np.inf, -np.inf, np.nan, tiny, -tiny, huge, -huge, 90.0, -90.0, 1e-4, 1.0]
    return np.resize(np.asarray(values, dtype=dtype), tuple(shape))


def masked(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    """Logits of -inf (probability 0), a row of nothing else, one of NaN, one of +inf (all NaN)."""
    x = normal(rng, shape, dtype)
    x[:, ::3] = -np.inf
    x[1], x[2, 1], x[3, 1] = -np.inf, np.nan, np.inf
    return x
