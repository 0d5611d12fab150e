"""Linear."""

from __future__ import annotations

from invalid.table import F64, a, types, values

values(
    "linear_forward",
    {
        "features": (lambda: (a(4, 5), a(3, 6)), "5", "6", "(4, 5)", "(3, 6)"),
        "rank_of_w": (lambda: (a(4, 5), a(5)), "w", "(5,)"),
        "bias": (lambda: (a(4, 5), a(3, 5), a(5)), "bias", "(3,)", "(5,)"),
        "no_features": (lambda: (a(4, 0), a(3, 0)), "(4, 0)"),
        "scalar": (lambda: (a(), a(3, 5)), "x"),
        "out_shape": (lambda: (a(4, 5), a(3, 5), {"out": a(3, 4)}), "out", "(4, 3)", "(3, 4)"),
    },
)
types("linear_forward", {"mixed": (lambda: (a(4, 5), a(3, 5, dtype=F64)), "float32", "float64")})
values("linear_backward_input", {"features": (lambda: (a(4, 5), a(3, 6)), "5", "3")})
values("linear_backward_bias", {"scalar": (lambda: (a(),), "dy")})
values("linear_backward_weight", {"rows": (lambda: (a(4, 5), a(3, 5)), "(4, 5)", "(3, 5)")})
