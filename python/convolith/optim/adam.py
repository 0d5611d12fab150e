"""Adam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from convolith import _C, primitives
from convolith.device import Array, device_of, to_device
from convolith.optim.optimizer import Optimizer, State


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), as in PyTorch: eps outside the root, bias-corrected.

    See `convolith.primitives.adam_step` for the formula.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        See `Optimizer`.
    lr : float
        Learning rate.
    betas : (float, float)
        Decay of the running means of the gradient and of its square, each in [0, 1).
    eps : float
        Added to the root.
    weight_decay : float
        This much of the parameter is added to its gradient.
    capturable : bool
        Count the steps in an array beside the parameter, where a graph (`convolith.cuda.graph`)
        can go on counting, and not in Python.

    Raises
    ------
    ValueError
        If there are no parameters, or an option is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        capturable: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "capturable": capturable,
        }
        super().__init__(params, options)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError if an option of `group` is out of range."""
        super().check(group)
        for beta in group["betas"]:
            if not 0 <= beta < 1:
                raise ValueError(f"Adam: betas are {group['betas']}, expected 0 <= beta < 1")

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        device = device_of(param)
        if not state:
            state["exp_avg"] = self.zeros(param)
            state["exp_avg_sq"] = self.zeros(param)
            state["step"] = to_device(np.zeros((), np.int64), device) if group["capturable"] else 0
        if not group["capturable"]:
            if _C.is_capturing(device):
                raise RuntimeError(
                    "Adam: a graph cannot count steps in Python; pass capturable=True"
                )
            state["step"] += 1
        beta1, beta2 = group["betas"]
        primitives.adam_step(
            param,
            grad,
            state["exp_avg"],
            state["exp_avg_sq"],
            step=state["step"],
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            eps=group["eps"],
            weight_decay=group["weight_decay"],
        )
