"""Local response normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import Arguments, case, normal

# x, size, options: the function's, and of this table infinity (whether there are some in x).
ALEXNET = {"alpha": 5e-4, "k": 2.0}
LRN: dict[str, tuple[tuple[int, ...], int, dict[str, Any]]] = {
    "alexnet": ((2, 13, 7, 9), 5, ALEXNET),
    "defaults": ((2, 13, 7, 9), 5, {}),
    "strong": ((2, 13, 7, 9), 5, {"alpha": 3.0}),
    "even_size": ((2, 13, 7, 9), 4, {"alpha": 3.0}),
    "one_channel_windows": ((2, 6, 5, 3), 1, {"alpha": 3.0}),
    "more_than_all_channels": ((2, 6, 5, 3), 40, {"alpha": 30.0}),
    "one_channel": ((2, 1, 5, 3), 3, {"alpha": 3.0}),
    "rank3": ((3, 8, 11), 3, {"alpha": 3.0}),
    "rank5": ((2, 5, 2, 3, 5), 3, {"alpha": 3.0}),
    "one_position": ((3, 37, 1), 5, {"alpha": 3.0}),
    "several_tiles": ((1, 300, 3), 7, {"alpha": 3.0}),
    "several_strips": ((2, 9, 61, 67), 5, {"alpha": 3.0}),
    "beta_half": ((2, 13, 7, 9), 5, {"alpha": 3.0, "beta": 0.5}),
    "beta_one": ((2, 13, 7, 9), 5, {"alpha": 3.0, "beta": 1.0}),
    "beta": ((2, 13, 7, 9), 5, {"alpha": 3.0, "beta": 0.6, "k": 0.1}),
    "infinity": ((2, 13, 7, 9), 5, {"alpha": 3.0, "infinity": True}),
    "beta_infinity": ((2, 13, 7, 9), 5, {"alpha": 3.0, "beta": 0.6, "infinity": True}),
    "empty_batch": ((0, 3, 4), 3, {}),
    "empty_plane": ((2, 3, 0), 3, {}),
}
for _name, (_shape, _size, _row) in LRN.items():
    _options = {k: v for k, v in _row.items() if k != "infinity"}

    def _build(
        rng: Generator,
        dtype: DTypeLike,
        shape: Any = _shape,
        size: Any = _size,
        row: Any = _row,
        options: Any = _options,
    ) -> Arguments:
        x = normal(rng, shape, dtype, 2.0)
        if row.get("infinity"):
            x.flat[::31] = np.inf
        return (x, size), dict(options)

    def _build_backward(rng: Generator, dtype: DTypeLike, build: Any = _build) -> Arguments:
        (x, size), options = build(rng, dtype)
        return (normal(rng, x.shape, dtype), x, size), options

    case("local_response_norm_forward", _name, _build, _size)
    if not _row.get("infinity"):
        case("local_response_norm_backward", _name, _build_backward, _size)
