"""Normalisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.random import Generator

from gradients.table import Array, Check, checks


@checks
def batch_norm_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x, residual = rng.standard_normal((2, 4, 3, 2, 5))
    weight, bias = rng.standard_normal((2, 3))
    running = rng.standard_normal(3), 1 + rng.random(3)
    followed: list[tuple[Array | None, str]] = [(None, "identity"), (None, "relu")]
    followed.append((residual, "relu"))
    for training in (True, False):
        statistics = (None, None) if training else running
        for added, activation in followed:
            o: dict[str, Any] = {"training": training, "activation": activation}

            def forward(
                x: Array,
                w: Array | None,
                b: Array | None,
                r: Array | None,
                s: Any = statistics,
                o: dict[str, Any] = o,
            ) -> Any:
                return p.batch_norm_forward(x, w, b, *s, r, **o)

            def backward(
                i: int,
                w: Array | None,
                b: Array | None,
                f: Any = forward,
                r: Array | None = added,
                o: dict[str, Any] = o,
            ) -> Callable[[Array], Array]:
                y, mean, invstd = f(x, w, b, r)
                after = (mean, invstd, b, None if r is None else y)
                return lambda dy: p.batch_norm_backward(dy, x, w, *after, **o)[i]

            one, two = backward(0, weight, bias), backward(0, None, None)
            yield lambda x, f=forward, r=added: f(x, weight, bias, r)[0], x, one
            yield lambda x, f=forward, r=added: f(x, None, None, r)[0], x, two
            one, two = backward(1, weight, bias), backward(2, weight, bias)
            yield lambda w, f=forward, r=added: f(x, w, bias, r)[0], weight, one
            yield lambda b, f=forward, r=added: f(x, weight, b, r)[0], bias, two
            if added is not None:
                one = backward(3, weight, bias)
                yield lambda r, f=forward: f(x, weight, bias, r)[0], residual, one


@checks
def layer_norm_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 2, 5))
    for last in ((5,), (2, 5)):
        weight, bias = rng.standard_normal((2, *last))
        yield from row_norm_checks("layer_norm", p, x, (last,), weight, bias)


@checks
def group_norm_backward(p: Any, rng: Generator) -> Iterator[Check]:
    weight, bias = rng.standard_normal((2, 6))
    for shape, groups in (((2, 6, 3), 2), ((2, 6, 3), 1), ((4, 6), 2)):
        x = rng.standard_normal(shape)
        yield from row_norm_checks("group_norm", p, x, (groups,), weight, bias)


@checks
def instance_norm_backward(p: Any, rng: Generator) -> Iterator[Check]:
    weight, bias = rng.standard_normal((2, 3))
    yield from row_norm_checks("instance_norm", p, rng.standard_normal((2, 3, 5)), (), weight, bias)


def row_norm_checks(
    family: str, p: Any, x: Array, options: tuple[Any, ...], weight: Array, bias: Array
) -> Iterator[Check]:
    """The gradients of x, with weight and bias and without them, and theirs."""

    def forward(x: Array, w: Array | None, b: Array | None) -> Any:
        return getattr(p, f"{family}_forward")(x, *options, w, b)

    def backward(i: int, w: Array | None, b: Array | None) -> Callable[[Array], Array]:
        statistics = forward(x, w, b)[1:]
        return lambda dy: getattr(p, f"{family}_backward")(dy, x, *options, w, *statistics)[i]

    yield lambda x: forward(x, weight, bias)[0], x, backward(0, weight, bias)
    yield lambda x: forward(x, None, None)[0], x, backward(0, None, None)
    yield lambda w: forward(x, w, bias)[0], weight, backward(1, weight, bias)
    yield lambda b: forward(x, weight, b)[0], bias, backward(2, weight, bias)


@checks
def local_response_norm_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = 2 * rng.standard_normal((2, 6, 3))
    for size, beta in ((1, 0.75), (3, 0.75), (4, 0.75), (5, 0.5), (2, 1.0), (30, 0.6)):
        o = {"size": size, "alpha": 2.0, "beta": beta, "k": 0.5}
        yield (
            lambda x, o=o: p.local_response_norm_forward(x, **o),
            x,
            lambda dy, o=o: p.local_response_norm_backward(dy, x, **o),
        )
