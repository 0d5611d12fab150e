"""Optimizers with a learning rate for each element, without Adam's mean of the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convolith import _C, primitives
from convolith.device import Array, device_of, full
from convolith.optim.optimizer import Optimizer, State


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer 2011), as in PyTorch.

    s += g^2; w -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps). See
    `convolith.primitives.adagrad_step`.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        See `Optimizer`.
    lr : float
        Learning rate.
    lr_decay : float
        How fast it falls.
    weight_decay : float
        This much of the parameter is added to its gradient.
    initial_accumulator_value : float
        What s begins with.
    eps : float
        Added to the root.
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
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        step = self.count(state, param)
        if "sum" not in state:
            start = group["initial_accumulator_value"]
            state["sum"] = full(param.shape, start, param.dtype, device_of(param))
        options = self.options(group, "lr_decay", "eps")
        primitives.adagrad_step(param, grad, state["sum"], step=step, **options)


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012), as in PyTorch.

    s = rho * s + (1 - rho) * g^2; d = sqrt(u + eps) / sqrt(s + eps) * g;
    u = rho * u + (1 - rho) * d^2; w -= lr * d. The textbooks' formula has lr 1, the default. See
    `convolith.primitives.adadelta_step`.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        See `Optimizer`.
    lr : float
        Learning rate.
    rho : float in [0, 1]
        Decay of the running means of the squares.
    eps : float
        Added under both roots.
    weight_decay : float
        This much of the parameter is added to its gradient.
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
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        states = self.arrays(state, param, "square_avg", "acc_delta")
        _count_if_possible(self, state, param)
        primitives.adadelta_step(param, grad, *states, **self.options(group, "rho", "eps"))


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012), as in PyTorch.

    s = alpha * s + (1 - alpha) * g^2; w -= lr * g / (sqrt(s) + eps). Textbooks call alpha beta or
    rho, and have 0.9; with eps under the root, its root is the `eps` here. See
    `convolith.primitives.rmsprop_step`.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        See `Optimizer`.
    lr : float
        Learning rate.
    alpha : float in [0, 1]
        Decay of the running means.
    eps : float
        Added to the root.
    weight_decay : float
        This much of the parameter is added to its gradient.
    momentum : float
        b = momentum * b + g / (sqrt(s) + eps) takes the quotient's place.
    centered : bool
        Divide by the standard deviation: s - m^2 takes the place of s, m being the running mean of
        the gradient (Graves 2013).
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
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        (square_avg,) = self.arrays(state, param, "square_avg")
        grad_avg = buffer = None
        if group["centered"]:
            (grad_avg,) = self.arrays(state, param, "grad_avg")
        if group["momentum"]:
            (buffer,) = self.arrays(state, param, "momentum_buffer")
        _count_if_possible(self, state, param)
        options = self.options(group, "alpha", "eps", "momentum")
        primitives.rmsprop_step(param, grad, square_avg, grad_avg, buffer, **options)


def _count_if_possible(optimizer: Optimizer, state: State, param: Array) -> None:
    """Count where PyTorch does, though no formula asks for it; a graph goes on without."""
    if not _C.is_capturing(device_of(param)):
        optimizer.count(state, param)
