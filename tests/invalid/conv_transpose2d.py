"""Transposed convolution."""

from __future__ import annotations

from invalid.table import F64, a, types, values

X, W = (2, 4, 5, 6), (4, 3, 3, 3)
values(
    "conv_transpose2d_forward",
    {
        "rank": (lambda: (a(4, 5, 6), a(*W)), "x", "(4, 5, 6)"),
        "weight_rank": (lambda: (a(*X), a(4, 3, 3)), "w", "(4, 3, 3)"),
        "channels": (lambda: (a(*X), a(3, 4, 3, 3)), "4", "3", "(3, 4, 3, 3)"),
        "groups": (lambda: (a(*X), a(*W), {"groups": 3}), "groups", "3", "4"),
        "groups_zero": (lambda: (a(*X), a(*W), {"groups": 0}), "groups", "0"),
        "bias": (lambda: (a(*X), a(*W), a(4)), "bias", "(3,)", "(4,)"),
        "stride": (lambda: (a(*X), a(*W), {"stride": 0}), "stride", "0"),
        "output_padding": (
            lambda: (a(*X), a(*W), {"stride": 2, "output_padding": (1, 2)}),
            *("output_padding", "(1, 2)", "stride", "(2, 2)"),
        ),
        "output_padding_negative": (
            lambda: (a(*X), a(*W), {"stride": 2, "output_padding": -1}),
            *("output_padding", "-1"),
        ),
        "padding_negative": (lambda: (a(*X), a(*W), {"padding": -1}), "padding", "-1"),
        "nothing_left": (lambda: (a(*X), a(*W), {"padding": (4, 0)}), "(-1, 8)", "(4, 4, 0, 0)"),
        "out": (lambda: (a(*X), a(*W), {"out": a(2, 3, 7, 9)}), "out", "(2, 3, 7, 8)"),
    },
)
types(
    "conv_transpose2d_forward",
    {
        "mixed": (lambda: (a(*X), a(*W, dtype=F64)), "float32", "float64"),
        "same": (lambda: (a(*X), a(*W), {"padding": "same"}), "padding", "same"),
    },
)
