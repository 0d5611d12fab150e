"""Shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.random import Generator

from gradients.table import Check, checks


@checks
def flatten_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 3, 4))
    yield p.flatten_forward, x, lambda dy: p.flatten_backward(dy, x.shape)


@checks
def concat_backward(p: Any, rng: Generator) -> Iterator[Check]:
    a, b = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 1, 4))
    yield lambda a: p.concat_forward([a, b]), a, lambda dy: p.concat_backward(dy, [3, 1])[0]
    yield lambda b: p.concat_forward([a, b]), b, lambda dy: p.concat_backward(dy, [3, 1])[1]
