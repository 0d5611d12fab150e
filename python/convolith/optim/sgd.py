"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convolith import primitives
from convolith.device import Array
from convolith.optim.optimizer import Optimizer, State


class SGD(Optimizer):
    """Gradient descent with momentum, as in PyTorch (the learning rate is outside the velocity).

    See `convolith.primitives.sgd_step` for the formula.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        See `Optimizer`.
    lr : float
        Learning rate.
    momentum, dampening : float
        v = momentum * v + (1 - dampening) * g.
    weight_decay : float
        This much of the parameter is added to its gradient.
    nesterov : bool
        Step along g + momentum * v; needs momentum and no dampening.

    Raises
    ------
    ValueError
        If there are no parameters, or an option is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, options)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError if an option of `group` is out of range."""
        super().check(group)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov needs momentum above 0 and dampening 0, "
                f"not {group['momentum']} and {group['dampening']}"
            )

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        first = "momentum_buffer" not in state
        if first and group["momentum"]:
            state["momentum_buffer"] = self.zeros(param)
        primitives.sgd_step(
            param,
            grad,
            state.get("momentum_buffer"),
            lr=group["lr"],
            momentum=group["momentum"],
            dampening=group["dampening"],
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
            first=first,
        )
