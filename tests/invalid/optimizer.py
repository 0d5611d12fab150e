"""Optimizer steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from invalid.table import F64, NAN, a, read_only, types, values

SGD = {"lr": 0.1, "momentum": 0.9}
values(
    "sgd_step",
    {
        "shapes": (lambda: (a(3), a(4)), "grad", "(3,)", "(4,)"),
        "no_velocity": (lambda: (a(3), a(3), SGD), "velocity", "momentum"),
        "velocity_shape": (lambda: (a(3), a(3), a(4), SGD), "velocity", "(3,)", "(4,)"),
        "nesterov": (lambda: (a(3), a(3), {"nesterov": True}), "nesterov", "momentum"),
        "nesterov_dampening": (
            lambda: (a(3), a(3), a(3), {**SGD, "nesterov": True, "dampening": 0.5}),
            *("nesterov", "dampening"),
        ),
        "lr_nan": (lambda: (a(3), a(3), {"lr": NAN}), "lr", "nan"),
        "lr_negative": (lambda: (a(3), a(3), {"lr": -0.1}), "lr", "-0.1"),
        "momentum_negative": (lambda: (a(3), a(3), a(3), {"momentum": -0.5}), "momentum", "-0.5"),
        "decay_negative": (lambda: (a(3), a(3), {"weight_decay": -1.0}), "weight_decay", "-1"),
        "velocity_alone": (lambda: (a(3), a(3), a(3)), "velocity", "momentum"),
        "read_only": (lambda: (read_only(a(3)), a(3)), "param", "read-only"),
        "not_contiguous": (lambda: (a(6)[::2], a(3)), "param", "contiguous"),
    },
)
types("sgd_step", {"mixed": (lambda: (a(3), a(3, dtype=F64)), "float32", "float64")})


def adam(**options: Any) -> Callable[[], Any]:
    return lambda: (a(3), a(3), a(3), a(3), {"step": 1, **options})


values(
    "adam_step",
    {
        "shapes": (lambda: (a(3), a(3), a(4), a(3), {"step": 1}), "exp_avg", "(3,)", "(4,)"),
        "step_zero": (adam(step=0), "step", "0"),
        "lr_nan": (adam(lr=NAN), "lr", "nan"),
        "beta1": (adam(beta1=1.0), "beta1", "1"),
        "beta2": (adam(beta2=-0.1), "beta2", "-0.1"),
        "eps": (adam(eps=-1.0), "eps", "-1"),
        "weight_decay": (adam(weight_decay=-1.0), "weight_decay", "-1"),
    },
)
types("adam_step", {"step_float": (adam(step=1.5), "step", "1.5")})
