"""Optimizer steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import case, few_values, normal

SHAPE = (17, 59)  # 1003 elements: a tail after any vector width
Draw = Callable[[Generator, Any, DTypeLike], np.ndarray]


def squares(rng: Generator, shape: Any, dtype: DTypeLike) -> np.ndarray:
    """What an average of squares looks like: positive."""
    return np.abs(normal(rng, shape, dtype))


def large_squares(rng: Generator, shape: Any, dtype: DTypeLike) -> np.ndarray:
    """An average of squares that is above the square of any average beside it."""
    return squares(rng, shape, dtype) + np.asarray(20, dtype)


def step(
    primitive: str,
    name: str,
    states: dict[str, Draw],
    options: dict[str, Any],
    shape: tuple[int, ...] = SHAPE,
    param: Draw = normal,
) -> None:
    """A case of an optimizer; an option that is an array is counted in place."""
    counted = [name for name, value in options.items() if isinstance(value, np.ndarray)]
    case(
        primitive,
        name,
        lambda rng, dtype: (
            (param(rng, shape, dtype), normal(rng, shape, dtype)),
            {state: draw(rng, shape, dtype) for state, draw in states.items()} | options,
        ),
        in_place=("param", *states, *counted),
    )


# What all optimizers have; weights of 0 have no sign.
PENALTIES: dict[str, dict[str, Any]] = {
    "lr": {"lr": 0.1},
    "weight_decay": {"lr": 0.1, "weight_decay": 0.1},
    "maximize": {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
}
MOMENTS: dict[str, Draw] = {"exp_avg": normal, "exp_avg_sq": squares}
AMSGRAD: dict[str, Draw] = {**MOMENTS, "max_exp_avg_sq": squares}
INFINITY: dict[str, Draw] = {"exp_avg": normal, "exp_inf": squares}
DELTAS: dict[str, Draw] = {"square_avg": squares, "acc_delta": squares}
VELOCITY: dict[str, Draw] = {"velocity": normal}
CENTRED: dict[str, Draw] = {"square_avg": large_squares, "grad_avg": normal}
MU = {"step": 3, "mu": 0.5, "mu_next": 0.6, "mu_product": 0.2}
BETAS = {"step": 3, "lr": 0.1, "beta1": 0.5, "beta2": 0.9}
DECOUPLED = {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}

# Of each optimizer: its states, what every case needs, and its own cases.
OPTIMIZERS: dict[str, tuple[dict[str, Draw], dict[str, Any], dict[str, dict[str, Any]]]] = {
    "sgd_step": ({}, {}, {"default": {}}),
    "lars_step": ({}, {}, {"default": {}, "trust": {"lr": 0.1, "trust_coefficient": 0.5}}),
    "adagrad_step": (
        {"state_sum": squares},
        {},
        {"default": {}, "lr_decay": {"lr": 0.1, "step": 5, "lr_decay": 0.5}, "eps": {"eps": 0.1}},
    ),
    "adadelta_step": (
        DELTAS,
        {},
        {"default": {}, "rho": {"rho": 0.5, "eps": 0.1}, "rho_zero": {"rho": 0.0}},
    ),
    "rmsprop_step": (
        {"square_avg": squares},
        {},
        {"default": {}, "alpha": {"lr": 0.1, "alpha": 0.5, "eps": 0.1}},
    ),
    "adam_step": (
        MOMENTS,
        {"step": 3},
        {
            "first": {"step": 1},
            "later": {"step": 10, "lr": 0.1},
            "much_later": {"step": 10**9, "lr": 0.1},
            "betas": BETAS,
            "beta_zero": {"step": 3, "lr": 0.1, "beta1": 0.0, "beta2": 0.0},
            "eps": {"step": 3, "lr": 0.1, "eps": 0.1},
            "decoupled": DECOUPLED,
            "decoupled_maximize": {**DECOUPLED, "maximize": True},
        },
    ),
    "nadam_step": (MOMENTS, MU, {"default": {}, "betas": BETAS, "decoupled": DECOUPLED}),
    "adamax_step": (INFINITY, {"step": 3}, {"first": {"step": 1}, "betas": BETAS}),
    "lamb_step": (
        MOMENTS,
        {"step": 3},
        {"first": {"step": 1}, "betas": BETAS, "no_eps": {"lr": 0.1, "eps": 0.0}},
    ),
}
for _primitive, (_states, _common, _own) in OPTIMIZERS.items():
    for _name, _options in {**_own, **PENALTIES}.items():
        step(_primitive, _name, _states, _common | _options)
    step(_primitive, "l1", _states, _common | {"lr": 0.1, "l1": 0.1}, param=few_values)
    step(_primitive, "empty", _states, _common, shape=(0, 3))
    step(_primitive, "one", _states, _common, shape=(1,))
    step(_primitive, "several_blocks", _states, _common, shape=(3, 1667))

# Their optional states.
for _name, _options in {
    "momentum": {"lr": 0.1, "momentum": 0.9},
    "dampening": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    "nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "first_momentum": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "first": True},
    "first_nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "first": True},
    "everything": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "l1": 0.1},
}.items():
    step("sgd_step", _name, VELOCITY, _options)
step("lars_step", "momentum", VELOCITY, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1})
step("adam_step", "amsgrad", AMSGRAD, {"step": 3, "lr": 0.1})
step("adam_step", "amsgrad_decoupled", AMSGRAD, {"step": 3, **DECOUPLED})
step("rmsprop_step", "centred", CENTRED, {"lr": 0.1})
step(
    "rmsprop_step",
    "momentum",
    {"square_avg": squares, "momentum_buffer": normal},
    {"lr": 0.1, "momentum": 0.9},
)
step(
    "rmsprop_step",
    "everything",
    {**CENTRED, "momentum_buffer": normal},
    {"lr": 0.1, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.1, "l1": 0.1},
)
for _name, _before in {
    "counted_first": 0,
    "counted_later": 9,
    "counted_much_later": 50_000,
}.items():
    step("adam_step", _name, MOMENTS, {"step": np.array(_before), "lr": 0.1})
step("adam_step", "counted_decoupled", AMSGRAD, {"step": np.array(2), **DECOUPLED})

# Norms: a parameter of zeros, and sums over several pieces of the CPU's.
for _primitive, _options in {"lamb_step": {"step": 3, "lr": 0.1}, "lars_step": {"lr": 0.1}}.items():
    _states = OPTIMIZERS[_primitive][0]
    step(
        _primitive,
        "zeros",
        _states,
        _options,
        param=lambda rng, shape, dtype: np.zeros(shape, dtype),
    )
    step(_primitive, "several_pieces", _states, _options, shape=(3, 16411))

for _name, _decay in {"default": 0.999, "half": 0.5, "zero": 0.0, "one": 1.0}.items():
    case(
        "ema_step",
        _name,
        lambda rng, dtype, decay=_decay: (
            (normal(rng, SHAPE, dtype), normal(rng, SHAPE, dtype)),
            {"decay": decay},
        ),
        in_place=("average",),
    )
