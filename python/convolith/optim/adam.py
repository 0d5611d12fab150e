"""Adam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convolith import primitives
from convolith.device import Array, zeros_like
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
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError if an option of `group` is out of range."""
        super().check(group)
        for beta in group["betas"]:
            if not 0 <= beta < 1:
                raise ValueError(f"Adam: betas are {group['betas']}, expected 0 <= beta < 1")

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        if not state:
            state["step"] = 0
            state["exp_avg"] = zeros_like(param)
            state["exp_avg_sq"] = zeros_like(param)
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
