"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convolith import primitives
from convolith.device import Array
from convolith.optim.optimizer import Optimizer, State


class SGD(Optimizer):
    """Gradient descent with momentum, as in PyTorch (the learning rate is outside the velocity).

    g = grad + weight_decay * w + l1 * sign(w); v = momentum * v + (1 - dampening) * g;
    w -= lr * v. See `convolith.primitives.sgd_step`.

    Textbooks' forms are reached by the options:

    ==============================================  ===========================================
    v = beta v + (1 - beta) g; w -= lr v            ``momentum=beta, dampening=beta``; the first
                                                    v is g itself, which needs no correction
    v = mu v - lr g; w += v                         ``momentum=mu``, at a constant `lr`
    the same looked ahead (Nesterov)                ``momentum=mu, nesterov=True``
    loss + lambda / 2 sum w^2 (L2, weight decay)    ``weight_decay=lambda``
    loss + lambda sum abs(w) (L1, sparse weights)   ``l1=lambda``
    ==============================================  ===========================================

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        See `Optimizer`.
    lr : float
        Learning rate.
    momentum, dampening : float
        v = momentum * v + (1 - dampening) * g.
    weight_decay : float
        This much of the parameter is added to its gradient: L2 regularisation.
    nesterov : bool
        Step along g + momentum * v; needs momentum and no dampening.
    maximize : bool
        Climb instead: the gradient changes its sign.
    l1 : float
        This much of the parameter's sign is added to its gradient: L1 regularisation. All
        optimizers have it, PyTorch's none.

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
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "l1": l1,
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
        if group["momentum"]:
            self.arrays(state, param, "momentum_buffer")
        primitives.sgd_step(
            param,
            grad,
            state.get("momentum_buffer"),
            first=first,
            **self.options(group, "momentum", "dampening", "nesterov"),
        )


class LARS(Optimizer):
    """Gradient descent for large batches: each parameter's step is scaled by its own norm.

    lr is multiplied by trust_coefficient * abs(w) / (abs(g) + weight_decay * abs(w)), norms of the
    parameter and of its gradient (You, Gitman and Ginsburg 2017). See
    `convolith.primitives.lars_step`. Biases and batch norm are usually left to `SGD`.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        See `Optimizer`.
    lr : float
        Learning rate.
    momentum : float
    weight_decay : float
        This much of the parameter is added to its gradient.
    trust_coefficient : float
        How far a step of learning rate 1 may go, relative to the norm.
    maximize : bool
    l1 : float
        As for `SGD`.

    Raises
    ------
    ValueError
        If there are no parameters, or an option is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
            "maximize": maximize,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        names = ["momentum_buffer"] if group["momentum"] else []
        primitives.lars_step(
            param,
            grad,
            *self.arrays(state, param, *names),
            **self.options(group, "momentum", "trust_coefficient"),
        )
