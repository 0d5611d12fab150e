"""Transposed convolution: what its primitive adds to convolution's input gradient."""

from __future__ import annotations

from math import prod
from typing import Any

from cases.table import case, integers, normal

# x (N, C, H, W), w (C, K/G, R, S), options.
CONV_TRANSPOSE2D: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "2x2_stride2": ((2, 5, 6, 7), (5, 3, 2, 2), {"stride": 2}),
    "3x3_stride2": ((2, 4, 5, 6), (4, 7, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "3x3": ((1, 3, 8, 9), (3, 21, 3, 3), {"padding": 1}),
    "4x4_stride2_dcgan": ((2, 24, 4, 4), (24, 16, 4, 4), {"stride": 2, "padding": 1}),
    "1x1": ((2, 9, 5, 4), (9, 6, 1, 1), {}),
    "one_pixel": ((3, 8, 1, 1), (8, 5, 4, 4), {}),
    "1x5": ((2, 4, 1, 13), (4, 3, 1, 5), {"stride": (1, 3), "output_padding": (0, 2)}),
    "dilated": ((1, 3, 6, 5), (3, 4, 3, 2), {"dilation": (2, 3), "padding": 1}),
    "grouped": ((2, 6, 5, 7), (6, 2, 3, 3), {"stride": 2, "groups": 3}),
    "depthwise": ((2, 8, 5, 6), (8, 1, 3, 3), {"groups": 8, "padding": 1}),
    "stride_over_kernel": ((2, 3, 4, 5), (3, 4, 2, 2), {"stride": 3, "output_padding": 2}),
    "crops": ((1, 3, 6, 7), (3, 4, 3, 3), {"padding": (3, 2, 0, 4)}),
    "large": ((1, 16, 17, 19), (16, 32, 3, 3), {"stride": 2, "padding": 1}),
    "empty_batch": ((0, 3, 4, 5), (3, 4, 3, 3), {"stride": 2}),
}
for _name, (_x, _w, _options) in CONV_TRANSPOSE2D.items():
    _channels = _w[1] * _options.get("groups", 1)
    for _biased in (False, True):
        for _exact, _values in ((False, normal), (True, integers)):
            case(
                "conv_transpose2d_forward",
                _name + "_bias" * _biased + "_exact" * _exact,
                lambda rng, dtype, x=_x, w=_w, k=_channels * _biased, o=_options, v=_values: (
                    (v(rng, x, dtype), v(rng, w, dtype), *([v(rng, (k,), dtype)] if k else [])),
                    dict(o, algo="direct") if v is integers else dict(o),
                ),
                _w[0] // _options.get("groups", 1) * prod(_w[2:]) + 1,
                exact=_exact,
            )
