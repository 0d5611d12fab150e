"""Steps of optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np

from measure import Step
from operations.operand import Arrays, Op

SGD = {"lr": 0.01, "momentum": 0.9}
ADAM = {"lr": 1e-3}
FUSED = ("default", "fused")


def _optimizer(P: Any, a: Arrays, adam: bool) -> Step:
    param, grad, first, second = a.normal("flat"), a.normal("flat"), _zeros(a), _zeros(a)

    def step() -> Any:
        if adam:
            P.adam_step(param, grad, first, second, step=1, **ADAM)
        else:
            P.sgd_step(param, grad, first, **SGD)
        return param

    return step


def _zeros(a: Arrays) -> Any:
    return a.convert(np.zeros(a.shape("flat"), np.float32))


def _optimizer_torch(t: Any, a: Arrays, variant: str, adam: bool) -> Step:
    param = t.nn.Parameter(a.normal("flat"))
    param.grad = a.normal("flat")
    kind, options = (t.optim.Adam, ADAM) if adam else (t.optim.SGD, SGD)
    optimizer = kind([param], fused=variant == "fused" or None, **options)

    def step() -> Any:
        optimizer.step()
        return param.data

    return step


OPS = {
    "sgd step": Op(
        "flat",
        5,  # reads parameter, gradient, velocity; writes parameter, velocity
        lambda P, a: _optimizer(P, a, adam=False),
        lambda t, a, variant: _optimizer_torch(t, a, variant, adam=False),
        FUSED,
    ),
    "adam step": Op(
        "flat",
        7,
        lambda P, a: _optimizer(P, a, adam=True),
        lambda t, a, variant: _optimizer_torch(t, a, variant, adam=True),
        FUSED,
    ),
}
