"""Softmax."""

from __future__ import annotations

from invalid.table import a, types, values

for _f in ("softmax", "log_softmax"):
    values(
        f"{_f}_forward",
        {
            "dim": (lambda: (a(3, 4), 2), "dim", "2"),
            "dim_negative": (lambda: (a(3, 4), -3), "dim", "-3"),
        },
    )
    types(f"{_f}_forward", {"dim_float": (lambda: (a(3, 4), 1.0), "dim", "1.0")})
    values(f"{_f}_backward", {"shapes": (lambda: (a(3, 4), a(3, 5)), "(3, 4)", "(3, 5)")})
