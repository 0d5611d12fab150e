"""Scaling of gradients."""

from __future__ import annotations

from invalid.table import F64, a, read_only, types, values

values(
    "scale_forward",
    {
        "factor_shape": (lambda: (a(3), a(3)), "factor", "()", "(3,)"),
        "found_shape": (lambda: (a(3), a(), a(1)), "found_inf", "()", "(1,)"),
        "found_is_factor": (lambda: (a(3), *2 * (a(),)), "found_inf", "factor"),
        "found_read_only": (lambda: (a(3), a(), read_only(a())), "found_inf", "read-only"),
        "out_shape": (lambda: (a(3), a(), {"out": a(4)}), "out", "(3,)", "(4,)"),
    },
)
types(
    "scale_forward",
    {
        "mixed": (lambda: (a(3), a(dtype=F64)), "float32", "float64"),
        "found_mixed": (lambda: (a(3), a(), a(dtype=F64)), "found_inf", "float32", "float64"),
        "number": (lambda: (a(3), 2.0), "factor", "a float"),
    },
)
