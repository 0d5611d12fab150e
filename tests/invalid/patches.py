"""Windows side by side, and linear maps of their own at each position."""

from __future__ import annotations

from invalid.table import F64, I64, X, a, types, values

values(
    "unfold_forward",
    {
        "rank": (lambda: (a(3, 8, 9), 2), "x", "(3, 8, 9)"),
        "kernel_zero": (lambda: (a(*X), 0), "kernel_size", "0"),
        "stride_zero": (lambda: (a(*X), 2, {"stride": 0}), "stride", "0"),
        "padding_negative": (lambda: (a(*X), 2, {"padding": -1}), "padding", "-1"),
        "too_large": (lambda: (a(*X), 5, {"dilation": 2}), "(9, 9)", "(8, 9)"),
    },
)
types(
    "unfold_forward",
    {
        "int64": (lambda: (a(*X, dtype=I64), 2), "x", "int64"),
        "same": (lambda: (a(*X), 2, {"padding": "same"}), "padding", "same"),
    },
)
values(
    "fold_forward",
    {
        "rank": (lambda: (a(2, 12, 4, 5), (5, 6), 2), "x", "(2, 12, 4, 5)"),
        "channels": (lambda: (a(2, 10, 20), (5, 6), 2), "10", "4", "(2, 2)"),
        "windows": (lambda: (a(2, 12, 21), (5, 6), 2), "21", "(5, 6)", "4 x 5 = 20"),
        "size_zero": (lambda: (a(2, 12, 20), (0, 6), 2), "output_size", "(0, 6)"),
        "too_small": (lambda: (a(2, 12, 20), (1, 6), 2), "output_size", "(2, 2)", "(1, 6)"),
    },
)
values(
    "local_linear_forward",
    {
        "rank": (lambda: (a(2, 3), a(5, 4, 3)), "x", "(2, 3)"),
        "positions": (lambda: (a(2, 3, 5), a(6, 4, 3)), "(2, 3, 5)", "(6, 4, 3)", "L"),
        "features": (lambda: (a(2, 3, 5), a(5, 4, 2)), "(2, 3, 5)", "(5, 4, 2)", "I"),
        "bias": (lambda: (a(2, 3, 5), a(5, 4, 3), a(5, 4)), "bias", "(4, 5)", "(5, 4)"),
        "empty": (lambda: (a(2, 0, 5), a(5, 4, 0)), "x", "(2, 0, 5)"),
    },
)
types(
    "local_linear_forward",
    {"mixed": (lambda: (a(2, 3, 5), a(5, 4, 3, dtype=F64)), "float32", "float64")},
)
values(
    "local_linear_backward_input",
    {"outputs": (lambda: (a(2, 3, 5), a(5, 4, 3)), "dy", "(2, 4, 5)", "(2, 3, 5)")},
)
values(
    "local_linear_backward_weight",
    {
        "images": (lambda: (a(3, 4, 5), a(2, 3, 5)), "dy", "(2, 4, 5)", "(3, 4, 5)"),
        "positions": (lambda: (a(2, 4, 6), a(2, 3, 5)), "dy", "(2, 4, 5)", "(2, 4, 6)"),
    },
)
values("local_linear_backward_bias", {"rank": (lambda: (a(4, 5),), "dy", "(4, 5)")})
