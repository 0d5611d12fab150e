"""Batch norm."""

from __future__ import annotations

from invalid.table import F64, NAN, a, read_only, types, values

TRAIN = {"training": True}
values(
    "batch_norm_forward",
    {
        "rank": (lambda: (a(5), TRAIN), "x", "(5,)"),
        "one_value": (lambda: (a(1, 3, 1, 1), TRAIN), "(1, 3, 1, 1)"),
        "no_statistics": (lambda: (a(4, 3),), "running_mean"),
        "no_running_var": (lambda: (a(4, 3), None, None, a(3)), "running_var"),
        "weight": (lambda: (a(4, 3), a(4), TRAIN), "weight", "(3,)", "(4,)"),
        "bias": (lambda: (a(4, 3), a(3), a(2), TRAIN), "bias", "(3,)", "(2,)"),
        "running_mean": (lambda: (a(4, 3), None, None, a(4), a(3)), "running_mean", "(3,)"),
        "running_read_only": (
            lambda: (a(4, 3), None, None, read_only(a(3)), a(3), TRAIN),
            *("running_mean", "read-only"),
        ),
        "eps_negative": (lambda: (a(4, 3), {**TRAIN, "eps": -1e-5}), "eps"),
        "eps_nan": (lambda: (a(4, 3), {**TRAIN, "eps": NAN}), "eps", "nan"),
        "momentum_nan": (lambda: (a(4, 3), {**TRAIN, "momentum": NAN}), "momentum", "nan"),
        "residual": (
            lambda: (a(4, 3), *[None] * 4, a(4, 1), TRAIN),
            *("residual", "(4, 1)", "(4, 3)"),
        ),
        "activation": (
            lambda: (a(4, 3), {**TRAIN, "activation": "elu"}),
            *("activation", "'identity' or 'relu'", "'elu'"),
        ),
    },
)
types(
    "batch_norm_forward",
    {
        "mixed": (lambda: (a(4, 3), a(3, dtype=F64), TRAIN), "weight", "float32", "float64"),
        "mixed_running": (
            lambda: (a(4, 3), None, None, a(3, dtype=F64), a(3), TRAIN),
            *("running_mean", "float64"),
        ),
        "mixed_residual": (
            lambda: (a(4, 3), *[None] * 4, a(4, 3, dtype=F64), TRAIN),
            *("residual", "float64", "float32"),
        ),
        "training_string": (lambda: (a(4, 3), {"training": "yes"}), "training", "yes"),
        "activation_type": (lambda: (a(4, 3), {**TRAIN, "activation": 1}), "activation", "a str"),
    },
)
values(
    "batch_norm_backward",
    {
        "dy": (lambda: (a(4, 2), a(4, 3), None, a(3), a(3)), "dy", "(4, 2)", "(4, 3)"),
        "mean": (lambda: (a(4, 3), a(4, 3), None, a(4), a(3)), "mean", "(3,)", "(4,)"),
        "bias": (lambda: (a(4, 3), a(4, 3), None, a(3), a(3), a(2)), "bias", "(3,)", "(2,)"),
        "y": (
            lambda: (a(4, 3), a(4, 3), None, a(3), a(3), None, a(3, 4), {"activation": "relu"}),
            *("y", "(3, 4)", "(4, 3)"),
        ),
        "y_without_activation": (
            lambda: (a(4, 3), a(4, 3), None, a(3), a(3), None, a(4, 3)),
            *("y is for an activation", "dy itself"),
        ),
    },
)
