"""Operators that broadcast, powers, sums and means, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.elementwise import ELEMENTWISE
from cases.table import case, normal, specials, with_nan
from convolith import reference

Shape = tuple[int, ...]

# Shapes of a and b; every case also goes with a and b exchanged.
BROADCAST: dict[str, tuple[Shape, Shape]] = {
    "gate": ((2, 3, 5, 7), (2, 3, 1, 1)),
    "gate_of_packs": ((2, 16, 3, 5), (2, 16, 1, 1)),
    "channels": ((2, 19, 5, 7), (1, 19, 1, 1)),
    "channels_of_packs": ((3, 24, 2, 2), (1, 24, 1, 1)),
    "positions": ((2, 8, 3, 5), (1, 1, 3, 5)),
    "vector": ((5, 19), (19,)),
    "vector_of_packs": ((33, 64), (64,)),
    "outer": ((5, 1), (1, 70)),
    "both": ((4, 1, 6), (3, 1)),
    "apart": ((3, 1, 2, 8), (3, 5, 1, 8)),
    "scalar": ((3, 4), ()),
    "one": ((3, 4, 2), (1, 1, 1)),
    "lower_rank": ((2, 3, 4, 5), (3, 4, 5)),  # channels are another axis
    "matrix": ((2, 3, 4, 5), (4, 5)),
    "long_rows": ((2, 20001), (2, 1)),
    "many_rows": ((2100, 3, 2), (2,)),
    "empty": ((0, 3), (3,)),
    "empty_axis": ((1, 3), (0, 3)),
}
PAIRS = {
    **{name: (shape, shape) for name, shape in ELEMENTWISE.items()},
    **{f"broadcast_{name}": shapes for name, shapes in BROADCAST.items()},
    **{f"exchanged_{name}": (b, a) for name, (a, b) in BROADCAST.items()},
}
OPERATORS = ("add", "subtract", "multiply", "divide")

for _operator in OPERATORS:
    for _name, _shapes in PAIRS.items():
        case(
            f"{_operator}_forward",
            _name,
            lambda rng, dtype, ss=_shapes: (tuple(normal(rng, s, dtype) for s in ss), {}),
            exact=True,  # one rounding, of the result for two rounded numbers
        )
    for _name, _shape in {"number": (3, 5, 7), "number_beside_packs": (64,)}.items():
        case(
            f"{_operator}_forward",
            _name,
            lambda rng, dtype, s=_shape: ((normal(rng, s, dtype), 0.75), {}),
            exact=True,
        )
        case(
            f"{_operator}_forward",
            f"{_name}_first",
            lambda rng, dtype, s=_shape: ((-3, normal(rng, s, dtype)), {}),
            exact=True,
        )
    case(
        f"{_operator}_forward",
        "specials",
        lambda rng, dtype: (
            (specials(rng, (13, 13), dtype), specials(rng, (13,), dtype)[::-1]),
            {},
        ),
        exact=_operator != "divide",  # where float32 overflows
    )

# Gradients of the first of two operands; how many terms add up to one element of it.
for _name, (_a, _b) in PAIRS.items():
    _y = np.broadcast_shapes(_a, _b)
    _terms = int(np.prod(_y)) // max(int(np.prod(_a)), 1)
    for _primitive in ("add_backward", "subtract_backward_b"):
        case(
            _primitive,
            _name,
            lambda rng, dtype, y=_y, a=_a: ((normal(rng, y, dtype), a), {}),
            length=_terms,
        )
    for _primitive in ("multiply_backward", "divide_backward_a"):
        case(
            _primitive,
            _name,
            lambda rng, dtype, y=_y, a=_a, b=_b: (
                (normal(rng, y, dtype), normal(rng, b, dtype), a),
                {},
            ),
            length=_terms,
        )
    case(
        "divide_backward_b",
        _name,
        lambda rng, dtype, y=_y, a=_a: (
            (normal(rng, y, dtype), normal(rng, y, dtype), normal(rng, a, dtype)),
            {},
        ),
        length=_terms,
    )
for _primitive in ("multiply_backward", "divide_backward_a"):
    case(
        _primitive,
        "number",
        lambda rng, dtype: ((normal(rng, (3, 5, 7), dtype), -1.5, (3, 5, 7)), {}),
    )

for _exponent in (-3, -2, -1, -0.5, 0, 0.5, 0.75, 1, 2, 3, 4, 5.5):
    for _name, _values in {"": normal, "_specials": specials}.items():
        case(
            "power_forward",
            f"to_{_exponent}{_name}",
            lambda rng, dtype, e=_exponent, v=_values: ((v(rng, (3, 5, 7), dtype), e), {}),
        )
    case(
        "power_backward",
        f"to_{_exponent}",
        lambda rng, dtype, e=_exponent: (
            (normal(rng, (3, 5, 7), dtype), normal(rng, (3, 5, 7), dtype), e),
            {},
        ),
    )
for _name, _shape in ELEMENTWISE.items():
    case("power_forward", _name, lambda rng, dtype, s=_shape: ((normal(rng, s, dtype), 2), {}))
    case(
        "power_backward",
        _name,
        lambda rng, dtype, s=_shape: ((normal(rng, s, dtype), normal(rng, s, dtype), 3), {}),
    )

# Shape of x, and dim.
SUMS: dict[str, tuple[Shape, Any]] = {
    "everything": ((3, 4, 5), None),
    "no_axis_named": ((3, 4), ()),
    "scalar": ((), None),
    "one": ((1,), None),
    "long": ((70001,), None),
    "long_of_packs": ((70000,), 0),
    "rows": ((3, 5, 7), -1),
    "short_rows": ((300, 3), 1),
    "long_rows": ((3, 20001), 1),
    "columns": ((31, 70), 0),
    "columns_of_packs": ((65, 128), 0),
    "long_columns": ((40000, 3), 0),
    "middle": ((3, 9, 5), 1),
    "positions": ((2, 3, 5, 7), (2, 3)),
    "positions_of_packs": ((2, 16, 5, 8), (-1, -2)),
    "all_but_channels": ((2, 19, 5, 7), (0, 2, 3)),
    "channels": ((2, 19, 5, 7), 1),
    "batch": ((3, 5, 2, 4), 0),  # what remains has other channels
    "batch_and_channels": ((3, 5, 2, 4), (0, 1)),
    "apart": ((3, 4, 5, 6), (0, 2)),
    "others_apart": ((3, 4, 5, 6), (1, 3)),
    "axes_of_one": ((2, 1, 3, 1, 4), (1, 2)),
    "of_nothing": ((0, 3), 0),
    "empty": ((0, 3), 1),
}
for _kind in ("sum", "mean"):
    for _name, (_shape, _dim) in SUMS.items():
        for _keep in (False, True):
            _suffix = "_kept" if _keep else ""
            _sum = reference.sum_forward(np.zeros(_shape), _dim, _keep).shape
            case(
                f"{_kind}_forward",
                _name + _suffix,
                lambda rng, dtype, s=_shape, d=_dim, k=_keep: ((normal(rng, s, dtype), d, k), {}),
                length=int(np.prod(_shape)) // max(int(np.prod(_sum)), 1),
            )
            case(
                f"{_kind}_backward",
                _name + _suffix,
                lambda rng, dtype, y=_sum, s=_shape, d=_dim, k=_keep: (
                    (normal(rng, y, dtype), s, d, k),
                    {},
                ),
            )
    case(f"{_kind}_forward", "nan", lambda rng, dtype: ((with_nan(rng, (9, 70), dtype), 1), {}))
    case(f"{_kind}_forward", "nans", lambda rng, dtype: ((with_nan(rng, (3, 70), dtype), 0), {}))
