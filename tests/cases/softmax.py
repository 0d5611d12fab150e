"""Softmax and cross entropy."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import Arguments, case, masked, normal
from convolith import reference

# Softmax: x, dim, scale of the logits.
SOFTMAX: dict[str, tuple[tuple[int, ...], int, float]] = {
    "vector": ((5,), 0, 1),
    "classes10": ((7, 10), -1, 3),
    "classes1000": ((3, 1000), 1, 3),
    "classes1100": ((2, 1100), 1, 2),
    "classes8200": ((1, 8200), 1, 2),
    "dim0": ((9, 7), 0, 1),
    "dim0_long": ((300, 5), 0, 1),
    **{f"dim{dim}_of_4": ((2, 3, 5, 7), dim, 2.0) for dim in range(-2, 4)},
    "channels_large_plane": ((1, 5, 19, 23), 1, 2),
    "several_strips": ((2, 3, 1100), 1, 2),
    "many_channels_several_strips": ((2, 64, 300), 1, 2),
    "one_class": ((4, 1), 1, 1),
    "huge_logits": ((5, 17), 1, 1e4),
    "empty_batch": ((0, 10), 1, 1),
}

for _f in ("softmax", "log_softmax"):
    _forward = getattr(reference, f"{_f}_forward")
    for _name, (_shape, _dim, _scale) in SOFTMAX.items():
        case(
            f"{_f}_forward",
            _name,
            lambda rng, dtype, s=_shape, d=_dim, k=_scale: (
                (normal(rng, s, dtype, k), d),
                {},
            ),
            _shape[_dim],
        )
        case(
            f"{_f}_backward",
            _name,
            lambda rng, dtype, s=_shape, d=_dim, k=_scale, f=_forward: (
                (normal(rng, s, dtype), f(normal(rng, s, dtype, k), d).astype(dtype), d),
                {},
            ),
            _shape[_dim],
        )
    case(f"{_f}_forward", "masked", lambda rng, dtype: ((masked(rng, (5, 19), dtype),), {}), 19)

# Cross entropy: x, kind of target, options, and of this table `weighted`: by class.
_100 = {"ignore_index": -100}
CROSS_ENTROPY: dict[str, tuple[tuple[int, ...], str, dict[str, Any]]] = {
    "mean": ((5, 10), "labels", {}),
    "sum": ((5, 10), "labels", {"reduction": "sum"}),
    "none": ((5, 10), "labels", {"reduction": "none"}),
    "classes1000": ((3, 1000), "labels", {}),
    "many_rows": ((515, 3), "labels", {}),
    "one_class": ((4, 1), "labels", {}),
    "spatial": ((2, 5, 7, 9), "labels", {}),
    "spatial_none": ((2, 5, 7, 9), "some_ignored", {"reduction": "none", **_100}),
    "several_strips": ((2, 64, 300), "some_ignored", {"label_smoothing": 0.1, **_100}),
    "probabilities_several_strips": ((2, 3, 1100), "probabilities", {}),
    "rank3_sum": ((3, 4, 11), "some_ignored", {"reduction": "sum", **_100}),
    "ignored": ((9, 4), "some_ignored", _100),
    "ignored_class": ((9, 4), "some_ignored", {"ignore_index": 2}),
    "all_ignored": ((3, 4), "all_ignored", _100),
    "all_ignored_sum": ((3, 4), "all_ignored", {"reduction": "sum", **_100}),
    "smoothing": ((7, 6), "labels", {"label_smoothing": 0.1}),
    "smoothing_ignored": ((2, 6, 5), "some_ignored", {"label_smoothing": 0.3, **_100}),
    "smoothing_all": ((7, 6), "labels", {"label_smoothing": 1.0}),
    "probabilities": ((7, 6), "probabilities", {}),
    "probabilities_sum": ((7, 6), "probabilities", {"reduction": "sum"}),
    "probabilities_spatial_none": ((2, 5, 3, 4), "probabilities", {"reduction": "none"}),
    "probabilities_classes1100": ((2, 1100), "probabilities", {"label_smoothing": 0.1}),
    "probabilities_smoothing": ((2, 5, 7), "probabilities", {"label_smoothing": 0.2}),
    "probabilities_of_any_sum": ((7, 6), "weights", {}),
    "empty_batch": ((0, 4), "labels", {}),
    "empty_batch_none": ((0, 4, 3), "labels", {"reduction": "none"}),
    "huge_logits": ((5, 7), "labels", {"scale": 1e4}),
    "class_weights": ((9, 4), "some_ignored", {"weighted": True, **_100}),
    "class_weights_sum": ((9, 19), "labels", {"weighted": True, "reduction": "sum"}),
    "class_weights_spatial_none": (
        (2, 5, 7, 9),
        "some_ignored",
        {"weighted": True, "reduction": "none", **_100},
    ),
    "class_weights_smoothing": (
        (2, 6, 5),
        "some_ignored",
        {"weighted": True, "label_smoothing": 0.3, **_100},
    ),
    "class_weights_rows_smoothing": ((7, 37), "labels", {"weighted": True, "label_smoothing": 0.1}),
    "class_weights_probabilities": ((7, 19), "probabilities", {"weighted": True}),
    "class_weights_probabilities_spatial": (
        (2, 5, 3, 4),
        "probabilities",
        {"weighted": True, "label_smoothing": 0.2},
    ),
}


def _target(
    rng: Generator, shape: tuple[int, ...], kind: str, ignore: int, dtype: Any
) -> np.ndarray:
    if kind == "probabilities":
        last = rng.dirichlet(np.ones(shape[1]), (shape[0], *shape[2:]))
        return np.moveaxis(last, -1, 1).astype(dtype)
    if kind == "weights":
        return np.abs(normal(rng, shape, dtype))
    labels = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    if kind != "labels":
        labels[rng.random(labels.shape) < (1 if kind == "all_ignored" else 0.3)] = ignore
    return labels


for _name, (_shape, _kind, _row) in CROSS_ENTROPY.items():
    _options = {k: v for k, v in _row.items() if k not in ("scale", "weighted")}

    def _build(
        rng: Generator,
        dtype: DTypeLike,
        s: Any = _shape,
        t: Any = _kind,
        r: Any = _row,
        o: Any = _options,
    ) -> Arguments:
        x = normal(rng, s, dtype, r.get("scale", 2))
        target = _target(rng, s, t, r.get("ignore_index", -100), dtype)
        weight = 0.5 + np.asarray(rng.random(s[1]), dtype) if r.get("weighted") else None
        return (x, target, weight), dict(o)

    def _build_backward(rng: Generator, dtype: DTypeLike, build: Any = _build) -> Arguments:
        (x, target, weight), options = build(rng, dtype)
        loss, probs = reference.softmax_cross_entropy_forward(x, target, weight, **options)
        return (normal(rng, loss.shape, dtype), probs.astype(dtype), target, weight), options

    case("softmax_cross_entropy_forward", _name, _build, prod(_shape))
    case("softmax_cross_entropy_backward", _name, _build_backward, _shape[1])
