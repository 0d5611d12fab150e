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
        "weight": (lambda: (a(1, 4), labels(0), a(3)), "weight", "(4,)", "(3,)"),
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
for _loss in ("nll_loss", "multi_margin_loss"):
    values(
        f"{_loss}_forward",
        {
            "rank": (lambda: (a(4), labels(0)), "x", "(4,)"),
            "label": (lambda: (a(2, 4), labels(0, 4)), "target[1] is 4", "[0, 4)"),
            "target_length": (lambda: (a(3, 4), labels(0, 1)), "target", "(3,)", "(2,)"),
            "weight": (lambda: (a(1, 4), labels(0), a(1, 4)), "weight", "(4,)", "(1, 4)"),
            "reduction": (
                lambda: (a(1, 4), labels(0), {"reduction": "batchmean"}),
                *("reduction", "'mean'", "batchmean"),
            ),
        },
    )
    values(
        f"{_loss}_backward",
        {"dloss": (lambda: (a(2), a(2, 4), labels(0, 1)), "dloss", "()", "(2,)")},
    )
    types(
        f"{_loss}_forward",
        {
            "float_labels": (lambda: (a(2, 4), a(2)), "target", "int64", "float32"),
            "weight_dtype": (lambda: (a(1, 4), labels(0), a(4, dtype=F64)), "float64", "weight"),
        },
    )
values(
    "multi_margin_loss_forward",
    {
        "p": (lambda: (a(1, 4), labels(0), {"p": 3}), "p must be 1 or 2", "3"),
        "margin": (lambda: (a(1, 4), labels(0), {"margin": nan()}), "margin", "nan"),
        "planes": (lambda: (a(1, 4, 2), a(1, 2, dtype=I64)), "(N, C)", "(1, 4, 2)"),
    },
)

POINTWISE = (
    *("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits"),
    *("hinge_loss", "hinge_embedding_loss"),
)
for _loss in POINTWISE:
    values(
        f"{_loss}_forward",
        {
            "shapes": (lambda: (a(3, 4), a(4)), "x is (3, 4)", "target is (4,)"),
            "reduction": (lambda: (a(3), a(3), {"reduction": "avg"}), "reduction", "'mean'", "avg"),
            "out": (lambda: (a(3), a(3), {"out": a(3)}), "out", "()", "(3,)"),
        },
    )
    values(
        f"{_loss}_backward",
        {
            "dloss": (lambda: (a(3), a(3), a(3)), "dloss", "()", "(3,)"),
            "dloss_none": (
                lambda: (a(), a(3), a(3), {"reduction": "none"}),
                *("dloss", "()", "(3,)"),
            ),
        },
    )
    types(
        f"{_loss}_forward",
        {
            "mixed": (lambda: (a(3), a(3, dtype=F64)), "x is float32", "target is float64"),
            "labels": (lambda: (a(3), labels(0, 1, 1)), "target", "int64"),
        },
    )
values("clamped_log_forward", {"least": (lambda: (a(3), {"least": -1}), "least", "-1")})
values("clamped_log_backward", {"shapes": (lambda: (a(3), a(4)), "dy is (3,)", "x is (4,)")})
values("rmse_loss_forward", {"shapes": (lambda: (a(3, 4), a(4)), "(3, 4)", "(4,)")})
values("rmse_loss_backward", {"loss": (lambda: (a(), a(1), a(3), a(3)), "loss", "()", "(1,)")})
values("huber_loss_forward", {"delta": (lambda: (a(3), a(3), {"delta": 0}), "delta", "0")})
values("smooth_l1_loss_forward", {"beta": (lambda: (a(3), a(3), {"beta": -1}), "beta", "-1")})
types("kl_div_forward", {"log_target": (lambda: (a(3), a(3), {"log_target": 1}), "log_target")})
types("hinge_loss_forward", {"squared": (lambda: (a(3), a(3), {"squared": "a"}), "squared", "'a'")})
values(
    "binary_cross_entropy_forward",
    {
        "x": (lambda: (2 * a(3), a(3)), "x must be probabilities", "element 0", "2"),
        "x_nan": (lambda: (nan(3), a(3)), "x must be probabilities", "nan"),
        "target": (lambda: (a(3), -a(3)), "target must be probabilities", "-1"),
        "weight": (lambda: (a(2, 3), a(2, 3), a(2)), "weight is (2,)", "broadcast", "(2, 3)"),
    },
)
values(
    "binary_cross_entropy_with_logits_forward",
    {
        "pos_weight": (
            lambda: (a(2, 3), a(2, 3), None, a(2, 3, 1)),
            *("pos_weight is (2, 3, 1)", "broadcast", "(2, 3)"),
        ),
    },
)
