"""Padding and resizing."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cases.table import case, integers, normal, with_nan
from convolith import reference

# x (N, C, H, W), padding, options.
PAD2D: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "zeros": ((2, 3, 5, 6), 2, {}),
    "value": ((2, 4, 5, 6), (1, 0, 3, 2), {"value": -1.5}),
    "crops": ((2, 3, 7, 8), (-2, -1, -3, 0), {}),
    "crops_and_pads": ((1, 3, 7, 8), (-2, 3, 4, -6), {"value": 2.0}),
    "none": ((1, 3, 4, 5), 0, {}),
    "reflect": ((2, 3, 5, 6), (4, 3, 5, 1), {"mode": "reflect"}),
    "reflect_one": ((1, 8, 2, 3), (0, 1, 2, 0), {"mode": "reflect"}),
    "replicate": ((2, 3, 5, 6), (7, 0, 2, 9), {"mode": "replicate"}),
    "replicate_pixel": ((2, 3, 1, 1), (2, 1, 0, 3), {"mode": "replicate"}),
    "circular": ((2, 3, 5, 6), (5, 2, 0, 6), {"mode": "circular"}),
    "channels": ((2, 40, 3, 4), 1, {"mode": "reflect"}),
    "large": ((1, 3, 61, 67), 3, {"mode": "replicate"}),
    "empty_batch": ((0, 3, 5, 6), 1, {}),
}
for _name, (_x, _padding, _options) in PAD2D.items():
    _y = reference.pad2d_forward(np.zeros(_x), _padding, **_options).shape
    case(
        "pad2d_forward",
        _name,
        lambda rng, dtype, x=_x, p=_padding, o=_options: ((with_nan(rng, x, dtype), p), dict(o)),
        exact=True,
    )
    _mode = {"mode": _options["mode"]} if "mode" in _options else {}
    for _exact, _values in ((False, normal), (True, integers)):
        case(
            "pad2d_backward",
            _name + "_exact" * _exact,
            lambda rng, dtype, x=_x, y=_y, p=_padding, m=_mode, v=_values: (
                (v(rng, y, dtype), x, p),
                dict(m),
            ),
            prod(_y[2:]),
            exact=_exact,
        )

# x (N, C, H, W), size or scale factor.
RESIZE: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "twice": ((2, 3, 5, 7), {"scale_factor": 2}),
    "larger": ((2, 4, 5, 6), {"size": (13, 8)}),
    "smaller": ((2, 3, 11, 13), {"size": (4, 5)}),
    "half": ((1, 8, 8, 10), {"scale_factor": 0.5}),
    "factors": ((1, 3, 7, 9), {"scale_factor": (1.7, 0.6)}),
    "same": ((2, 3, 5, 6), {"size": (5, 6)}),
    "to_one": ((2, 3, 5, 6), {"size": 1}),
    "from_one": ((2, 3, 1, 1), {"size": (4, 3)}),
    "divides": ((1, 1, 2, 49), {"size": (98, 7)}),
    "channels": ((1, 37, 3, 4), {"size": (7, 5)}),
    "large": ((1, 3, 31, 33), {"scale_factor": 2.5}),
    "empty_batch": ((0, 3, 5, 6), {"size": 3}),
}
MODES: dict[str, dict[str, Any]] = {
    "nearest": {},
    "bilinear": {"mode": "bilinear"},
    "aligned": {"mode": "bilinear", "align_corners": True},
}
for _name, (_x, _options) in RESIZE.items():
    for _kind, _mode in MODES.items():
        _o = {**_options, **_mode}
        _y = reference.interpolate2d_forward(np.zeros(_x), **_o).shape
        case(
            "interpolate2d_forward",
            f"{_name}_{_kind}",
            lambda rng, dtype, x=_x, o=_o: ((normal(rng, x, dtype),), dict(o)),
            4 if _mode else 1,
            exact=not _mode,
        )
        case(
            "interpolate2d_backward",
            f"{_name}_{_kind}",
            lambda rng, dtype, x=_x, y=_y, o=_o: ((normal(rng, y, dtype), x), dict(o)),
            prod(_y[2:]),
        )
