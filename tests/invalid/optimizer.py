"""Optimizer steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from invalid.table import F64, NAN, a, labels, read_only, types, values

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
        "l1": (lambda: (a(3), a(3), {"l1": -0.5}), "l1", "-0.5"),
        "lr_negative": (lambda: (a(3), a(3), {"lr": -0.1}), "lr", "-0.1"),
        "momentum_negative": (lambda: (a(3), a(3), a(3), {"momentum": -0.5}), "momentum", "-0.5"),
        "decay_negative": (lambda: (a(3), a(3), {"weight_decay": -1.0}), "weight_decay", "-1"),
        "velocity_alone": (lambda: (a(3), a(3), a(3)), "velocity", "momentum"),
        "read_only": (lambda: (read_only(a(3)), a(3)), "param", "read-only"),
        "not_contiguous": (lambda: (a(6)[::2], a(3)), "param", "contiguous"),
    },
)
types("sgd_step", {"mixed": (lambda: (a(3), a(3, dtype=F64)), "float32", "float64")})


def on(*arrays: str, **required: Any) -> Callable[..., Callable[[], Any]]:
    """Calls on param, grad and so many states: a mistake among the options, or a state too long."""

    def call(wrong: str = "", **options: Any) -> Callable[[], Any]:
        states = {name: a(4 if name == wrong else 3) for name in arrays}
        return lambda: (a(3), a(3), {**states, **required, **options})

    return call


MU = {"step": 1, "mu": 0.5, "mu_next": 0.5, "mu_product": 0.5}
CALLS = {
    "lars_step": on(),
    "adam_step": on("exp_avg", "exp_avg_sq", step=1),
    "nadam_step": on("exp_avg", "exp_avg_sq", **MU),
    "adamax_step": on("exp_avg", "exp_inf", step=1),
    "lamb_step": on("exp_avg", "exp_avg_sq", step=1),
    "adagrad_step": on("state_sum"),
    "adadelta_step": on("square_avg", "acc_delta"),
    "rmsprop_step": on("square_avg"),
}
STATES = {
    "adam_step": "exp_avg",
    "nadam_step": "exp_avg_sq",
    "adamax_step": "exp_inf",
    "lamb_step": "exp_avg_sq",
    "adagrad_step": "state_sum",
    "adadelta_step": "acc_delta",
    "rmsprop_step": "square_avg",
}
for _primitive, _call in CALLS.items():
    values(
        _primitive,
        {
            "lr_nan": (_call(lr=NAN), "lr", "nan"),
            "weight_decay": (_call(weight_decay=-1.0), "weight_decay", "-1"),
            "l1": (_call(l1=-0.5), "l1", "-0.5"),
        },
    )
    types(_primitive, {"maximize": (_call(maximize=1.5), "maximize", "a bool", "1.5")})
for _primitive, _state in STATES.items():
    values(
        _primitive,
        {"shapes": (CALLS[_primitive](wrong=_state), _state, "(3,)", "(4,)")},
    )
for _primitive in ("adam_step", "nadam_step", "adamax_step", "lamb_step"):
    _call = CALLS[_primitive]
    values(
        _primitive,
        {
            "step_zero": (_call(step=0), "step", "0"),
            "beta1": (_call(beta1=1.0), "beta1", "[0, 1)", "1"),
            "beta2": (_call(beta2=-0.1), "beta2", "-0.1"),
            "eps": (_call(eps=-1.0), "eps", "-1"),
        },
    )
    types(_primitive, {"step_float": (_call(step=1.5), "step", "1.5")})


def same_state_twice() -> Any:
    state = a(3)
    return a(3), a(3), state, state, {"step": 1}


values(
    "adam_step",
    {
        "twice": (same_state_twice, "exp_avg", "exp_avg_sq", "shares memory"),
        "counter_shape": (CALLS["adam_step"](step=labels(1)), "step", "()", "(1,)"),
    },
)
values(
    "nadam_step",
    {
        "mu": (CALLS["nadam_step"](mu=1.0), "mu", "1"),
        "mu_product": (CALLS["nadam_step"](mu_product=1.5), "mu_product", "1.5"),
    },
)
values(
    "adagrad_step",
    {
        "step_zero": (CALLS["adagrad_step"](step=0), "step", "0"),
        "lr_decay": (CALLS["adagrad_step"](lr_decay=-0.1), "lr_decay", "-0.1"),
        "eps": (CALLS["adagrad_step"](eps=-0.1), "eps", "-0.1"),
    },
)
values(
    "adadelta_step",
    {
        "rho": (CALLS["adadelta_step"](rho=1.5), "rho", "1.5"),
        "eps": (CALLS["adadelta_step"](eps=-0.1), "eps", "-0.1"),
    },
)
values(
    "rmsprop_step",
    {
        "alpha": (CALLS["rmsprop_step"](alpha=-0.5), "alpha", "-0.5"),
        "no_buffer": (CALLS["rmsprop_step"](momentum=0.9), "momentum", "momentum_buffer", "None"),
        "buffer_alone": (
            CALLS["rmsprop_step"](momentum_buffer=a(3)),
            "momentum_buffer",
            "momentum",
        ),
        "grad_avg": (CALLS["rmsprop_step"](grad_avg=a(4)), "grad_avg", "(4,)"),
    },
)
values(
    "lars_step",
    {
        "no_velocity": (CALLS["lars_step"](momentum=0.9), "velocity", "momentum"),
        "trust": (CALLS["lars_step"](trust_coefficient=-1.0), "trust_coefficient", "-1"),
    },
)
values(
    "ema_step",
    {
        "shapes": (lambda: (a(3), a(4)), "param", "(3,)", "(4,)"),
        "decay": (lambda: (a(3), a(3), {"decay": 1.5}), "decay", "1.5"),
        "read_only": (lambda: (read_only(a(3)), a(3)), "average", "read-only"),
    },
)
types("ema_step", {"mixed": (lambda: (a(3), a(3, dtype=F64)), "float32", "float64")})
