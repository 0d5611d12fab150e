"""Convolution and linear maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.random import Generator

from gradients.table import Array, Check, checks

CONV2D_OPTIONS: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": (1, 0, 0, 2), "groups": 2},
    {"padding": "same", "stride": 2, "dilation": 2},
    {"padding": 2, "padding_mode": "reflect"},
    {"padding": (3, 1), "padding_mode": "replicate", "stride": (1, 2)},
    {"padding": (2, 1, 0, 3), "padding_mode": "circular"},
]


def conv2d_problems(rng: Generator) -> Iterator[tuple[Array, Array, Array, dict[str, Any]]]:
    for options in CONV2D_OPTIONS:
        groups = options.get("groups", 1)
        w = rng.standard_normal((4, 2 // groups, 3, 2))
        yield rng.standard_normal((2, 2, 5, 6)), w, rng.standard_normal(4), options


@checks
def conv2d_backward_input(p: Any, rng: Generator) -> Iterator[Check]:
    for x, w, _, o in conv2d_problems(rng):
        yield (
            lambda x, w=w, o=o: p.conv2d_forward(x, w, **o),
            x,
            lambda dy, x=x, w=w, o=o: p.conv2d_backward_input(dy, w, x.shape, **o),
        )


@checks
def conv2d_backward_weight(p: Any, rng: Generator) -> Iterator[Check]:
    for x, w, _, o in conv2d_problems(rng):
        yield (
            lambda w, x=x, o=o: p.conv2d_forward(x, w, **o),
            w,
            lambda dy, x=x, w=w, o=o: p.conv2d_backward_weight(dy, x, w.shape, **o),
        )


@checks
def conv2d_backward_bias(p: Any, rng: Generator) -> Iterator[Check]:
    for x, w, bias, o in conv2d_problems(rng):
        yield (
            lambda b, x=x, w=w, o=o: p.conv2d_forward(x, w, b, **o),
            bias,
            p.conv2d_backward_bias,
        )


@checks
def linear_backward_input(p: Any, rng: Generator) -> Iterator[Check]:
    w = rng.standard_normal((4, 3))
    for shape in ((3,), (5, 3), (2, 2, 3)):
        x = rng.standard_normal(shape)
        yield lambda x: p.linear_forward(x, w), x, lambda dy: p.linear_backward_input(dy, w)


@checks
def linear_backward_weight(p: Any, rng: Generator) -> Iterator[Check]:
    x, w = rng.standard_normal((2, 5, 3)), rng.standard_normal((4, 3))
    yield lambda w: p.linear_forward(x, w), w, lambda dy: p.linear_backward_weight(dy, x)


@checks
def linear_backward_bias(p: Any, rng: Generator) -> Iterator[Check]:
    x, w = rng.standard_normal((2, 5, 3)), rng.standard_normal((4, 3))
    yield lambda b: p.linear_forward(x, w, b), rng.standard_normal(4), p.linear_backward_bias


@checks
def local_linear_backward_input(p: Any, rng: Generator) -> Iterator[Check]:
    x, w = rng.standard_normal((2, 3, 5)), rng.standard_normal((5, 4, 3))
    yield (
        lambda x: p.local_linear_forward(x, w),
        x,
        lambda dy: p.local_linear_backward_input(dy, w),
    )


@checks
def local_linear_backward_weight(p: Any, rng: Generator) -> Iterator[Check]:
    x, w = rng.standard_normal((2, 3, 5)), rng.standard_normal((5, 4, 3))
    yield (
        lambda w: p.local_linear_forward(x, w),
        w,
        lambda dy: p.local_linear_backward_weight(dy, x),
    )


@checks
def local_linear_backward_bias(p: Any, rng: Generator) -> Iterator[Check]:
    x, w = rng.standard_normal((2, 3, 5)), rng.standard_normal((5, 4, 3))
    bias = rng.standard_normal((4, 5))
    yield lambda b: p.local_linear_forward(x, w, b), bias, p.local_linear_backward_bias
