"""Concatenation, flatten."""

from __future__ import annotations

from invalid.table import F64, a, types, values

values(
    "flatten_forward",
    {
        "dim": (lambda: (a(2, 3), 2), "start_dim", "2"),
        "end_dim": (lambda: (a(2, 3), 0, -3), "end_dim", "-3"),
        "order": (lambda: (a(2, 3, 4), 2, 1), "start_dim", "end_dim"),
    },
)
values("flatten_backward", {"size": (lambda: (a(2, 12), (2, 3, 5)), "(2, 12)", "(2, 3, 5)")})
values(
    "concat_forward",
    {
        "none": (lambda: ([],), "xs"),
        "shapes": (lambda: ([a(2, 3, 4), a(2, 3, 5)],), "(2, 3, 4)", "(2, 3, 5)"),
        "ranks": (lambda: ([a(2, 3), a(2, 3, 1)],), "(2, 3)", "(2, 3, 1)"),
        "dim": (lambda: ([a(2, 3), a(2, 3)], 2), "dim", "2"),
    },
)
types(
    "concat_forward",
    {
        "mixed": (lambda: ([a(2, 3), a(2, 3, dtype=F64)],), "float32", "float64"),
        "list": (lambda: ([a(2, 3), [1.0]],), "list"),
    },
)
values(
    "concat_backward",
    {
        "sizes": (lambda: (a(2, 7), [3, 3]), "7", "6"),
        "negative": (lambda: (a(2, 7), [9, -2]), "-2"),
        "out": (lambda: (a(2, 7), [3, 4], {"out": [a(2, 3)]}), "out"),
    },
)
