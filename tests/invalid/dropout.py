"""Dropout."""

from __future__ import annotations

from invalid.table import NAN, a, types, values

for _f in (
    f"{family}_{direction}"
    for family in ("dropout", "alpha_dropout", "dropout_slices")
    for direction in ("forward", "backward")
):
    values(
        _f,
        {
            "p_large": (lambda: (a(3), 1.5), "p", "1.5"),
            "p_negative": (lambda: (a(3), -0.1), "p", "-0.1"),
            "p_nan": (lambda: (a(3), NAN), "p", "nan"),
        },
    )
    types(_f, {"seed_float": (lambda: (a(3, 4), 0.5, {"seed": 1.5}), "seed", "1.5")})

for _f in ("dropout_slices_forward", "dropout_slices_backward"):
    values(
        _f,
        {
            "axes": (lambda: (a(3, 4, 5), 0.5, 3), "axes must be 0, 1 or 2", "3"),
            "axes_of_vector": (lambda: (a(3), 0.5, 2), "axes", "2", "(3,)"),
        },
    )
