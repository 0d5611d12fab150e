"""Pooling, padding, interpolation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

from gradients.table import CHECKS, Array, Check, checks

POOL_OPTIONS: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (2, 1), "padding": (1, 0, 0, 1), "ceil_mode": True},
]


def extreme_pool(kind: str, arguments: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
    """Max or min pooling; neighbours of random values are further apart than the step."""

    def function(p: Any, rng: Generator) -> Iterator[Check]:
        forward, backward = getattr(p, f"{kind}_forward"), getattr(p, f"{kind}_backward")
        for args, o in arguments:
            x = rng.standard_normal((2, 2, 5, 6))
            indices = forward(x, *args, **o)[1]
            yield (
                lambda x, args=args, o=o: forward(x, *args, **o)[0],
                x,
                lambda dy, i=indices, x=x: backward(dy, i, x.shape),
            )

    CHECKS[f"{kind}_backward"] = function


for _kind in ("max_pool2d", "min_pool2d"):
    extreme_pool(_kind, [((3,), o) for o in [*POOL_OPTIONS, {"dilation": 2, "stride": 1}]])
extreme_pool("adaptive_max_pool2d", [((3,), {}), (((4, 2),), {}), (((None, 7),), {})])
extreme_pool("global_max_pool2d", [((), {})])


@checks
def avg_pool2d_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 2, 5, 6))
    for shape in POOL_OPTIONS:
        for divisor in ({}, {"count_include_pad": False}, {"divisor_override": 4}):
            o = {**shape, **divisor}
            yield (
                lambda x, o=o: p.avg_pool2d_forward(x, 3, **o),
                x,
                lambda dy, o=o: p.avg_pool2d_backward(dy, x.shape, 3, **o),
            )


@checks
def adaptive_avg_pool2d_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 2, 5, 6))
    for size in (3, (4, 2), (None, 7)):
        yield (
            lambda x, size=size: p.adaptive_avg_pool2d_forward(x, size),
            x,
            lambda dy: p.adaptive_avg_pool2d_backward(dy, x.shape),
        )


@checks
def global_avg_pool2d_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 3, 5, 6))
    yield p.global_avg_pool2d_forward, x, lambda dy: p.global_avg_pool2d_backward(dy, x.shape)


@checks
def lp_pool2d_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = 0.5 + rng.random((2, 2, 5, 6))
    for norm in (1, 2, 3, 1.5):
        for o in ({}, {"stride": (2, 1), "ceil_mode": True}):

            def forward(x: Array, norm: float = norm, o: Any = o) -> Array:
                return np.asarray(p.lp_pool2d_forward(x, norm, (3, 2), **o))

            yield (
                forward,
                x,
                lambda dy, f=forward, norm=norm, o=o: p.lp_pool2d_backward(
                    dy, x, f(x), norm, (3, 2), **o
                ),
            )


@checks
def max_unpool2d_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 2, 5, 6))
    for o in ({}, {"stride": 1}):
        values, indices = p.max_pool2d_forward(x, 2, **o)
        yield (
            lambda v, i=indices: p.max_unpool2d_forward(v, i, x.shape),
            values,
            lambda dy, i=indices: p.max_unpool2d_backward(dy, i),
        )


@checks
def pad2d_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 2, 3, 4))
    for padding, mode in (
        ((2, 0, 1, 3), "constant"),
        ((-1, 2, 1, -2), "constant"),
        ((2, 1, 3, 0), "reflect"),
        ((2, 4, 0, 5), "replicate"),
        ((3, 1, 2, 4), "circular"),
    ):
        yield (
            lambda x, v=padding, m=mode: p.pad2d_forward(x, v, mode=m),
            x,
            lambda dy, v=padding, m=mode: p.pad2d_backward(dy, x.shape, v, mode=m),
        )


@checks
def interpolate2d_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 2, 3, 4))
    for o in ({"size": (5, 3)}, {"size": 1}, {"scale_factor": (2.3, 0.6)}):
        for mode in ({}, {"mode": "bilinear"}, {"mode": "bilinear", "align_corners": True}):
            options = {**o, **mode}
            yield (
                lambda x, o=options: p.interpolate2d_forward(x, **o),
                x,
                lambda dy, o=options: p.interpolate2d_backward(dy, x.shape, **o),
            )
