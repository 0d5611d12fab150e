"""Layer norm, group norm and instance norm."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import Arguments, case, normal
from convolith import reference

Shape = tuple[int, ...]

# x, how many of its last axes are normalised; of this table: affine ('both', 'weight' or ''),
# offset (added to x).
LAYER_NORM: dict[str, tuple[Shape, int, dict[str, Any]]] = {
    "vector": ((9,), 1, {}),
    "rank2": ((7, 33), 1, {}),
    "short_rows": ((131, 5), 1, {}),
    "rank3": ((3, 4, 7), 1, {}),
    "rank3_two_axes": ((3, 4, 7), 2, {}),
    "rank4_last": ((2, 3, 5, 7), 1, {}),
    "rank4_two_axes": ((2, 3, 5, 7), 2, {}),
    "rank4_three_axes": ((2, 3, 5, 7), 3, {}),
    "everything": ((5, 7), 2, {}),
    "one_value": ((4, 1), 1, {}),
    "many_rows": ((300, 64), 1, {}),
    "rows_of_1000": ((3, 1000), 1, {}),
    "rows_of_5000": ((2, 5000), 1, {}),
    "rows_of_9000": ((2, 9000), 1, {}),
    "without_affine": ((7, 33), 1, {"affine": ""}),
    "without_bias": ((7, 33), 1, {"affine": "weight"}),
    "mean_over_spread": ((5, 77), 1, {"offset": 50.0}),
    "eps": ((7, 33), 1, {"eps": 1e-2}),
    "empty_batch": ((0, 5), 1, {}),
}
# x, groups and the same.
GROUP_NORM: dict[str, tuple[Shape, int, dict[str, Any]]] = {
    "rank2": ((6, 15), 5, {}),
    "rank2_many_rows": ((140, 35), 5, {}),
    "rank2_vectors_of_channels": ((6, 12), 4, {}),
    "rank3": ((3, 6, 11), 2, {}),
    "rank4": ((3, 6, 5, 7), 3, {}),
    "rank5": ((2, 6, 2, 3, 5), 3, {}),
    "one_group": ((3, 5, 7, 3), 1, {}),
    "groups_across_vectors": ((2, 12, 5, 3), 4, {}),
    "channels_of_two_positions": ((2, 8, 2), 2, {}),
    "large_planes": ((2, 3, 61, 67), 1, {}),
    "large_rows": ((5, 8, 31, 37), 4, {}),
    "several_chunks": ((2, 15, 53, 79), 5, {}),
    "without_affine": ((3, 6, 5, 7), 3, {"affine": ""}),
    "without_bias": ((3, 6, 5, 7), 3, {"affine": "weight"}),
    "mean_over_spread": ((2, 6, 9, 9), 2, {"offset": 50.0}),
    "empty_batch": ((0, 6, 4), 3, {}),
}
# x and the same, with running (whether there are running statistics).
INSTANCE_NORM: dict[str, tuple[Shape, dict[str, Any]]] = {
    "rank3": ((3, 5, 11), {}),
    "rank4": ((3, 5, 7, 9), {}),
    "two_values": ((2, 3, 2), {}),
    "many_channels": ((3, 36, 5, 7), {}),
    "large_planes": ((2, 3, 61, 67), {}),
    "several_chunks": ((1, 3, 203, 79), {}),
    "without_affine": ((3, 5, 7, 9), {"affine": ""}),
    "running": ((3, 5, 7, 9), {"running": True}),
    "running_momentum": ((4, 6, 13), {"running": True, "affine": "", "momentum": 0.37}),
    "mean_over_spread": ((2, 6, 9, 9), {"running": True, "offset": 50.0}),
    "constant": ((2, 3, 4, 4), {"running": True, "scale": 0.0}),
    "empty_batch": ((0, 3, 4, 4), {"running": True}),
}
_OURS = ("affine", "offset", "running", "scale")


def _rows(
    primitive: str, name: str, shape: Shape, size: int, own: Any, row: dict[str, Any]
) -> None:
    """`size`: elements of a row; `own`: normalized_shape or num_groups, None for instance norm."""
    options = {k: v for k, v in row.items() if k not in _OURS}
    vectors: Shape = own if isinstance(own, tuple) else (shape[1],)
    first = [] if own is None else [own]
    running = row.get("running", False)

    def build(rng: Generator, dtype: DTypeLike) -> Arguments:
        x = normal(rng, shape, dtype, row.get("scale", 1.0))
        x = x + np.asarray(row.get("offset", 0.5), dtype=dtype)
        affine = row.get("affine", "both")
        weight = normal(rng, vectors, dtype) if affine else None
        bias = normal(rng, vectors, dtype) if affine == "both" else None
        statistics = [normal(rng, vectors, dtype), 0.5 + np.abs(normal(rng, vectors, dtype))]
        return (x, *first, weight, bias, *(statistics if running else [])), options

    def build_backward(rng: Generator, dtype: DTypeLike) -> Arguments:
        args, kwargs = build(rng, dtype)
        x, weight = args[0], args[1 + len(first)]
        _, mean, invstd = getattr(reference, f"{primitive}_forward")(*args, **kwargs)
        statistics = (np.asarray(v).astype(dtype) for v in (mean, invstd))
        return (normal(rng, shape, dtype), x, *first, weight, *statistics), {}

    in_place = ("running_mean", "running_var") if running else ()
    per_parameter = prod(shape) // prod(vectors)
    case(f"{primitive}_forward", name, build, size, in_place=in_place)
    case(f"{primitive}_backward", name, build_backward, max(size, per_parameter))


for _name, (_shape, _axes, _row) in LAYER_NORM.items():
    _last = _shape[-_axes:]
    _rows("layer_norm", _name, _shape, prod(_last), _last, _row)
for _name, (_shape, _groups, _row) in GROUP_NORM.items():
    _rows("group_norm", _name, _shape, prod(_shape[1:]) // _groups, _groups, _row)
for _name, (_shape, _row) in INSTANCE_NORM.items():
    _rows("instance_norm", _name, _shape, prod(_shape[2:]), None, _row)
