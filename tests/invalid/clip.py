"""Norms of gradients, and bounds."""

from __future__ import annotations

import numpy as np

from invalid.table import F64, NAN, a, types, values

values(
    "total_norm_forward",
    {
        "none": (lambda: ([],), "at least one array"),
        "p": (lambda: ([a(3)], 3.0), "p must be 1, 2 or inf", "got 3"),
        "p_nan": (lambda: ([a(3)], NAN), "p must be", "nan"),
        "p_minus_inf": (lambda: ([a(3)], -np.inf), "p must be", "-inf"),
        "out": (lambda: ([a(3)], {"out": a(1)}), "out", "()", "(1,)"),
    },
)
types(
    "total_norm_forward",
    {
        "array": (lambda: (a(3),), "xs", "tuple or list", "ndarray"),
        "mixed": (lambda: ([a(3), a(3, dtype=F64)],), "float32", "float64"),
        "p_text": (lambda: ([a(3)], "2"), "p must be a number", "'2'"),
    },
)
values(
    "clip_forward",
    {
        "negative": (lambda: (a(3), -0.5), "limit", "-0.5"),
        "nan": (lambda: (a(3), NAN), "limit", "nan"),
        "out": (lambda: (a(3), 1.0, {"out": a(4)}), "out", "(3,)", "(4,)"),
    },
)
types("clip_forward", {"limit_text": (lambda: (a(3), "1"), "limit", "'1'")})
