"""Local response normalisation."""

from __future__ import annotations

from invalid.table import F64, NAN, a, types, values

X = (2, 3, 4)
values(
    "local_response_norm_forward",
    {
        "rank": (lambda: (a(2, 3), 5), "3 axes or more", "(2, 3)"),
        "size": (lambda: (a(*X), 0), "size", "at least 1", "0"),
        "alpha_negative": (lambda: (a(*X), 5, -1e-4), "alpha", "at least 0"),
        "beta_nan": (lambda: (a(*X), 5, 1e-4, NAN), "beta", "nan"),
        "k_zero": (lambda: (a(*X), 5, 1e-4, 0.75, 0.0), "k must be above 0", "0"),
        "out": (lambda: (x := a(*X), 5, {"out": x}), "out", "shares memory"),
    },
)
types("local_response_norm_forward", {"size_type": (lambda: (a(*X), 2.5), "size", "an int")})
values(
    "local_response_norm_backward",
    {"dy": (lambda: (a(2, 3, 5), a(*X), 5), "dy", "(2, 3, 5)", "(2, 3, 4)")},
)
types(
    "local_response_norm_backward",
    {"mixed": (lambda: (a(*X, dtype=F64), a(*X), 5), "dy", "float64", "float32")},
)
