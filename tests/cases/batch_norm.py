"""Batch normalisation."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import Arguments, case, normal
from convolith import reference

# x, options: the function's, and of this table: affine, running, residual, offset (added to x),
# infinity (whether there is one).
BATCH_NORM: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "rank2": ((6, 5), {"training": True}),
    "rank3": ((4, 5, 7), {"training": True}),
    "rank4": ((3, 5, 7, 9), {"training": True}),
    "rank5": ((2, 3, 2, 3, 5), {"training": True}),
    "rank2_many_channels": ((9, 131), {"training": True}),
    "large_planes": ((2, 3, 61, 67), {"training": True}),
    "one_channel": ((2, 1, 3, 3), {"training": True}),
    "two_values": ((2, 3), {"training": True}),
    "momentum": ((3, 4, 5, 5), {"training": True, "momentum": 0.37, "eps": 1e-3}),
    "mean_over_spread": ((4, 3, 9, 9), {"training": True, "offset": 50.0}),
    "without_affine": ((3, 4, 5, 5), {"training": True, "affine": False}),
    "without_running": ((3, 4, 5, 5), {"training": True, "running": False}),
    "evaluation": ((3, 5, 7, 9), {"training": False}),
    "evaluation_rank2": ((6, 35), {"training": False}),
    "evaluation_one_value": ((1, 3, 1, 1), {"training": False}),
    "evaluation_without_affine": ((3, 4, 5, 5), {"training": False, "affine": False}),
    "evaluation_infinity": ((3, 5, 7, 9), {"training": False, "infinity": True}),
    "evaluation_empty_batch": ((0, 3, 4, 4), {"training": False}),
    "empty_batch": ((0, 3, 4, 4), {"training": True}),
    "many_channels": ((3, 37, 7, 7), {"training": True}),
    "several_blocks": ((3, 17, 53, 79), {"training": True}),
}
for _name in (
    "rank2_many_channels",
    "large_planes",
    "without_affine",
    "evaluation",
    "many_channels",
):
    _shape, _row = BATCH_NORM[_name]
    BATCH_NORM[f"{_name}_relu"] = _shape, {**_row, "activation": "relu"}
    BATCH_NORM[f"{_name}_residual"] = _shape, {**_row, "residual": True}
    BATCH_NORM[f"{_name}_residual_relu"] = _shape, {**_row, "residual": True, "activation": "relu"}


def _batch_norm_rows(name: str) -> None:
    shape, row = BATCH_NORM[name]
    affine, running = row.get("affine", True), row.get("running", True)
    ours = ("affine", "running", "residual", "offset", "infinity")
    options = {k: v for k, v in row.items() if k not in ours}
    activation, training = options.get("activation", "identity"), options["training"]

    def build(rng: Generator, dtype: DTypeLike) -> Arguments:
        x = normal(rng, shape, dtype) + np.asarray(row.get("offset", 0.5), dtype=dtype)
        if row.get("infinity"):
            x.flat[0] = np.inf
        c = (shape[1],)
        vectors = [normal(rng, c, dtype), normal(rng, c, dtype)] if affine else [None, None]
        statistics = [normal(rng, c, dtype), 0.5 + np.abs(normal(rng, c, dtype))]
        residual = normal(rng, shape, dtype) if row.get("residual") else None
        return (x, *vectors, *(statistics if running else [None, None]), residual), options

    def build_backward(rng: Generator, dtype: DTypeLike) -> Arguments:
        args, kwargs = build(rng, dtype)
        x, weight, bias = args[:3]
        results = reference.batch_norm_forward(*args, **kwargs)
        y, mean, invstd = (np.asarray(r).astype(dtype) for r in results)
        given = activation == "relu" and row.get("residual")
        more = {"training": training, "activation": activation}
        return (
            normal(rng, shape, dtype),
            x,
            weight,
            mean,
            invstd,
            bias,
            y if given else None,
        ), more

    values = shape[0] * prod(shape[2:])
    in_place = ("running_mean", "running_var") if training and running else ()
    case("batch_norm_forward", name, build, values, in_place=in_place)
    case("batch_norm_backward", name, build_backward, values)


for _name in BATCH_NORM:
    _batch_norm_rows(_name)
