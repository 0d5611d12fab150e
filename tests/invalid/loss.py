"""Losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from invalid.table import F64, I64, a, labels, nan, types, values


def cross_entropy(**options: Any) -> Callable[[], Any]:
    return lambda: (a(1, 4), labels(0), options)


values(
    "softmax_cross_entropy_forward",
    {
        "rank": (lambda: (a(4), labels(0)), "x", "(4,)"),
        "label_too_large": (lambda: (a(3, 4), labels(0, 4, 1)), "4", "1", "[0, 4)"),
        "label_negative": (lambda: (a(3, 4), labels(0, 1, -1)), "-1", "2", "[0, 4)"),
        "label_is_not_ignored": (lambda: (a(1, 4), labels(-100), {"ignore_index": 0}), "-100"),
        "target_length": (lambda: (a(3, 4), labels(0, 1)), "target", "(3,)", "(2,)"),
        "target_rank": (lambda: (a(3, 4), a(3, 1, dtype=I64)), "target", "(3, 1)"),
        "float_labels": (lambda: (a(3, 4), a(3)), "target", "(3,)"),
        "nan_probability": (lambda: (a(3, 4), nan(3, 4)), "target", "NaN"),
        "reduction": (cross_entropy(reduction="avg"), "reduction", "avg", "mean"),
        "smoothing": (cross_entropy(label_smoothing=1.5), "label_smoothing", "1.5"),
        "no_classes": (lambda: (a(3, 0), labels(0, 0, 0)), "(3, 0)"),
    },
)
types(
    "softmax_cross_entropy_forward",
    {
        "int32": (lambda: (a(2, 4), a(2, dtype=np.int32)), "target", "int32"),
        "list": (lambda: (a(2, 4), [0, 1]), "target", "list"),
        "mixed": (lambda: (a(2, 4), a(2, 4, dtype=F64)), "float32", "float64"),
        "ignore_index": (cross_entropy(ignore_index=0.5), "ignore_index", "0.5"),
    },
)
values(
    "softmax_cross_entropy_backward",
    {
        "dloss": (lambda: (a(2), a(2, 4), labels(0, 1)), "dloss", "(2,)"),
        "dloss_none": (
            lambda: (a(), a(2, 4), labels(0, 1), {"reduction": "none"}),
            *("dloss", "(2,)"),
        ),
        "label": (lambda: (a(), a(2, 4), labels(0, 7)), "7", "[0, 4)"),
    },
)
