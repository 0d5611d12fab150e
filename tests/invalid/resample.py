"""Padding and resizing."""

from __future__ import annotations

from invalid.table import I64, NAN, X, a, types, values

values(
    "pad2d_forward",
    {
        "rank": (lambda: (a(3, 8, 9), 1), "x", "(3, 8, 9)"),
        "mode": (lambda: (a(*X), 1, {"mode": "mirror"}), "mode", "mirror"),
        "reflect": (
            lambda: (a(*X), (8, 0, 0, 0), {"mode": "reflect"}),
            *("reflect", "smaller than", "(8, 9)", "(8, 0, 0, 0)"),
        ),
        "circular": (lambda: (a(*X), (0, 0, 10, 0), {"mode": "circular"}), "at most", "(8, 9)"),
        "crop": (lambda: (a(*X), -1, {"mode": "replicate"}), "crops", "'constant'", "replicate"),
        "nothing_left": (lambda: (a(*X), (-4, -4, 0, 0)), "nothing", "(2, 3, 8, 9)"),
    },
)
types(
    "pad2d_forward",
    {
        "int64": (lambda: (a(*X, dtype=I64), 1), "x", "int64"),
        "same": (lambda: (a(*X), "same"), "padding", "same"),
        "value": (lambda: (a(*X), 1, {"value": "a"}), "value", "'a'"),
    },
)
values(
    "pad2d_backward",
    {
        "dy": (lambda: (a(2, 3, 8, 9), X, 1), "dy", "(2, 3, 10, 11)", "(2, 3, 8, 9)"),
        "input_shape": (lambda: (a(2, 3, 10, 11), (3, 8, 9), 1), "input_shape", "(3, 8, 9)"),
    },
)
values(
    "interpolate2d_forward",
    {
        "rank": (lambda: (a(3, 8, 9), 4), "x", "(3, 8, 9)"),
        "neither": (lambda: (a(*X),), "size", "scale_factor", "neither"),
        "both": (lambda: (a(*X), 4, 2.0), "size", "scale_factor", "both"),
        "size_zero": (lambda: (a(*X), 0), "size", "0"),
        "factor_small": (lambda: (a(*X), None, 0.1), "scale_factor", "0.1", "8"),
        "factor_negative": (lambda: (a(*X), None, (2, -1.0)), "scale_factor", "-1"),
        "factor_nan": (lambda: (a(*X), None, NAN), "scale_factor", "nan"),
        "mode": (lambda: (a(*X), 4, {"mode": "bicubic"}), "mode", "bicubic"),
        "align": (lambda: (a(*X), 4, {"align_corners": True}), "align_corners", "nearest"),
    },
)
types(
    "interpolate2d_forward",
    {
        "size_float": (lambda: (a(*X), 4.0), "size", "4.0"),
        "factor_text": (lambda: (a(*X), None, "2"), "scale_factor", "'2'"),
    },
)
values(
    "interpolate2d_backward",
    {"dy": (lambda: (a(2, 3, 4, 5), X, 4), "dy", "(2, 3, 4, 4)", "(2, 3, 4, 5)")},
)
