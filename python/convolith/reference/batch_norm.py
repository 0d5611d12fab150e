"""Batch normalisation over every axis but the second, and what may follow it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64

Activation = Literal["identity", "relu"]
ThreeFloats = tuple[Floats, Floats, Floats]
ThreeOuts = tuple[Floats | None, Floats | None, Floats | None]
Gradients = tuple[Floats, ...]
GradientOuts = tuple[Floats | None, ...]


def _over_channels(v: Float64s, rank: int) -> Float64s:
    """(C) as (C, 1, 1, ...): it broadcasts against (N, C, *)."""
    return v.reshape(-1, *[1] * (rank - 2))


def batch_norm_forward(
    x: Floats,
    weight: Floats | None = None,
    bias: Floats | None = None,
    running_mean: Floats | None = None,
    running_var: Floats | None = None,
    residual: Floats | None = None,
    *,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: Activation = "identity",
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Normalise each channel to mean 0 and variance 1, then scale and shift it.

    A residual and an activation may follow, without another pass over memory.

    Parameters
    ----------
    x : (N, C, *)
        Two axes or more.
    weight, bias : (C,), optional
        Scale (1 by default) and shift (0 by default).
    running_mean, running_var : (C,)
        Evaluation: the statistics to use, left untouched. Training: updated in place if given.
    residual : (N, C, *), optional
        Added to the result, before the activation.
    training : bool
        Whether to use the statistics of this batch.
    momentum : float
        Weight of the NEW value in the running statistics (Keras: of the old one).
    eps : float
        Added to the variance.
    activation : {'identity', 'relu'}
        relu is max(., 0).
    out : ((N, C, *), (C,), (C,)), optional
        Where to put the results; y may be x or residual itself.

    Returns
    -------
    y : (N, C, *)
    mean, invstd : (C,)
        What was used: invstd = 1 / sqrt(var + eps).

    Raises
    ------
    ValueError
        In training with one value per channel; in evaluation without running statistics; for an
        unknown activation.

    Notes
    -----
    y = act((x - mean) * invstd * weight + bias + residual), which without residual and activation
    is Ioffe & Szegedy 2015, algorithm 1; with them it ends a block of He et al. 2015, fig. 2. In
    training the biased variance (divided by m = number of values per channel) normalises, and the
    unbiased one (by m - 1) goes into running_var, as in PyTorch. An empty batch has mean 0 and
    variance 0 and leaves the running statistics alone.
    """
    x = float64(x)
    axes = (0, *range(2, x.ndim))
    if training:
        m = x.size // x.shape[1]
        mean = x.sum(axis=axes) / max(m, 1)
        var = ((x - _over_channels(mean, x.ndim)) ** 2).sum(axis=axes) / max(m, 1)
        if m > 1 and running_mean is not None:
            running_mean[...] = (1 - momentum) * float64(running_mean) + momentum * mean
        if m > 1 and running_var is not None:
            unbiased = var * m / (m - 1)
            running_var[...] = (1 - momentum) * float64(running_var) + momentum * unbiased
    else:
        assert running_mean is not None
        assert running_var is not None
        mean, var = float64(running_mean).copy(), float64(running_var)
    invstd = 1 / np.sqrt(var + eps)
    scale = invstd if weight is None else invstd * float64(weight)
    y = (x - _over_channels(mean, x.ndim)) * _over_channels(scale, x.ndim)
    if bias is not None:
        y = y + _over_channels(float64(bias), x.ndim)
    if residual is not None:
        y = y + float64(residual)
    if activation == "relu":
        y = np.maximum(y, 0)
    y_out, mean_out, invstd_out = out or (None, None, None)
    return deliver(y, y_out), deliver(mean, mean_out), deliver(invstd, invstd_out)


def batch_norm_backward(
    dy: Floats,
    x: Floats,
    weight: Floats | None,
    mean: Floats,
    invstd: Floats,
    bias: Floats | None = None,
    y: Floats | None = None,
    *,
    training: bool = True,
    activation: Activation = "identity",
    out: GradientOuts | None = None,
) -> Gradients:
    """Gradients of `batch_norm_forward` with respect to x, weight, bias and residual.

    Parameters
    ----------
    dy : (N, C, *)
        Gradient of the output.
    x : (N, C, *)
        Input of the forward pass.
    weight : (C,) or None
        Scale; None is 1.
    mean, invstd : (C,)
        From the forward pass.
    bias : (C,), optional
        Shift: needed with an activation and without y.
    y : (N, C, *), optional
        Output of the forward pass: needed where a residual was followed by an activation.
    training : bool
        Whether mean and invstd are the batch's own, so that the gradient flows through them.
    activation : {'identity', 'relu'}
        What followed.
    out : ((N, C, *), (C,), (C,)) or with y ((N, C, *), (C,), (C,), (N, C, *)), optional
        Where to put the results; dx may be dy, x or y itself.

    Returns
    -------
    dx : (N, C, *)
    dweight, dbias : (C,)
    dresidual : (N, C, *)
        Only with y. Without an activation the gradient of the residual is dy itself.

    Raises
    ------
    ValueError
        If there is a y but no activation; for an unknown activation.

    Notes
    -----
    With g = dy, but after relu 0 where its output is 0 (found by y or, without a residual, by x),
    xhat = (x - mean) * invstd, dbias = sum g, dweight = sum g * xhat and m values per channel:
    dx = weight * invstd * (g - dbias / m - xhat * dweight / m) in training (Ioffe & Szegedy 2015,
    section 3), dx = weight * invstd * g in evaluation; dresidual = g.
    """
    dy, x, invstd = float64(dy), float64(x), float64(invstd)
    axes = (0, *range(2, x.ndim))
    m = max(x.size // x.shape[1], 1)
    xhat = (x - _over_channels(float64(mean), x.ndim)) * _over_channels(invstd, x.ndim)
    if activation == "relu":
        before = y
        if before is None:
            before = xhat if weight is None else xhat * _over_channels(float64(weight), x.ndim)
            before = before if bias is None else before + _over_channels(float64(bias), x.ndim)
        dy = np.where(before <= 0, 0, dy)
    dbias, dweight = dy.sum(axis=axes), (dy * xhat).sum(axis=axes)
    dx = dy
    if training:
        dx = dy - _over_channels(dbias / m, x.ndim) - xhat * _over_channels(dweight / m, x.ndim)
    scale = invstd if weight is None else invstd * float64(weight)
    dx = dx * _over_channels(scale, x.ndim)
    results = (dx, dweight, dbias) if y is None else (dx, dweight, dbias, dy)
    outs = out or (None,) * len(results)
    return tuple(deliver(result, o) for result, o in zip(results, outs, strict=True))
