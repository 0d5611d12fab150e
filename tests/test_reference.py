"""Gradients against finite differences, of the reference itself and of the compiled primitives.

Also a few values worked out by hand, so that the reference does not only agree with itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from cases.activation import ACTIVATIONS
from convolith import _C, reference
from convolith.reference.dropout import philox4x32
from tolerance import DIFFERENCE_ERROR, DIFFERENCE_STEP, largest, tolerance

Array = np.ndarray
# f, the point x where its gradient is taken, and backward: dy -> the gradient of sum(f(x) * dy)
Check = tuple[Callable[[Array], Array], Array, Callable[[Array], Array]]
CHECKS: dict[str, Callable[[Any, Generator], Iterator[Check]]] = {}


def checks(function: Callable[[Any, Generator], Iterator[Check]]) -> None:
    """Registers the gradient checks of the backward function of that name; p is what to check."""
    CHECKS[function.__name__] = function


def central_differences(f: Callable[[Array], Array], x: Array, dy: Array) -> Array:
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = DIFFERENCE_STEP
        gradient[i] = np.sum((f(x + step) - f(x - step)) * dy) / (2 * DIFFERENCE_STEP)
    return gradient


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


def softmax_like(kind: str) -> None:
    def function(p: Any, rng: Generator) -> Iterator[Check]:
        forward, backward = getattr(p, f"{kind}_forward"), getattr(p, f"{kind}_backward")
        x = rng.standard_normal((3, 4, 5))
        for dim in (0, 1, -1):
            yield (
                lambda x, dim=dim: forward(x, dim),
                x,
                lambda dy, dim=dim: backward(dy, forward(x, dim), dim),
            )

    CHECKS[f"{kind}_backward"] = function


softmax_like("softmax")
softmax_like("log_softmax")


@checks
def softmax_cross_entropy_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 4, 5))
    labels = rng.integers(0, 4, (3, 5))
    labels[0, 1] = labels[2, 2] = -100
    for target in (labels, rng.random((3, 4, 5))):
        for reduction in ("mean", "sum", "none"):
            for weight in (None, 0.5 + rng.random(4)):
                smoothing = 0.2 if rng.random() < 0.5 else 0.0
                o: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
                yield (
                    lambda x, t=(target, weight), o=o: p.softmax_cross_entropy_forward(x, *t, **o)[
                        0
                    ],
                    x,
                    lambda dy, t=(target, weight), o=o: p.softmax_cross_entropy_backward(
                        dy, p.softmax_cross_entropy_forward(x, *t, **o)[1], *t, **o
                    ),
                )


def loss_checks(name: str, *arguments: Callable[[Generator], tuple[Any, ...]]) -> None:
    """Checks the loss of that name with the arguments (x, target, ..., options)."""

    def function(p: Any, rng: Generator) -> Iterator[Check]:
        forward, backward = getattr(p, f"{name}_forward"), getattr(p, f"{name}_backward")
        for draw in arguments:
            x, *others, options = draw(rng)
            for reduction in ("mean", "sum", "none"):
                o = {"reduction": reduction, **options}
                yield (
                    lambda x, t=others, o=o: forward(x, *t, **o),
                    x,
                    lambda dy, x=x, t=others, o=o: backward(dy, x, *t, **o),
                )

    CHECKS[f"{name}_backward"] = function


def numbers(**options: Any) -> Callable[[Generator], tuple[Any, ...]]:
    return lambda rng: (*rng.standard_normal((2, 3, 7)), options)


def signs(**options: Any) -> Callable[[Generator], tuple[Any, ...]]:
    return lambda rng: (rng.standard_normal((3, 7)), rng.choice([-1.0, 1.0], (3, 7)), options)


def class_labels(*x: int, **options: Any) -> Callable[[Generator], tuple[Any, ...]]:
    def draw(rng: Generator) -> tuple[Any, ...]:
        labels = rng.integers(0, x[1], (x[0], *x[2:]))
        return rng.standard_normal(x), labels, 0.5 + rng.random(x[1]), options

    return draw


loss_checks("mse_loss", numbers())
loss_checks("l1_loss", numbers())
loss_checks("huber_loss", numbers(), numbers(delta=0.3))
loss_checks("smooth_l1_loss", numbers(), numbers(beta=0.3), numbers(beta=0))
loss_checks("hinge_loss", signs(), signs(squared=True))
loss_checks("hinge_embedding_loss", signs(), signs(margin=0.3))
loss_checks("nll_loss", class_labels(3, 4, 5), class_labels(5, 4, ignore_index=1))
loss_checks("multi_margin_loss", class_labels(5, 4), class_labels(5, 4, p=2, margin=0.3))
loss_checks(
    "binary_cross_entropy",
    lambda rng: (0.1 + 0.8 * rng.random((3, 7)), rng.random((3, 7)), {}),
    lambda rng: (0.1 + 0.8 * rng.random((3, 7)), rng.random((3, 7)), rng.random((3, 1)), {}),
)
loss_checks(
    "binary_cross_entropy_with_logits",
    lambda rng: (rng.standard_normal((3, 7)), rng.random((3, 7)), {}),
    lambda rng: (rng.standard_normal((3, 7)), rng.random((3, 7)), rng.random(7), rng.random(7), {}),
)
loss_checks(
    "kl_div",
    lambda rng: (rng.standard_normal((3, 7)), rng.random((3, 7)), {}),
    lambda rng: (rng.standard_normal((3, 7)), rng.standard_normal((3, 7)), {"log_target": True}),
)


@checks
def clamped_log_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = 0.1 + rng.random((3, 7))
    for least in (1e-7, 0.5):
        yield (
            lambda x, least=least: p.clamped_log_forward(x, least),
            x,
            lambda dy, least=least: p.clamped_log_backward(dy, x, least),
        )


@checks
def rmse_loss_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x, target = rng.standard_normal((2, 3, 7))
    yield (
        lambda x: p.rmse_loss_forward(x, target),
        x,
        lambda dy: p.rmse_loss_backward(dy, p.rmse_loss_forward(x, target), x, target),
    )


@checks
def dropout_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 7))
    for o in ({"p": 0.3, "seed": 5}, {"p": 0.0}, {"p": 1.0}):
        yield (
            lambda x, o=o: p.dropout_forward(x, **o),
            x,
            lambda dy, o=o: p.dropout_backward(dy, **o),
        )


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


@checks
def flatten_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((2, 3, 4))
    yield p.flatten_forward, x, lambda dy: p.flatten_backward(dy, x.shape)


@checks
def concat_backward(p: Any, rng: Generator) -> Iterator[Check]:
    a, b = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 1, 4))
    yield lambda a: p.concat_forward([a, b]), a, lambda dy: p.concat_backward(dy, [3, 1])[0]
    yield lambda b: p.concat_forward([a, b]), b, lambda dy: p.concat_backward(dy, [3, 1])[1]


@pytest.mark.parametrize("implementation", [reference, _C], ids=["reference", "compiled"])
@pytest.mark.parametrize("primitive", CHECKS)
def test_gradient(primitive: str, implementation: Any) -> None:
    _C.set_num_threads(1)  # thousands of tiny calls
    rng = np.random.default_rng(0)
    for f, x, backward in CHECKS[primitive](implementation, rng):
        y = f(x)
        dy = np.asarray(rng.standard_normal(y.shape))
        expected = central_differences(f, x, dy)
        # Every difference is a sum over all outputs, each rounded.
        magnitude = 1 + largest(y) * largest(dy) + largest(expected)
        error = largest(backward(dy) - expected)
        assert error <= tolerance(DIFFERENCE_ERROR, y.size, magnitude)


def test_no_gradient_is_forgotten() -> None:
    assert set(CHECKS) == {name for name in reference.__all__ if "_backward" in name}


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_gives_the_published_words(
    counter: list[int], key: tuple[int, int], words: str
) -> None:
    """The known answers that accompany Salmon et al. 2011 (Random123)."""
    block = philox4x32(np.array(counter, dtype=np.uint64), key)
    assert " ".join(f"{int(word):08x}" for word in block) == words


@pytest.mark.parametrize("p", [reference, _C], ids=["reference", "compiled"])
class TestKnownValues:
    """Small enough to be worked out on paper."""

    def test_conv2d(self, p: Any) -> None:
        x = np.arange(9.0).reshape(1, 1, 3, 3)
        w = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
        y = p.conv2d_forward(x, w, np.array([10.0]))
        assert y.tolist() == [[[[37.0, 47.0], [67.0, 77.0]]]]
        same = p.conv2d_forward(x, w, padding="same")  # the extra column is on the right
        assert same[0, 0, :, 2].tolist() == [2 + 3 * 5, 5 + 3 * 8, 8]
        reflected = p.conv2d_forward(x, w, padding=(1, 0, 1, 0), padding_mode="reflect")
        assert reflected[0, 0, 0, 0] == 1 * 4 + 2 * 3 + 3 * 1 + 4 * 0
        dx = p.conv2d_backward_input(np.ones((1, 1, 1, 1)), w, (1, 1, 3, 3), stride=2)
        assert dx[0, 0].tolist() == [[1, 2, 0], [3, 4, 0], [0, 0, 0]]

    def test_pools(self, p: Any) -> None:
        x = np.array([[[[1.0, 5.0, 2.0], [5.0, 0.0, 7.0], [3.0, -1.0, 4.0]]]])
        y, indices = p.max_pool2d_forward(x, 2, stride=1)
        assert y.tolist() == [[[[5, 7], [5, 7]]]]
        assert indices.tolist() == [[[[1, 5], [3, 5]]]]  # the first of the two fives
        assert p.min_pool2d_forward(x, 3)[1].tolist() == [[[[7]]]]
        assert p.avg_pool2d_forward(x, 2, padding=1)[0, 0, 0].tolist() == [0.25, 1.75]
        # In ceil mode the last window has one column of input and none beyond.
        assert p.avg_pool2d_forward(x, 2, ceil_mode=True)[0, 0].tolist() == [[2.75, 4.5], [1, 4]]
        assert p.adaptive_avg_pool2d_forward(x, 2)[0, 0].tolist() == [[2.75, 3.5], [1.75, 2.5]]

    def test_conv_transpose2d(self, p: Any) -> None:
        x, w = np.array([[[[1.0, 2.0]]]]), np.array([[[[1.0, 10.0, 100.0]]]])
        y = p.conv_transpose2d_forward(x, w, np.array([0.5]), stride=2, output_padding=(0, 1))
        assert y[0, 0].tolist() == [[1.5, 10.5, 102.5, 20.5, 200.5, 0.5]]
        cut = p.conv_transpose2d_forward(x, w, stride=2, padding=(0, 1))
        assert cut[0, 0].tolist() == [[10.0, 102.0, 20.0]]

    def test_windows_and_back(self, p: Any) -> None:
        x = np.arange(6.0).reshape(1, 1, 2, 3)
        columns = p.unfold_forward(x, 2)
        assert columns[0].tolist() == [[0, 1], [1, 2], [3, 4], [4, 5]]
        # The middle column of the image is in both windows.
        assert p.fold_forward(columns, (2, 3), 2)[0, 0].tolist() == [[0, 2, 2], [3, 8, 5]]

    def test_padding_and_resizing(self, p: Any) -> None:
        x = np.array([[[[1.0, 2.0, 3.0]]]])
        for mode, expected in (
            ("constant", [9, 9, 1, 2, 3, 9]),
            ("reflect", [3, 2, 1, 2, 3, 2]),
            ("replicate", [1, 1, 1, 2, 3, 3]),
            ("circular", [2, 3, 1, 2, 3, 1]),
        ):
            y = p.pad2d_forward(x, (0, 0, 2, 1), mode=mode, value=9.0)
            assert y[0, 0].tolist() == [expected]
        assert p.pad2d_forward(x, (0, 0, -1, 0))[0, 0].tolist() == [[2, 3]]
        y = p.interpolate2d_forward(x[..., :2], (1, 4), mode="bilinear")
        assert y[0, 0].tolist() == [[1, 1.25, 1.75, 2]]
        y = p.interpolate2d_forward(x, (1, 5), mode="bilinear", align_corners=True)
        assert y[0, 0].tolist() == [[1, 1.5, 2, 2.5, 3]]
        assert p.interpolate2d_forward(x, (1, 5))[0, 0].tolist() == [[1, 1, 2, 2, 3]]

    def test_lp_pool2d(self, p: Any) -> None:
        x = np.array([[[[3.0, -4.0, 0.0]]]])
        assert p.lp_pool2d_forward(x, 2, (1, 2), stride=1)[0, 0].tolist() == [[5, 4]]
        # The last window has one element of two, whose square counts twice.
        y = p.lp_pool2d_forward(x[..., :1].repeat(3, axis=3), 2, (1, 2), ceil_mode=True)
        np.testing.assert_allclose(y[0, 0], [[np.sqrt(18), np.sqrt(18)]])
        zero, one = np.zeros((1, 1, 1, 2)), np.ones((1, 1, 1, 1))
        assert p.lp_pool2d_backward(one, zero, 0 * one, 2, (1, 2)).tolist() == zero.tolist()

    def test_max_unpool2d_adds_up(self, p: Any) -> None:
        x, indices = np.array([[[[1.0, 2.0]]]]), np.array([[[[2, 2]]]])
        assert p.max_unpool2d_forward(x, indices, (1, 1, 1, 3)).tolist() == [[[[0, 0, 3]]]]

    def test_batch_norm(self, p: Any) -> None:
        mean, var = np.zeros(1), np.ones(1)
        x = np.array([[1.0], [3.0]])
        y, batch_mean, invstd = p.batch_norm_forward(
            x, None, None, mean, var, training=True, eps=0.0
        )
        assert y.tolist() == [[-1.0], [1.0]]
        assert (batch_mean[0], invstd[0]) == (2.0, 1.0)
        np.testing.assert_allclose((mean[0], var[0]), (0.2, 0.9 + 0.1 * 2))  # unbiased: 2, not 1

    def test_cross_entropy(self, p: Any) -> None:
        x = np.zeros((2, 4))
        loss, probs = p.softmax_cross_entropy_forward(x, np.array([1, -100]))
        np.testing.assert_allclose(loss, np.log(4))
        assert probs.tolist() == [[0.25] * 4] * 2
        dx = p.softmax_cross_entropy_backward(np.array(1.0), probs, np.array([1, -100]))
        assert dx.tolist() == [[0.25, -0.75, 0.25, 0.25], [0.0] * 4]

    def test_class_weights(self, p: Any) -> None:
        x, weight = np.zeros((2, 4)), np.array([1.0, 3.0, 0.0, 0.0])
        loss = p.softmax_cross_entropy_forward(x, np.array([0, 1]), weight)[0]
        np.testing.assert_allclose(loss, np.log(4))  # (1 log 4 + 3 log 4) / (1 + 3)
        even = np.full((2, 4), 0.25)
        loss = p.softmax_cross_entropy_forward(x, even, weight)[0]
        np.testing.assert_allclose(loss, np.log(4))  # each (1 + 3) / 4 log 4, their mean
        log_probs = np.array([[-1.0, -2.0], [-3.0, -4.0], [np.nan, np.nan]])
        labels = np.array([0, 1, -100])
        assert p.nll_loss_forward(log_probs, labels) == (1 + 4) / 2
        assert p.nll_loss_forward(log_probs, labels, np.array([2.0, 6.0])) == (2 + 24) / 8
        dx = p.nll_loss_backward(np.array(1.0), log_probs, labels, np.array([2.0, 6.0]))
        assert dx.tolist() == [[-0.25, 0], [0, -0.75], [0, 0]]

    def test_losses_of_numbers(self, p: Any) -> None:
        x, target, one = np.array([0.0, 3.0]), np.array([1.0, 0.0]), np.array(1.0)
        assert p.mse_loss_forward(x, target) == 5
        assert p.rmse_loss_forward(x, target) == 5**0.5
        assert p.l1_loss_forward(x, target, reduction="sum") == 4
        assert p.huber_loss_forward(x, target, reduction="none", delta=2.0).tolist() == [0.5, 4]
        assert p.smooth_l1_loss_forward(x, target, reduction="none", beta=2.0).tolist() == [0.25, 2]
        assert p.mse_loss_backward(one, x, target).tolist() == [-1, 3]
        assert p.huber_loss_backward(one, x, target, reduction="sum").tolist() == [-1, 1]
        assert p.rmse_loss_backward(one, np.array(0.0), x, x).tolist() == [0, 0]

    def test_losses_of_yes_and_no(self, p: Any) -> None:
        x, target = np.array([1.0, 0.0, 0.5]), np.array([0.0, 0.0, 1.0])
        each = p.binary_cross_entropy_forward(x, target, reduction="none")
        np.testing.assert_allclose(each, [100, 0, np.log(2)])
        logits = np.array([1e4, -1e4, 0.0])
        each = p.binary_cross_entropy_with_logits_forward(logits, target, reduction="none")
        np.testing.assert_allclose(each, [1e4, 0, np.log(2)])
        heavy = (None, np.array(3.0))
        each = p.binary_cross_entropy_with_logits_forward(logits, target, *heavy, reduction="none")
        np.testing.assert_allclose(each, [1e4, 0, 3 * np.log(2)])
        scores, signs = np.array([2.0, 0.5, -1.0]), np.array([1.0, 1.0, 1.0])
        assert p.hinge_loss_forward(scores, signs, reduction="none").tolist() == [0, 0.5, 2]
        assert p.hinge_loss_forward(scores, signs, squared=True, reduction="sum") == 4.25
        assert p.hinge_embedding_loss_forward(scores, -signs, reduction="none").tolist() == [
            0,
            0.5,
            2,
        ]

    def test_losses_of_classes(self, p: Any) -> None:
        x, labels = np.array([[0.5, 0.0, 1.0]]), np.array([0])
        assert p.multi_margin_loss_forward(x, labels) == (0.5 + 1.5) / 3
        assert p.multi_margin_loss_forward(x, labels, p=2, margin=0.5) == 1 / 3
        dx = p.multi_margin_loss_backward(np.array(3.0), x, labels)
        assert dx.tolist() == [[-2, 1, 1]]
        target, other = (
            np.array([[0.5, 0.5], [1.0, 0.0]]),
            np.log(np.array([[0.25, 0.75], [0.5, 0.5]])),
        )
        divergence = p.kl_div_forward(other, target, reduction="batchmean")
        expected = 0.5 * np.log(2) + 0.5 * np.log(2 / 3) + np.log(2)
        np.testing.assert_allclose(divergence, expected / 2)

    def test_sgd(self, p: Any) -> None:
        param, velocity = np.array([1.0]), np.array([2.0])
        options = {"lr": 0.5, "momentum": 0.5, "weight_decay": 1.0}
        p.sgd_step(param, np.array([3.0]), velocity, **options)
        assert (velocity[0], param[0]) == (5.0, -1.5)  # 0.5 * 2 + (3 + 1); 1 - 0.5 * 5
        p.sgd_step(param, np.array([3.0]), velocity, nesterov=True, first=True, **options)
        assert (velocity[0], param[0]) == (1.5, -2.625)  # 3 - 1.5; -1.5 - 0.5 * (1.5 + 0.75)

    def test_adam(self, p: Any) -> None:
        param, exp_avg, exp_avg_sq = np.array([1.0]), np.zeros(1), np.zeros(1)
        p.adam_step(param, np.array([4.0]), exp_avg, exp_avg_sq, step=1, lr=0.5, eps=0.0)
        np.testing.assert_allclose(param, 0.5)  # the first step is lr * sign(grad)
        np.testing.assert_allclose((exp_avg[0], exp_avg_sq[0]), (0.4, 0.016))

    def test_penalties(self, p: Any) -> None:
        param = np.array([1.0, -1.0, 0.0])
        options = {"lr": 0.5, "weight_decay": 1.0, "l1": 1.0, "maximize": True}
        p.sgd_step(param, np.full(3, 3.0), **options)
        assert param.tolist() == [1.5, 1.5, 1.5]  # g is -3 + w + sign w: -1, -5 and -3

    def test_adam_decoupled_with_the_largest_square(self, p: Any) -> None:
        param, exp_avg, exp_avg_sq, largest = np.array([2.0]), *np.zeros((2, 1)), np.array([40.0])
        options = {"beta1": 0.5, "beta2": 0.6, "lr": 0.5, "eps": 1.0, "weight_decay": 0.5}
        p.adam_step(
            *(param, np.array([4.0]), exp_avg, exp_avg_sq, largest),
            **{"step": 1, "decoupled_weight_decay": True, **options},
        )
        # 2 (1 - 0.25) - 0.5 * (2 / 0.5) / (sqrt(40 / 0.4) + 1)
        np.testing.assert_allclose((param[0], largest[0]), (1.5 - 2 / 11, 40.0))
        p.adam_step(param, np.array([9.0]), exp_avg, exp_avg_sq, largest, step=2)
        np.testing.assert_allclose(largest, 40.0)
        p.adam_step(param, np.array([1e3]), exp_avg, exp_avg_sq, largest, step=3, beta2=0.5)
        assert largest[0] > 5e5

    def test_other_optimizers(self, p: Any) -> None:
        one, zero, four = np.array([1.0]), np.zeros(1), np.array([4.0])
        param, state = one.copy(), np.array([9.0])
        p.adagrad_step(param, four, state, step=3, lr=1.0, lr_decay=0.5, eps=0.0)
        np.testing.assert_allclose((param[0], state[0]), (1 - 0.5 * 4 / 5, 25.0))
        param, square, delta = one.copy(), zero.copy(), one.copy()
        p.adadelta_step(param, four, square, delta, rho=0.75, eps=0.0)
        assert (param[0], square[0], delta[0]) == (-1.0, 4.0, 1.75)  # a step of 1 / 2 * 4
        param, square, mean, buffer = one.copy(), np.array([10.0]), zero.copy(), np.array([2.0])
        options = {"lr": 0.5, "alpha": 0.5, "eps": 1.0, "momentum": 0.5}
        p.rmsprop_step(param, four, square, mean, buffer, **options)
        assert (square[0], mean[0], buffer[0], param[0]) == (13.0, 2.0, 2.0, 0.0)  # 4 / (3 + 1) + 1
        param, mean, largest = one.copy(), zero.copy(), np.array([10.0])
        options = {"lr": 0.5, "beta1": 0.5, "beta2": 0.5, "eps": 0.0}
        p.adamax_step(param, four, mean, largest, step=1, **options)
        np.testing.assert_allclose((mean[0], largest[0], param[0]), (2.0, 5.0, 1 - 2 / 5))
        param, mean, square = one.copy(), zero.copy(), zero.copy()
        options = {"mu": 0.5, "mu_next": 0.5, "mu_product": 0.5, "beta1": 0.5, "beta2": 0.0}
        p.nadam_step(param, four, mean, square, step=1, lr=0.75, eps=0.0, **options)
        np.testing.assert_allclose(param, 0.0, atol=1e-15)  # (4 + 2 / 3 * 2) / 4 is 4 / 3

    def test_trust_ratios(self, p: Any) -> None:
        param, mean, square = np.array([3.0, 4.0]), np.zeros(2), np.zeros(2)
        options = {"lr": 0.2 * 2**0.5, "beta1": 0.0, "beta2": 0.0, "eps": 0.0}
        p.lamb_step(param, np.array([7.0, -9.0]), mean, square, step=1, **options)
        np.testing.assert_allclose(param, [2.0, 5.0])  # along (1, -1), as long as lr * 5
        param, velocity = np.array([3.0, 4.0]), np.zeros(2)
        options = {"lr": 2.0, "momentum": 0.9, "trust_coefficient": 0.5, "weight_decay": 0.5}
        p.lars_step(param, np.array([0.0, 2.5]), velocity, **options)
        np.testing.assert_allclose(velocity, [0.75, 2.25])  # ratio 0.5 * 5 / (2.5 + 2.5)
        np.testing.assert_allclose(param, [1.5, -0.5])

    def test_average(self, p: Any) -> None:
        average = np.array([4.0])
        p.ema_step(average, np.array([8.0]), decay=0.75)
        assert average[0] == 5.0

    def test_norms(self, p: Any) -> None:
        xs = [np.array([3.0, 0.0]), np.array([[-4.0]])]
        norms = [float(p.total_norm_forward(xs, order)) for order in (1, 2, np.inf)]
        assert norms == [7.0, 5.0, 4.0]

    def test_dropout_takes_words_in_order(self, p: Any) -> None:
        u = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
        kept = [(word >> 8) / 2**24 >= 0.7 for word in u]
        assert p.dropout_forward(np.ones(4), 0.7).astype(bool).tolist() == kept
