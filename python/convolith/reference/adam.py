"""One step of an optimizer with moments, in place: Adam and what was made of it."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, Ints, float64
from convolith.reference.optimizer import penalised, trust_ratio


def decayed(param: Floats, lr: float, weight_decay: float, decoupled: bool) -> Float64s:
    """What a decoupled decay leaves of the parameter."""
    return np.asarray(float64(param) * (1 - lr * weight_decay if decoupled else 1))


def follow(average: Floats, new: Float64s, beta: float) -> Float64s:
    """The running average, in place."""
    value = beta * float64(average) + (1 - beta) * new
    average[...] = value
    return np.asarray(value)


def adam_step(
    param: Floats,
    grad: Floats,
    exp_avg: Floats,
    exp_avg_sq: Floats,
    max_exp_avg_sq: Floats | None = None,
    *,
    step: int | Ints,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Adam, AdamW or AMSGrad, in place on `param` and its moments.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    exp_avg, exp_avg_sq : param's shape
        Running averages of the gradient and of its square, 0 at first. Updated.
    max_exp_avg_sq : param's shape, optional
        AMSGrad's largest `exp_avg_sq` of all steps, 0 at first, which takes its place. Updated.
    step : int, or int64 array of shape ()
        Number of this step; the first is 1. An array counts: it holds how many steps came before,
        and one more afterwards.
    lr : float
        Learning rate.
    beta1, beta2 : float in [0, 1)
        Weight of the old value in exp_avg and exp_avg_sq.
    eps : float
        Added to the root, outside it.
    weight_decay : float
        L2 penalty: weight_decay * param is added to the gradient.
    decoupled_weight_decay : bool
        AdamW: param is multiplied by 1 - lr * weight_decay instead, and the gradient left alone.
    l1, maximize
        As in `sgd_step`.

    Raises
    ------
    ValueError
        If step is below 1 or a factor is out of its range.

    Notes
    -----
    g = +-grad + weight_decay * param + l1 * sign(param); m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g^2;
    param -= lr * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps): Kingma & Ba 2015,
    algorithm 1, as `torch.optim.Adam`; AdamW: Loshchilov & Hutter 2019, algorithm 2; AMSGrad:
    Reddi, Kale & Kumar 2018, algorithm 2, with bias corrections. These are computed in double.
    """
    if isinstance(step, np.ndarray):
        step[...] += 1
    t = int(step)
    g = penalised(param, grad, 0 if decoupled_weight_decay else weight_decay, l1, maximize)
    m, v = follow(exp_avg, g, beta1), follow(exp_avg_sq, g * g, beta2)
    if max_exp_avg_sq is not None:
        v = np.maximum(float64(max_exp_avg_sq), v)
        max_exp_avg_sq[...] = v
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    kept = decayed(param, lr, weight_decay, decoupled_weight_decay)
    param[...] = kept - lr * m_hat / (np.sqrt(v_hat) + eps)


def nadam_step(
    param: Floats,
    grad: Floats,
    exp_avg: Floats,
    exp_avg_sq: Floats,
    *,
    step: int,
    mu: float,
    mu_next: float,
    mu_product: float,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Adam with Nesterov's momentum, in place on `param` and both moments.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    exp_avg, exp_avg_sq : param's shape
        Running averages of the gradient and of its square, 0 at first. Updated.
    step : int
        Number of this step; the first is 1.
    mu, mu_next, mu_product : float in [0, 1)
        The momentum of this step and of the next, and the product of all up to this one.
    lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay, l1, maximize
        As in `adam_step`.

    Raises
    ------
    ValueError
        If step is below 1 or a factor is out of its range.

    Notes
    -----
    With g, m and v as in `adam_step`, param -= lr * ((1 - mu) / (1 - mu_product) * g
    + mu_next / (1 - mu_product * mu_next) * m) / (sqrt(v / (1 - beta2^step)) + eps): Dozat 2016,
    algorithm 2, as `torch.optim.NAdam`, whose momenta `convolith.optim.NAdam` computes.
    """
    g = penalised(param, grad, 0 if decoupled_weight_decay else weight_decay, l1, maximize)
    m, v = follow(exp_avg, g, beta1), follow(exp_avg_sq, g * g, beta2)
    ahead = (1 - mu) / (1 - mu_product) * g + mu_next / (1 - mu_product * mu_next) * m
    kept = decayed(param, lr, weight_decay, decoupled_weight_decay)
    param[...] = kept - lr * ahead / (np.sqrt(v / (1 - beta2**step)) + eps)


def adamax_step(
    param: Floats,
    grad: Floats,
    exp_avg: Floats,
    exp_inf: Floats,
    *,
    step: int,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Adam with the infinity norm, in place on `param` and both moments.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    exp_avg, exp_inf : param's shape
        Running average of the gradient, and decaying maximum of its magnitude, 0 at first. Updated.
    step : int
        Number of this step; the first is 1.
    eps : float
        Added to the magnitude.
    lr, beta1, beta2, weight_decay, l1, maximize
        As in `adam_step`.

    Raises
    ------
    ValueError
        If step is below 1 or a factor is out of its range.

    Notes
    -----
    With g and m as in `adam_step`, u = max(beta2 * u, |g| + eps);
    param -= lr / (1 - beta1^step) * m / u: Kingma & Ba 2015, algorithm 2, as `torch.optim.Adamax`.
    """
    g = penalised(param, grad, weight_decay, l1, maximize)
    m = follow(exp_avg, g, beta1)
    u = np.maximum(beta2 * float64(exp_inf), np.abs(g) + eps)
    exp_inf[...] = u
    param[...] = float64(param) - lr / (1 - beta1**step) * m / u


def lamb_step(
    param: Floats,
    grad: Floats,
    exp_avg: Floats,
    exp_avg_sq: Floats,
    *,
    step: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Adam whose steps are scaled by the parameter's norm, in place on `param` and both moments.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    exp_avg, exp_avg_sq : param's shape
        Running averages of the gradient and of its square, 0 at first. Updated.
    step : int
        Number of this step; the first is 1.
    weight_decay : float
        This much of the parameter is added to the step, before it is scaled.
    lr, beta1, beta2, eps, l1, maximize
        As in `adam_step`.

    Raises
    ------
    ValueError
        If step is below 1 or a factor is out of its range.

    Notes
    -----
    With m and v as in `adam_step` without a decay,
    u = m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + eps) + weight_decay * param;
    param -= lr * |param| / |u| * u, the ratio being 1 if a norm is 0: You et al. 2020, "Large batch
    optimization for deep learning", algorithm 2, with the identity for phi.
    """
    g = penalised(param, grad, 0, l1, maximize)
    m, v = follow(exp_avg, g, beta1), follow(exp_avg_sq, g * g, beta2)
    u = m / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps)
    u = u + weight_decay * float64(param)
    param[...] = float64(param) - lr * trust_ratio(param, u) * u
