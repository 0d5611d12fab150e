"""Gradients against finite differences, of the reference itself and of the compiled primitives.

Also a few values worked out by hand, so that the reference does not only agree with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

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
def relu_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 7))
    yield p.relu_forward, x, lambda dy: p.relu_backward(dy, p.relu_forward(x))


@checks
def leaky_relu_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 7))
    for slope in (0.01, 0.3):
        yield (
            lambda x, s=slope: p.leaky_relu_forward(x, s),
            x,
            lambda dy, s=slope: p.leaky_relu_backward(dy, x, s),
        )


@checks
def sigmoid_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 7))
    yield p.sigmoid_forward, x, lambda dy: p.sigmoid_backward(dy, p.sigmoid_forward(x))


@checks
def tanh_backward(p: Any, rng: Generator) -> Iterator[Check]:
    x = rng.standard_normal((3, 7))
    yield p.tanh_forward, x, lambda dy: p.tanh_backward(dy, p.tanh_forward(x))


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
            for smoothing in (0.0, 0.2):
                o: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
                yield (
                    lambda x, t=target, o=o: p.softmax_cross_entropy_forward(x, t, **o)[0],
                    x,
                    lambda dy, t=target, o=o: p.softmax_cross_entropy_backward(
                        dy, p.softmax_cross_entropy_forward(x, t, **o)[1], t, **o
                    ),
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

    def test_dropout_takes_words_in_order(self, p: Any) -> None:
        u = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
        kept = [(word >> 8) / 2**24 >= 0.7 for word in u]
        assert p.dropout_forward(np.ones(4), 0.7).astype(bool).tolist() == kept
