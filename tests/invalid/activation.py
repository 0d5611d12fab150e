"""Activations."""

from __future__ import annotations

import numpy as np

from invalid.table import F64, NAN, a, types, values

for _f in ("relu", "leaky_relu", "sigmoid", "tanh"):
    types(
        f"{_f}_forward",
        {
            "list": (lambda: ([1.0, 2.0],), "x", "list"),
            "int32": (lambda: (a(3, dtype=np.int32),), "x", "int32"),
            "out_dtype": (lambda: (a(3), {"out": a(3, dtype=F64)}), "out", "float32", "float64"),
        },
    )
    values(f"{_f}_forward", {"out": (lambda: (a(3), {"out": a(4)}), "out", "(3,)", "(4,)")})
    values(f"{_f}_backward", {"shapes": (lambda: (a(3), a(4)), "(3,)", "(4,)")})
    types(f"{_f}_backward", {"mixed": (lambda: (a(3), a(3, dtype=F64)), "float32", "float64")})
values("leaky_relu_forward", {"slope_nan": (lambda: (a(3), NAN), "negative_slope", "nan")})
