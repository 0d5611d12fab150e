"""One step of an optimizer on one parameter, in place."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, Ints, float64


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

    Raises
    ------
    ValueError
        If momentum comes without velocity or velocity without momentum, or the flags disagree.

    Notes
    -----
    g = grad + weight_decay * param; v = g if first else momentum * v + (1 - dampening) * g;
    param -= lr * (g + momentum * v if nesterov else v), with v = g without momentum: as
    `torch.optim.SGD` (Sutskever et al. 2013). Keras keeps lr inside the velocity.
    """
    p = float64(param)
    g = float64(grad) + weight_decay * p
    if momentum != 0:
        assert velocity is not None
        v = g if first else momentum * float64(velocity) + (1 - dampening) * g
        velocity[...] = v
        g = g + momentum * v if nesterov else v
    param[...] = p - lr * g


def adam_step(
    param: Floats,
    grad: Floats,
    exp_avg: Floats,
    exp_avg_sq: Floats,
    *,
    step: int | Ints,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """Adam, in place on `param` and both moments.

    Parameters
    ----------
    param : array of any shape
        Updated.
    grad : param's shape
    exp_avg, exp_avg_sq : param's shape
        Running averages of the gradient and of its square, 0 at first. Updated.
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

    Raises
    ------
    ValueError
        If step is below 1 or a factor is out of its range.

    Notes
    -----
    g = grad + weight_decay * param; m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g^2;
    param -= lr * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps): Kingma & Ba 2015,
    algorithm 1, as `torch.optim.Adam`.
    """
    if isinstance(step, np.ndarray):
        step[...] += 1
    t = int(step)
    p = float64(param)
    g = float64(grad) + weight_decay * p
    m = beta1 * float64(exp_avg) + (1 - beta1) * g
    v = beta2 * float64(exp_avg_sq) + (1 - beta2) * g * g
    exp_avg[...], exp_avg_sq[...] = m, v
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    param[...] = p - lr * m_hat / (np.sqrt(v_hat) + eps)
