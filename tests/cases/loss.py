"""Losses of one number and its target, and losses of class labels beside cross entropy."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.elementwise import ELEMENTWISE
from cases.table import Arguments, case, normal, specials
from convolith import reference

Pair = tuple[np.ndarray, np.ndarray]
Draw = Callable[[Generator, tuple[int, ...], DTypeLike], Pair]


def _numbers(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Pair:
    """Every fourth is what it should be."""
    target = normal(rng, shape, dtype)
    return np.where(rng.random(shape) < 0.25, target, normal(rng, shape, dtype)), target


def _yes(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Mostly 0 and 1."""
    return np.asarray(rng.choice([0, 0, 1, 1, 0.25], shape), dtype)


def _probabilities(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Pair:
    """0, 1 and what is next to them are among them."""
    x = np.asarray(rng.random(shape), dtype)
    near = [0, 1, np.finfo(dtype).tiny, np.finfo(dtype).tiny / 8, 1 - np.finfo(dtype).eps / 2]
    edge = np.asarray(rng.choice(near, shape), dtype)
    return np.where(rng.random(shape) < 0.25, edge, x), _yes(rng, shape, dtype)


def _logits(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Pair:
    return normal(rng, shape, dtype, 4), _yes(rng, shape, dtype)


def _distributions(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Pair:
    target = np.where(rng.random(shape) < 0.25, 0, rng.random(shape))
    return normal(rng, shape, dtype), np.asarray(target, dtype)


def _signs(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Pair:
    """Every fourth is at a corner."""
    x = np.where(rng.random(shape) < 0.25, 1, normal(rng, shape, dtype, 2)).astype(dtype)
    return x, np.asarray(rng.choice([-1, 1], shape), dtype)


def _signs_or_neither(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Pair:
    return _signs(rng, shape, dtype)[0], np.asarray(rng.choice([-1, 0.5, 1], shape), dtype)


# What x and target are, and what options there are beside the reduction.
POINTWISE: dict[str, tuple[Draw, list[dict[str, Any]]]] = {
    "mse_loss": (_numbers, [{}]),
    "l1_loss": (_numbers, [{}]),
    "huber_loss": (_numbers, [{}, {"delta": 0.25}]),
    "smooth_l1_loss": (_numbers, [{}, {"beta": 0.25}, {"beta": 0}]),
    "binary_cross_entropy": (_probabilities, [{}]),
    "binary_cross_entropy_with_logits": (_logits, [{}]),
    "kl_div": (_distributions, [{}, {"log_target": True}, {"reduction": "batchmean"}]),
    "hinge_loss": (_signs, [{}, {"squared": True}]),
    "hinge_embedding_loss": (_signs_or_neither, [{}, {"margin": 0.5}]),
}
_REDUCTIONS = ("mean", "sum", "none")


def _rows(primitive: str, name: str, build: Any, options: dict[str, Any]) -> None:
    """Forward and backward; build gives x, target and the weights."""
    forward = getattr(reference, f"{primitive}_forward")

    def build_forward(rng: Generator, dtype: DTypeLike) -> Arguments:
        return build(rng, dtype), dict(options)

    def build_backward(rng: Generator, dtype: DTypeLike) -> Arguments:
        arrays = build(rng, dtype)
        loss = forward(*arrays, **options)
        return (normal(rng, loss.shape, dtype), *arrays), dict(options)

    size = prod(build(np.random.default_rng(0), np.float32)[0].shape)
    reduced = options.get("reduction") != "none"
    case(f"{primitive}_forward", name, build_forward, size if reduced else 1)
    divides = primitive == "nll_loss" and reduced  # by a sum
    case(f"{primitive}_backward", name, build_backward, size if divides else 1)


for _loss, (_draw, _options) in POINTWISE.items():
    for _i, (_name, _shape) in enumerate(ELEMENTWISE.items()):
        for _j in range(2):
            _all = {"reduction": _REDUCTIONS[(_i + _j) % 3], **_options[(_i + _j) % len(_options)]}
            _rows(
                _loss,
                f"{_name}_{_all['reduction']}",
                lambda rng, dtype, d=_draw, s=_shape: d(rng, s, dtype),
                _all,
            )
for _loss in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "hinge_loss"):
    _rows(
        _loss,
        "specials",
        lambda rng, dtype: (specials(rng, (29,), dtype), normal(rng, (29,), dtype)),
        {"reduction": "none"},
    )
_rows(
    "binary_cross_entropy_with_logits",
    "specials",
    lambda rng, dtype: (specials(rng, (29,), dtype), _yes(rng, (29,), dtype)),
    {"reduction": "none"},
)
_rows(
    "binary_cross_entropy_with_logits",
    "huge_logits",
    lambda rng, dtype: (normal(rng, (37,), dtype, 1e4), _yes(rng, (37,), dtype)),
    {},
)
_rows(
    "hinge_embedding_loss",
    "specials",
    lambda rng, dtype: (specials(rng, (29,), dtype), _signs(rng, (29,), dtype)[1]),
    {"reduction": "none"},
)

# Shapes of weights that broadcast to (2, 3, 5, 7).
WEIGHTS: dict[str, tuple[int, ...]] = {
    "own_shape": (2, 3, 5, 7),
    "scalar": (),
    "last_axis": (7,),
    "channels": (3, 1, 1),
    "images": (2, 1, 1, 1),
    "rows": (2, 1, 5, 1),
    "planes": (1, 1, 5, 7),
}
for _i, (_name, _shape) in enumerate(WEIGHTS.items()):

    def _weighted(
        rng: Generator,
        dtype: DTypeLike,
        draw: Draw = _probabilities,
        shapes: Any = (_shape,),
    ) -> tuple[np.ndarray | None, ...]:
        weights = [
            None if s is None else np.asarray(0.5 + np.abs(normal(rng, s, dtype))) for s in shapes
        ]
        return (*draw(rng, (2, 3, 5, 7), dtype), *weights)

    _o = {"reduction": _REDUCTIONS[_i % 3]}
    _rows("binary_cross_entropy", f"weight_{_name}", _weighted, _o)
    for _which, _shapes in (
        ("weight", (_shape, None)),
        ("pos_weight", (None, _shape)),
        ("both", ((7,), _shape)),
    ):
        _rows(
            "binary_cross_entropy_with_logits",
            f"{_which}_{_name}",
            lambda rng, dtype, f=_weighted, s=_shapes: f(rng, dtype, _logits, s),
            _o,
        )

for _name, _shape in ELEMENTWISE.items():
    case(
        "rmse_loss_forward",
        _name,
        lambda rng, dtype, s=_shape: (_numbers(rng, s, dtype), {}),
        prod(_shape),
    )

    def _root(rng: Generator, dtype: DTypeLike, s: tuple[int, ...] = _shape) -> Arguments:
        x, target = _numbers(rng, s, dtype)
        loss = reference.rmse_loss_forward(x, target).astype(dtype)
        return (normal(rng, (), dtype), loss, x, target), {}

    case("rmse_loss_backward", _name, _root)
case("rmse_loss_forward", "zero", lambda rng, dtype: ((np.ones(5, dtype), np.ones(5, dtype)), {}))
case(
    "rmse_loss_backward",
    "zero",
    lambda rng, dtype: (
        (normal(rng, (), dtype), np.zeros((), dtype), np.ones(5, dtype), np.ones(5, dtype)),
        {},
    ),
)

for _name, _shape in ELEMENTWISE.items():
    _least = {} if len(_name) % 2 else {"least": 0.25}
    case(
        "clamped_log_forward",
        _name,
        lambda rng, dtype, s=_shape, o=_least: ((_probabilities(rng, s, dtype)[0],), dict(o)),
    )
    case(
        "clamped_log_backward",
        _name,
        lambda rng, dtype, s=_shape, o=_least: (
            (normal(rng, s, dtype), _probabilities(rng, s, dtype)[0]),
            dict(o),
        ),
    )
case(
    "clamped_log_forward",
    "specials",
    lambda rng, dtype: ((specials(rng, (29,), dtype),), {"least": 0}),
)

# x, whether classes are weighted, options, how many of the labels are ignored.
NLL: dict[str, tuple[tuple[int, ...], bool, dict[str, Any], float]] = {
    "mean": ((5, 10), False, {}, 0),
    "sum": ((5, 10), False, {"reduction": "sum"}, 0),
    "none": ((5, 10), False, {"reduction": "none"}, 0),
    "weights": ((9, 4), True, {}, 0.3),
    "weights_sum": ((9, 4), True, {"reduction": "sum"}, 0.3),
    "spatial": ((2, 5, 7, 9), True, {}, 0.3),
    "spatial_none": ((2, 5, 7, 9), True, {"reduction": "none"}, 0.3),
    "rank3": ((3, 4, 11), False, {"ignore_index": 2}, 0.3),
    "many_rows": ((40000, 3), True, {}, 0.1),
    "one_class": ((4, 1), False, {}, 0),
    "all_ignored": ((3, 4), True, {}, 1),
    "empty_batch": ((0, 4), False, {}, 0),
    "empty_batch_none": ((0, 4, 3), False, {"reduction": "none"}, 0),
}
MULTI_MARGIN: dict[str, tuple[tuple[int, int], bool, dict[str, Any]]] = {
    "mean": ((5, 10), False, {}),
    "sum": ((5, 10), False, {"reduction": "sum"}),
    "none": ((5, 10), False, {"reduction": "none"}),
    "weights": ((9, 4), True, {"margin": 0.5}),
    "squared": ((9, 4), False, {"p": 2}),
    "squared_weights_none": ((9, 17), True, {"p": 2, "reduction": "none", "margin": 2.0}),
    "classes1000": ((3, 1000), False, {}),
    "classes17000": ((2, 17000), False, {"p": 2}),
    "many_rows": ((515, 33), True, {}),
    "one_class": ((4, 1), False, {}),
    "empty_batch": ((0, 4), False, {}),
    "empty_batch_none": ((0, 4), False, {"reduction": "none"}),
}


def _class_weights(rng: Generator, classes: int, dtype: DTypeLike) -> np.ndarray:
    return 0.5 + np.asarray(rng.random(classes), dtype)


for _name, (_shape, _is, _o, _share) in NLL.items():

    def _nll(
        rng: Generator,
        dtype: DTypeLike,
        s: Any = _shape,
        weighted: bool = _is,
        ignore: int = _o.get("ignore_index", -100),
        share: float = _share,
    ) -> tuple[np.ndarray | None, ...]:
        labels = rng.integers(0, s[1], (s[0], *s[2:]))
        labels[rng.random(labels.shape) < share] = ignore
        x = -np.abs(normal(rng, s, dtype, 3))
        return x, labels, _class_weights(rng, s[1], dtype) if weighted else None

    _rows("nll_loss", _name, _nll, _o)

for _name, (_shape, _is, _o) in MULTI_MARGIN.items():

    def _margins(
        rng: Generator, dtype: DTypeLike, s: Any = _shape, weighted: bool = _is
    ) -> tuple[np.ndarray | None, ...]:
        weights = _class_weights(rng, s[1], dtype) if weighted else None
        return normal(rng, s, dtype), rng.integers(0, s[1], s[0]), weights

    _rows("multi_margin_loss", _name, _margins, _o)
