"""Operators that broadcast, powers, sums and means."""

from __future__ import annotations

import numpy as np

from invalid.table import F64, a, types, values

for _operator in ("add", "subtract", "multiply", "divide"):
    values(
        f"{_operator}_forward",
        {
            "shapes": (lambda: (a(2, 3), a(4)), "shapes (2, 3) and (4,) do not broadcast"),
            "inner": (lambda: (a(2, 3, 1), a(3, 2, 1)), "(2, 3, 1)", "(3, 2, 1)"),
            "out": (lambda: (a(2, 3), a(3), {"out": a(3)}), "out", "(2, 3)", "(3,)"),
        },
    )
    types(
        f"{_operator}_forward",
        {
            "mixed": (lambda: (a(3), a(3, dtype=F64)), "a is float32 but b is float64"),
            "integers": (lambda: (a(3), a(3, dtype=np.int64)), "b must be float32", "int64"),
            "numbers": (lambda: (1.0, 2.0), "a and b are numbers"),
            "list": (lambda: (a(3), [1.0]), "b must be an array or a number", "[1.0]"),
            "text": (lambda: ("x", a(3)), "a must be an array or a number", "'x'"),
        },
    )
for _primitive in ("add_backward", "subtract_backward_b"):
    values(
        _primitive,
        {
            "shape": (lambda: (a(2, 3), (2,)), "(2, 3)", "(2,)"),
            "larger": (lambda: (a(1, 3), (2, 3)), "dy is (1, 3)", "(2, 3)"),
            "rank": (lambda: (a(3), (1, 3)), "dy is (3,)", "(1, 3)"),
        },
    )
for _primitive in ("multiply_backward", "divide_backward_a"):
    values(
        _primitive,
        {
            "shape": (lambda: (a(2, 3), a(3), (4,)), "(4,)", "(3,)"),
            "dy": (lambda: (a(2, 3), a(3), (1, 3)), "dy is (2, 3)", "broadcast to (1, 3)"),
        },
    )
    types(_primitive, {"mixed": (lambda: (a(3), a(3, dtype=F64), (3,)), "float32", "float64")})
values(
    "divide_backward_b",
    {
        "y": (lambda: (a(2, 3), a(3), a(3)), "dy is (2, 3) but y is (3,)"),
        "b": (lambda: (a(2, 3), a(2, 3), a(2)), "(2,)", "(2, 3)"),
    },
)
types("power_forward", {"exponent": (lambda: (a(3), "2"), "exponent", "'2'")})
values("power_backward", {"shapes": (lambda: (a(3), a(4), 2), "dy is (3,) but x is (4,)")})
for _kind in ("sum", "mean"):
    values(
        f"{_kind}_forward",
        {
            "dim": (lambda: (a(2, 3), 2), "dim", "2"),
            "twice": (lambda: (a(2, 3), (1, -1)), "dim names axis -1 twice"),
            "out": (lambda: (a(2, 3), 1, {"out": a(3)}), "out", "(2,)"),
        },
    )
    types(
        f"{_kind}_forward",
        {
            "dim": (lambda: (a(2, 3), 1.5), "dim", "1.5"),
            "dims": (lambda: (a(2, 3), (0, "x")), "dim", "(0, 'x')"),
            "keepdim": (lambda: (a(2, 3), 1, 1), "keepdim", "1"),
        },
    )
    values(
        f"{_kind}_backward",
        {
            "dy": (lambda: (a(3), (2, 3), 1), "dy must be (2,), got (3,)"),
            "kept": (lambda: (a(2), (2, 3), 1, True), "dy must be (2, 1), got (2,)"),
        },
    )
