"""Dropout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.random import Generator

from gradients.table import Check, checks


@checks
def dropout_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 7))
    for o in ({"p": 0.3, "seed": 5}, {"p": 0.0}, {"p": 1.0}):
        yield (
            lambda x, o=o: p.dropout_forward(x, **o),
            x,
            lambda dy, o=o: p.dropout_backward(dy, **o),
        )


@checks
def alpha_dropout_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 7))
    for o in ({"p": 0.3, "seed": 5}, {"p": 0.0}, {"p": 1.0}):
        yield (
            lambda x, o=o: p.alpha_dropout_forward(x, **o),
            x,
            lambda dy, o=o: p.alpha_dropout_backward(dy, **o),
        )


@checks
def dropout_slices_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 4, 5))
    for axes in (0, 1, 2):
        yield (
            lambda x, a=axes: p.dropout_slices_forward(x, 0.4, a, seed=5),
            x,
            lambda dy, a=axes: p.dropout_slices_backward(dy, 0.4, a, seed=5),
        )
