"""Steps of optimizers that PyTorch has, too: a pass over parameter, gradient and states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from measure import Step
from operations.operand import Arrays, Op


@dataclass(frozen=True)
class Optimizer:
    """One that is measured.

    Parameters
    ----------
    peer : str
        PyTorch's name; our primitive is this in small letters and ``_step``, unless `primitive`.
    states : int
        Arrays that a step reads and writes beside the parameter.
    options : dict
        For both.
    ours : dict
        For ours alone.
    fused : bool
        Whether PyTorch has a fused form.
    primitive : str
    """

    peer: str
    states: int
    options: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    fused: bool = False
    primitive: str = ""


_DECOUPLED = {"decoupled_weight_decay": True, "weight_decay": 0.01}
OPTIMIZERS = {
    "sgd": Optimizer("SGD", 1, {"lr": 0.01, "momentum": 0.9}, fused=True),
    "adagrad": Optimizer("Adagrad", 1, fused=True),
    "adadelta": Optimizer("Adadelta", 2),
    "rmsprop": Optimizer("RMSprop", 1),
    "adam": Optimizer("Adam", 2, ours={"step": 1}, fused=True),
    "adamw": Optimizer("AdamW", 2, ours={"step": 1, **_DECOUPLED}, fused=True, primitive="adam"),
    "nadam": Optimizer("NAdam", 2, ours={"step": 1, "mu": 0.9, "mu_next": 0.9, "mu_product": 0.9}),
    "adamax": Optimizer("Adamax", 2, ours={"step": 1}),
}


def _ours(P: Any, a: Arrays, each: Optimizer) -> Step:
    param, grad = a.normal("flat"), a.normal("flat")
    states = [a.convert(np.zeros(a.shape("flat"), np.float32)) for _ in range(each.states)]
    run = getattr(P, f"{each.primitive or each.peer.lower()}_step")

    def step() -> Any:
        run(param, grad, *states, **each.options, **each.ours)
        return param

    return step


def _torch(t: Any, a: Arrays, variant: str, each: Optimizer) -> Step:
    param = t.nn.Parameter(a.normal("flat"))
    param.grad = a.normal("flat")
    fused = {"fused": True} if variant == "fused" else {}
    optimizer = getattr(t.optim, each.peer)([param], **each.options, **fused)

    def step() -> Any:
        optimizer.step()
        return param.data

    return step


def _op(each: Optimizer) -> Op:
    return Op(
        "flat",
        3 + 2 * each.states,  # the gradient is read, all else read and written
        lambda P, a: _ours(P, a, each),
        lambda t, a, variant: _torch(t, a, variant, each),
        ("default", "fused") if each.fused else ("default",),
    )


OPS = {f"{name} step": _op(each) for name, each in OPTIMIZERS.items()}
