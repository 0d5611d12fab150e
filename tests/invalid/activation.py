"""Activations."""

from __future__ import annotations

import numpy as np

from cases.activation import ACTIVATIONS
from invalid.table import F64, NAN, a, types, values

for _f in ACTIVATIONS:
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

# A number where there is one.
_NUMBERS = {
    "leaky_relu": ["negative_slope"],
    "hardtanh": ["min_val", "max_val"],
    "step": ["values"],
    "elu": ["alpha"],
    "softplus": ["beta", "threshold"],
    "silu": ["beta"],
}
for _f, _names in _NUMBERS.items():
    for _name in _names:
        for _direction, _arrays in (("forward", 1), ("backward", 2)):

            def _given(value: object, n: int = _arrays, name: str = _name) -> tuple[object, ...]:
                return (*[a(3)] * n, {name: value})

            values(
                f"{_f}_{_direction}",
                {
                    f"{_name}_nan": (lambda given=_given: given(NAN), _name, "nan"),
                    f"{_name}_infinite": (lambda given=_given: given(np.inf), _name, "inf"),
                },
            )
            types(
                f"{_f}_{_direction}",
                {f"{_name}_text": (lambda given=_given: given("a"), _name, "'a'")},
            )
values(
    "softplus_forward",
    {"beta_zero": (lambda: (a(3), {"beta": 0}), "beta must not be 0")},
)
values(
    "gelu_forward",
    {"approximate": (lambda: (a(3), "erf"), "approximate", "'none'", "'tanh'", "'erf'")},
)
types("gelu_backward", {"approximate_type": (lambda: (a(3), a(3), 1), "approximate", "a str", "1")})

values(
    "prelu_forward",
    {
        "slopes": (lambda: (a(2, 3, 4), a(4)), "weight", "(4,)", "(3,)"),
        "no_slope": (lambda: (a(2, 3, 4), a(0)), "weight", "(0,)", "(3,)"),
        "rank": (lambda: (a(3), a(3)), "weight of shape (3,)", "(N, C, *)", "(3,)"),
        "scalar_slope": (lambda: (a(2, 3), a()), "weight", "()", "(3,)"),
        "out": (lambda: (a(3), a(1), {"out": a(4)}), "out", "(3,)", "(4,)"),
    },
)
types(
    "prelu_forward",
    {
        "list": (lambda: ([1.0], a(1)), "x", "list"),
        "mixed": (lambda: (a(3), a(1, dtype=F64)), "weight", "float32", "float64"),
    },
)
values(
    "prelu_backward",
    {
        "shapes": (lambda: (a(2, 3), a(3, 3), a(3)), "dy", "(2, 3)", "(3, 3)"),
        "slopes": (lambda: (a(2, 3), a(2, 3), a(2)), "weight", "(2,)", "(3,)"),
    },
)
types("prelu_backward", {"mixed": (lambda: (a(3, dtype=F64), a(3), a(1)), "float32", "float64")})

values(
    "maxout_forward",
    {
        "pieces": (lambda: (a(2, 6), 4), "6 channels", "pieces", "4"),
        "no_piece": (lambda: (a(2, 6), 0), "pieces", "at least 1", "0"),
        "negative": (lambda: (a(2, 6), -2), "pieces", "at least 1", "-2"),
        "rank": (lambda: (a(6), 2), "(N, C, *)", "(6,)"),
        "out": (lambda: (a(2, 6), 2, {"out": a(2, 6)}), "out", "(2, 3)", "(2, 6)"),
    },
)
types(
    "maxout_forward",
    {
        "list": (lambda: ([1.0], 1), "x", "list"),
        "pieces_type": (lambda: (a(2, 6), 1.5), "pieces", "an int", "1.5"),
    },
)
values(
    "maxout_backward",
    {
        "shapes": (lambda: (a(2, 6), a(2, 6), 2), "dy", "(2, 6)", "(2, 3)"),
        "pieces": (lambda: (a(2, 6), a(2, 6), 5), "6 channels", "5"),
    },
)
types("maxout_backward", {"mixed": (lambda: (a(2, 3), a(2, 6, dtype=F64), 2), "float32")})
