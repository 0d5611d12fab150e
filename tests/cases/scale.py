"""Scaling of losses and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.elementwise import ELEMENTWISE
from cases.table import case, normal, specials, with_nan

# Every element-wise shape; what is not finite first, last and anywhere.
SCALED: dict[str, Any] = {
    **{
        name: lambda rng, dtype, s=shape: normal(rng, s, dtype)
        for name, shape in ELEMENTWISE.items()
    },
    "specials": lambda rng, dtype: specials(rng, (29,), dtype),
    "nan": lambda rng, dtype: with_nan(rng, (3, 70), dtype),
    "inf_first": lambda rng, dtype: one_infinite(rng, 1003, 0, dtype),
    "inf_last": lambda rng, dtype: one_infinite(rng, 1003, -1, dtype),
    "inf_in_a_later_block": lambda rng, dtype: one_infinite(rng, 40000, 33333, dtype),
}


def one_infinite(rng: Generator, n: int, at: int, dtype: DTypeLike) -> np.ndarray:
    x = normal(rng, (n,), dtype)
    x[at] = -np.inf
    return x


for _name, _values in SCALED.items():
    case(
        "scale_forward",
        _name,
        lambda rng, dtype, v=_values: (
            (v(rng, dtype), np.asarray(0.3, dtype), np.zeros((), dtype)),
            {},
        ),
        in_place=("found_inf",),
    )
case(
    "scale_forward",
    "alone",
    lambda rng, dtype: ((normal(rng, (17, 59), dtype), np.asarray(2.0**10, dtype)), {}),
)
case(
    "scale_forward",
    "found_before",
    lambda rng, dtype: (
        (normal(rng, (5,), dtype), np.asarray(2.0, dtype), np.ones((), dtype)),
        {},
    ),
    in_place=("found_inf",),
)
