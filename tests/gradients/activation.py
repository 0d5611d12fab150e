"""Activations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from numpy.random import Generator

from cases.activation import ACTIVATIONS
from convolith import reference
from gradients.table import CHECKS, Array, Check, checks


def elementwise(name: str, options: list[dict[str, Any]], kept: str) -> None:
    """Activations; no random value is within a step of where one has a corner."""

    def function(p: Any, rng: Generator) -> Iterator[Check]:
        forward, backward = getattr(p, f"{name}_forward"), getattr(p, f"{name}_backward")
        x = 3 * rng.standard_normal((5, 7))
        for o in options:
            saved = x if kept == "x" else forward(x, **o)
            yield (
                lambda x, o=o: forward(x, **o),
                x,
                lambda dy, o=o, saved=saved: backward(dy, saved, **o),
            )

    CHECKS[f"{name}_backward"] = function


for _name, _options in ACTIVATIONS.items():
    _kept = list(inspect.signature(getattr(reference, f"{_name}_backward")).parameters)[1]
    elementwise(_name, _options, _kept)


@checks
def prelu_backward(p: Any, rng: Generator) -> Iterator[Check]:
    for shape, slopes in (((3, 7), 1), ((3, 7), 7), ((2, 3, 4), 3)):
        x, w = rng.standard_normal(shape), rng.standard_normal(slopes)

        def backward(i: int, x: Array = x, w: Array = w) -> Callable[[Array], Array]:
            return lambda dy: p.prelu_backward(dy, x, w)[i]

        yield lambda x, w=w: p.prelu_forward(x, w), x, backward(0)
        yield lambda w, x=x: p.prelu_forward(x, w), w, backward(1)


@checks
def maxout_backward(p: Any, rng: Generator) -> Iterator[Check]:
    for shape, pieces in (((3, 6), 2), ((2, 6, 5), 3)):
        x = rng.standard_normal(shape)
        yield (
            lambda x, n=pieces: p.maxout_forward(x, n),
            x,
            lambda dy, x=x, n=pieces: p.maxout_backward(dy, x, n),
        )
