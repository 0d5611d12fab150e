"""Softmax and losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.random import Generator

from gradients.table import CHECKS, Check, checks


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
