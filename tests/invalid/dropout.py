"""Dropout."""

from __future__ import annotations

from invalid.table import NAN, a, types, values

for _f in ("dropout_forward", "dropout_backward"):
    values(
        _f,
        {
            "p_large": (lambda: (a(3), 1.5), "p", "1.5"),
            "p_negative": (lambda: (a(3), -0.1), "p", "-0.1"),
            "p_nan": (lambda: (a(3), NAN), "p", "nan"),
        },
    )
    types(_f, {"seed_float": (lambda: (a(3), 0.5, {"seed": 1.5}), "seed", "1.5")})
