"""Arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.random import Generator

from gradients.table import CHECKS, Array, Check, checks

BROADCAST = (((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (3, 1)), ((4,), (2, 1, 4)), ((3, 1), (1, 4)))


def operands(rng: Generator) -> Iterator[tuple[Array, Array]]:
    """Pairs that broadcast, far from 0."""
    for a, b in BROADCAST:
        yield rng.uniform(0.5, 2, a), rng.uniform(-2, -0.5, b)


@checks
def add_backward(p: Any, rng: Generator) -> Iterator[Check]:
    for a, b in operands(rng):
        yield lambda a, b=b: p.add_forward(a, b), a, lambda dy, s=a.shape: p.add_backward(dy, s)
        yield lambda b, a=a: p.add_forward(a, b), b, lambda dy, s=b.shape: p.add_backward(dy, s)
        yield (
            lambda a, b=b: p.subtract_forward(a, b),
            a,
            lambda dy, s=a.shape: p.add_backward(dy, s),
        )


@checks
def subtract_backward_b(p: Any, rng: Generator) -> Iterator[Check]:
    for a, b in operands(rng):
        yield (
            lambda b, a=a: p.subtract_forward(a, b),
            b,
            lambda dy, s=b.shape: p.subtract_backward_b(dy, s),
        )


@checks
def multiply_backward(p: Any, rng: Generator) -> Iterator[Check]:
    for a, b in (*operands(rng), (rng.standard_normal(3), -1.5)):
        yield (
            lambda a, b=b: p.multiply_forward(a, b),
            a,
            lambda dy, b=b, s=a.shape: p.multiply_backward(dy, b, s),
        )
    for a, b in operands(rng):
        yield (
            lambda b, a=a: p.multiply_forward(a, b),
            b,
            lambda dy, a=a, s=b.shape: p.multiply_backward(dy, a, s),
        )


@checks
def divide_backward_a(p: Any, rng: Generator) -> Iterator[Check]:
    for a, b in (*operands(rng), (rng.standard_normal(3), -1.5)):
        yield (
            lambda a, b=b: p.divide_forward(a, b),
            a,
            lambda dy, b=b, s=a.shape: p.divide_backward_a(dy, b, s),
        )


@checks
def divide_backward_b(p: Any, rng: Generator) -> Iterator[Check]:
    for a, b in operands(rng):
        yield (
            lambda b, a=a: p.divide_forward(a, b),
            b,
            lambda dy, a=a, b=b: p.divide_backward_b(dy, p.divide_forward(a, b), b),
        )


@checks
def power_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.uniform(0.5, 2, (3, 5))
    for exponent in (-2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, 0.75):
        yield (
            lambda x, e=exponent: p.power_forward(x, e),
            x,
            lambda dy, e=exponent: p.power_backward(dy, x, e),
        )


def sum_like(kind: str) -> None:
    def function(p: Any, rng: Generator) -> Iterator[Check]:
        forward, backward = getattr(p, f"{kind}_forward"), getattr(p, f"{kind}_backward")
        x = rng.standard_normal((2, 3, 4))
        for options in ((), (1,), ((0, 2),), (-1, True), (None, True)):
            yield (
                lambda x, o=options: forward(x, *o),
                x,
                lambda dy, o=options: backward(dy, x.shape, *o),
            )

    CHECKS[f"{kind}_backward"] = function


sum_like("sum")
sum_like("mean")
