"""One step of an optimizer on one parameter, in place; those with moments are in `adam`."""

from __future__ import annotations

import math

import numpy as np

from convolith.reference._common import Float64s, Floats, float64


def penalised(
    param: Floats, grad: Floats, weight_decay: float, l1: float, maximize: bool
) -> Float64s:
    """+-grad + weight_decay * param + l1 * sign(param), minus to maximize."""
    p = float64(param)
    g = -float64(grad) if maximize else float64(grad)
    return np.asarray(g + weight_decay * p + l1 * np.sign(p))


def trust_ratio(w: Floats, u: Floats, coefficient: float = 1.0, decay: float = 0.0) -> float:
    """coefficient * |w| / (|u| + decay * |w|); 1 where one of the norms is 0 and says nothing."""
    w_norm, u_norm = (math.sqrt(np.sum(np.square(float64(x)))) for x in (w, u))
    if w_norm == 0 or u_norm == 0:
        return 1.0
    return coefficient * w_norm / (u_norm + decay * w_norm)


def sgd_step(
    param: Floats,
    grad: Floats,
    velocity: Floats | None = None,
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    first: bool = False,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Stochastic gradient descent with momentum, in place on `param` and `velocity`.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    velocity : param's shape, or None without momentum
        Updated.
    lr : float
        Learning rate.
    momentum, dampening : float
        The velocity is momentum * velocity + (1 - dampening) * gradient.
    weight_decay : float
        L2 penalty: weight_decay * param is added to the gradient.
    nesterov : bool
        Look one momentum step ahead; needs momentum > 0 and dampening 0.
    first : bool
        Whether this is the first step: the velocity is then the gradient alone, undampened.
    l1 : float
        L1 penalty: l1 * sign(param) is added to the gradient.
    maximize : bool
        Climb: -grad takes the place of grad.

    Raises
    ------
    ValueError
        If momentum comes without velocity or velocity without momentum, or the flags disagree.

    Notes
    -----
    g = +-grad + weight_decay * param + l1 * sign(param);
    v = g if first else momentum * v + (1 - dampening) * g;
    param -= lr * (g + momentum * v if nesterov else v), with v = g without momentum: as
    `torch.optim.SGD` (Sutskever et al. 2013). Keras keeps lr inside the velocity.
    """
    g = penalised(param, grad, weight_decay, l1, maximize)
    if momentum != 0:
        assert velocity is not None
        v = g if first else momentum * float64(velocity) + (1 - dampening) * g
        velocity[...] = v
        g = g + momentum * v if nesterov else v
    param[...] = float64(param) - lr * g


def lars_step(
    param: Floats,
    grad: Floats,
    velocity: Floats | None = None,
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    trust_coefficient: float = 1e-3,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Gradient descent whose steps are scaled by the parameter's norm, in place.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    velocity : param's shape, or None without momentum
        0 at first. Updated.
    lr, momentum, weight_decay, l1, maximize
        As in `sgd_step`.
    trust_coefficient : float
        How far a step of learning rate 1 may go, relative to the norm.

    Raises
    ------
    ValueError
        If momentum comes without velocity or velocity without momentum.

    Notes
    -----
    g = +-grad + weight_decay * param + l1 * sign(param);
    ratio = trust_coefficient * |param| / (|grad| + weight_decay * |param|), 1 if a norm is 0;
    v = momentum * v + ratio * g; param -= lr * v: You, Gitman and Ginsburg 2017, "Large batch
    training of convolutional networks", algorithm 1, with lr outside the velocity.
    """
    ratio = trust_ratio(param, grad, trust_coefficient, weight_decay)
    v = ratio * penalised(param, grad, weight_decay, l1, maximize)
    if momentum != 0:
        assert velocity is not None
        v = momentum * float64(velocity) + v
        velocity[...] = v
    param[...] = float64(param) - lr * v


def adagrad_step(
    param: Floats,
    grad: Floats,
    state_sum: Floats,
    *,
    step: int = 1,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Adagrad, in place on `param` and `state_sum`.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    state_sum : param's shape
        Sum of the squared gradients. Updated.
    step : int
        Number of this step, from 1; it matters for `lr_decay` alone.
    lr, weight_decay, l1, maximize
        As in `sgd_step`.
    lr_decay : float
        The learning rate of step t is lr / (1 + (t - 1) * lr_decay).
    eps : float
        Added to the root, outside it.

    Raises
    ------
    ValueError
        If step is below 1 or a factor is out of its range.

    Notes
    -----
    g = +-grad + weight_decay * param + l1 * sign(param); s = s + g^2;
    param -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(s) + eps): Duchi, Hazan and Singer 2011,
    as `torch.optim.Adagrad`.
    """
    g = penalised(param, grad, weight_decay, l1, maximize)
    s = float64(state_sum) + g * g
    state_sum[...] = s
    param[...] = float64(param) - lr / (1 + (step - 1) * lr_decay) * g / (np.sqrt(s) + eps)


def adadelta_step(
    param: Floats,
    grad: Floats,
    square_avg: Floats,
    acc_delta: Floats,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """Adadelta, in place on `param` and both averages.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    square_avg, acc_delta : param's shape
        Running averages of the squares of gradients and of steps, 0 at first. Updated.
    lr, weight_decay, l1, maximize
        As in `sgd_step`.
    rho : float in [0, 1]
        Weight of the old value in both averages.
    eps : float
        Added under both roots.

    Raises
    ------
    ValueError
        If a factor is out of its range.

    Notes
    -----
    g = +-grad + weight_decay * param + l1 * sign(param); s = rho * s + (1 - rho) * g^2;
    d = sqrt(u + eps) / sqrt(s + eps) * g; u = rho * u + (1 - rho) * d^2; param -= lr * d:
    Zeiler 2012, algorithm 1, as `torch.optim.Adadelta`.
    """
    g = penalised(param, grad, weight_decay, l1, maximize)
    s = rho * float64(square_avg) + (1 - rho) * g * g
    d = np.sqrt(float64(acc_delta) + eps) / np.sqrt(s + eps) * g
    square_avg[...] = s
    acc_delta[...] = rho * float64(acc_delta) + (1 - rho) * d * d
    param[...] = float64(param) - lr * d


def rmsprop_step(
    param: Floats,
    grad: Floats,
    square_avg: Floats,
    grad_avg: Floats | None = None,
    momentum_buffer: Floats | None = None,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    l1: float = 0.0,
    maximize: bool = False,
) -> None:
    """RMSprop, in place on `param` and its states.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    square_avg : param's shape
        Running average of the squared gradient, 0 at first. Updated.
    grad_avg : param's shape, optional
        The centred variant's running average of the gradient, 0 at first. Updated.
    momentum_buffer : param's shape, or None without momentum
        0 at first. Updated.
    lr, weight_decay, l1, maximize
        As in `sgd_step`.
    alpha : float in [0, 1]
        Weight of the old value in the averages.
    eps : float
        Added to the root, outside it.
    momentum : float

    Raises
    ------
    ValueError
        If momentum comes without a buffer or a buffer without momentum, or a factor is out of its
        range.

    Notes
    -----
    g = +-grad + weight_decay * param + l1 * sign(param); s = alpha * s + (1 - alpha) * g^2;
    m = alpha * m + (1 - alpha) * g if centred, else 0;
    b = momentum * b + g / (sqrt(max(s - m^2, 0)) + eps); param -= lr * b: Tieleman and Hinton 2012,
    lecture 6.5, centred after Graves 2013, eq. 40, as `torch.optim.RMSprop`; but where rounding
    makes s - m^2 negative, that has NaN.
    """
    g = penalised(param, grad, weight_decay, l1, maximize)
    s = alpha * float64(square_avg) + (1 - alpha) * g * g
    square_avg[...] = s
    if grad_avg is not None:
        m = alpha * float64(grad_avg) + (1 - alpha) * g
        grad_avg[...] = m
        s = np.maximum(s - m * m, 0)
    b = g / (np.sqrt(s) + eps)
    if momentum != 0:
        assert momentum_buffer is not None
        b = momentum * float64(momentum_buffer) + b
        momentum_buffer[...] = b
    param[...] = float64(param) - lr * b


def ema_step(average: Floats, param: Floats, *, decay: float = 0.999) -> None:
    """Exponential moving average of a parameter, in place on `average`.

    Parameters
    ----------
    average : array of any shape
        Updated.
    param : average's shape
    decay : float in [0, 1]
        Weight of the old average.

    Raises
    ------
    ValueError
        If `decay` is out of its range, or the shapes differ.

    Notes
    -----
    average = decay * average + (1 - decay) * param (Polyak and Juditsky 1992; exponential as in
    `torch.optim.swa_utils.get_ema_multi_avg_fn`).
    """
    average[...] = decay * float64(average) + (1 - decay) * float64(param)
