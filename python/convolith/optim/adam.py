"""Adam, and what was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from convolith import primitives
from convolith.device import Array, device_of, to_device
from convolith.optim.optimizer import Optimizer, State


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), as in PyTorch: eps outside the root, bias-corrected.

    m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g^2;
    w -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps): the textbooks' formula as it
    stands. The corrections are computed on the host, in double. See
    `convolith.primitives.adam_step`.

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
    amsgrad : bool
        Divide by the largest v so far (Reddi, Kale and Kumar 2018).
    maximize : bool
    capturable : bool
        Count the steps in an array beside the parameter, where a graph (`convolith.cuda.graph`)
        can go on counting, and not in Python.
    decoupled_weight_decay : bool
        Be `AdamW`.
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
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        capturable: bool = False,
        decoupled_weight_decay: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        states = self.arrays(state, param, *names)
        if not group["capturable"]:
            self.count(state, param)
        elif "step" not in state:
            state["step"] = to_device(np.zeros((), np.int64), device_of(param))
        primitives.adam_step(
            param,
            grad,
            *states,
            step=state["step"],
            **self.options(group, "eps", "decoupled_weight_decay"),
        )


class AdamW(Adam):
    """Adam with a decoupled weight decay (Loshchilov and Hutter 2019), as in PyTorch.

    w *= 1 - lr * weight_decay, then Adam's step without a decay: what v divides by does not shrink
    the decay. Everything else is `Adam`'s.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize, capturable, l1
        As for `Adam`.
    weight_decay : float
        The share of the parameter that a step of learning rate 1 takes away.

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
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        capturable: bool = False,
        l1: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            capturable=capturable,
            decoupled_weight_decay=True,
            l1=l1,
        )


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016), as in PyTorch.

    The momentum of step t is mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2). See
    `convolith.primitives.nadam_step`.

    Parameters
    ----------
    params, lr, betas, eps, weight_decay, decoupled_weight_decay, maximize, l1
        As for `Adam`.
    momentum_decay : float
        How fast the momentum comes up to beta1.

    Raises
    ------
    ValueError
        If there are no parameters, or an option is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        states = self.arrays(state, param, "exp_avg", "exp_avg_sq")
        step = self.count(state, param)
        mu, mu_next = (
            group["betas"][0] * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"]))
            for t in (step, step + 1)
        )
        state["mu_product"] = state.get("mu_product", 1.0) * mu
        primitives.nadam_step(
            param,
            grad,
            *states,
            step=step,
            mu=mu,
            mu_next=mu_next,
            mu_product=state["mu_product"],
            **self.options(group, "eps", "decoupled_weight_decay"),
        )


class Adamax(Optimizer):
    """Adam with the infinity norm (Kingma and Ba 2015, section 7), as in PyTorch.

    See `convolith.primitives.adamax_step`.

    Parameters
    ----------
    params, lr, betas, weight_decay, maximize, l1
        As for `Adam`.
    eps : float
        Added to the gradient's magnitude.

    Raises
    ------
    ValueError
        If there are no parameters, or an option is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        states = self.arrays(state, param, "exp_avg", "exp_inf")
        step = self.count(state, param)
        primitives.adamax_step(param, grad, *states, step=step, **self.options(group, "eps"))


class LAMB(Optimizer):
    """Adam for large batches: each parameter's step is scaled by its own norm (You et al. 2020).

    See `convolith.primitives.lamb_step`.

    Parameters
    ----------
    params, lr, betas, eps, maximize, l1
        As for `Adam`.
    weight_decay : float
        This much of the parameter is added to the step, before it is scaled.

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
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        l1: float = 0.0,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "l1": l1,
        }
        super().__init__(params, options)

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """One step on one parameter, in place."""
        states = self.arrays(state, param, "exp_avg", "exp_avg_sq")
        step = self.count(state, param)
        primitives.lamb_step(param, grad, *states, step=step, **self.options(group, "eps"))
