"""Windows side by side, and linear maps of their own at each position."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cases.table import case, integers, normal
from convolith import reference

# Image (N, C, H, W), kernel size, options.
PATCHES: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "3x3": ((2, 3, 7, 9), 3, {"padding": 1}),
    "2x2_apart": ((2, 3, 8, 6), 2, {"stride": 2}),
    "3x2_stride": ((2, 3, 9, 8), (3, 2), {"stride": (2, 3), "padding": (1, 0)}),
    "dilated": ((1, 4, 10, 11), 3, {"dilation": (2, 3), "padding": 2}),
    "asymmetric": ((1, 2, 6, 7), (2, 3), {"padding": (2, 0, 1, 3)}),
    "1x1": ((2, 5, 4, 3), 1, {}),
    "whole": ((2, 3, 4, 5), (4, 5), {}),
    "gaps": ((1, 2, 9, 10), 2, {"stride": 4}),
    "in_the_padding": ((1, 2, 3, 2), 2, {"padding": 5, "stride": 2}),
    "many_channels": ((1, 37, 5, 6), 3, {}),
    "large": ((1, 3, 33, 35), 3, {"padding": 1}),
    "empty_batch": ((0, 3, 7, 9), 3, {}),
}
for _name, (_x, _kernel, _options) in PATCHES.items():
    _y = reference.unfold_forward(np.zeros(_x), _kernel, **_options).shape
    case(
        "unfold_forward",
        _name,
        lambda rng, dtype, x=_x, k=_kernel, o=_options: ((normal(rng, x, dtype), k), dict(o)),
        exact=True,
    )
    for _exact, _values in ((False, normal), (True, integers)):
        case(
            "fold_forward",
            _name + "_exact" * _exact,
            lambda rng, dtype, x=_x, y=_y, k=_kernel, o=_options, v=_values: (
                (v(rng, y, dtype), x[2:], k),
                dict(o),
            ),
            prod(_y[1:]) // _x[1],
            exact=_exact,
        )

# N, I, O, L.
LOCAL_LINEAR = {
    "window": (3, 27, 5, 35),
    "more_images": (11, 9, 4, 18),
    "one_position": (2, 17, 6, 1),
    "one_feature": (2, 1, 3, 20),
    "one_output": (3, 33, 1, 17),
    "wide": (1, 70, 37, 9),
    "empty_batch": (0, 4, 3, 5),
}
for _name, (_N, _I, _O, _L) in LOCAL_LINEAR.items():
    _x, _w, _dy, _bias = (_N, _I, _L), (_L, _O, _I), (_N, _O, _L), (_O, _L)
    for _exact, _values in ((False, normal), (True, integers)):
        for _primitive, _suffix, _shapes, _length in (
            ("forward", "", (_x, _w), _I),
            ("forward", "_bias", (_x, _w, _bias), _I + 1),
            ("backward_input", "", (_dy, _w), _O),
            ("backward_weight", "", (_dy, _x), _N),
            ("backward_bias", "", (_dy,), _N),
        ):
            case(
                f"local_linear_{_primitive}",
                _name + _suffix + "_exact" * _exact,
                lambda rng, dtype, shapes=_shapes, v=_values: (
                    tuple(v(rng, s, dtype) for s in shapes),
                    {},
                ),
                _length,
                exact=_exact,
            )
