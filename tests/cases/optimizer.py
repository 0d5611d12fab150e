"""Optimizer steps."""

from __future__ import annotations

import numpy as np

from cases.table import case, normal

# Optimizers: options, on 1003 elements (a tail after any vector width).
for _name, _options in {
    "default": {},
    "lr": {"lr": 0.1},
    "weight_decay": {"lr": 0.1, "weight_decay": 0.01},
    "momentum": {"lr": 0.1, "momentum": 0.9},
    "dampening": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    "nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "first": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "first": True},
    "first_nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "first": True},
    "everything": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
}.items():
    _in_place = ("param", "velocity") if "momentum" in _options else ("param",)
    case(
        "sgd_step",
        _name,
        lambda rng, dtype, updated=_in_place, o=_options: (
            tuple(normal(rng, (17, 59), dtype) for _ in range(1 + len(updated))),
            dict(o),
        ),
        in_place=_in_place,
    )
for _name, _options in {
    "first": {"step": 1},
    "later": {"step": 10, "lr": 0.1},
    "much_later": {"step": 10**9, "lr": 0.1},
    "betas": {"step": 3, "lr": 0.1, "beta1": 0.5, "beta2": 0.9},
    "beta_zero": {"step": 3, "lr": 0.1, "beta1": 0.0, "beta2": 0.0},
    "eps": {"step": 3, "lr": 0.1, "eps": 0.1},
    "weight_decay": {"step": 3, "lr": 0.1, "weight_decay": 0.1},
}.items():
    case(
        "adam_step",
        _name,
        lambda rng, dtype, o=_options: (
            (
                *(normal(rng, (17, 59), dtype) for _ in range(3)),
                np.abs(normal(rng, (17, 59), dtype)),
            ),
            dict(o),
        ),
        in_place=("param", "exp_avg", "exp_avg_sq"),
    )
for _name, _before in {
    "counted_first": 0,
    "counted_later": 9,
    "counted_much_later": 50_000,
}.items():
    case(
        "adam_step",
        _name,
        lambda rng, dtype, before=_before: (
            (
                *(normal(rng, (17, 59), dtype) for _ in range(3)),
                np.abs(normal(rng, (17, 59), dtype)),
            ),
            {"step": np.array(before), "lr": 0.1},
        ),
        in_place=("param", "exp_avg", "exp_avg_sq", "step"),
    )
