"""Batch normalisation over every axis but the second."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64

ThreeFloats = tuple[Floats, Floats, Floats]
ThreeOuts = tuple[Floats | None, Floats | None, Floats | None]


def _over_channels(v: Float64s, rank: int) -> Float64s:
    """(C) as (C, 1, 1, ...): it broadcasts against (N, C, *)."""
    return v.reshape(-1, *[1] * (rank - 2))


def batch_norm_forward(
    x: Floats,
    weight: Floats | None = None,
    bias: Floats | None = None,
    running_mean: Floats | None = None,
    running_var: Floats | None = None,
    *,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Normalise each channel to mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    x : (N, C, *)
        Two axes or more.
    weight, bias : (C,), optional
        Scale (1 by default) and shift (0 by default).
    running_mean, running_var : (C,)
        Evaluation: the statistics to use, left untouched. Training: updated in place if given.
    training : bool
        Whether to use the statistics of this batch.
    momentum : float
        Weight of the NEW value in the running statistics (Keras: of the old one).
    eps : float
        Added to the variance.
    out : ((N, C, *), (C,), (C,)), optional
        Where to put the results; y may be x itself.

    Returns
    -------
    y : (N, C, *)
    mean, invstd : (C,)
        What was used: invstd = 1 / sqrt(var + eps).

    Raises
    ------
    ValueError
        In training with one value per channel; in evaluation without running statistics.

    Notes
    -----
    y = (x - mean) * invstd * weight + bias (Ioffe & Szegedy 2015, algorithm 1). In training the
    biased variance (divided by m = number of values per channel) normalises, and the unbiased one
    (by m - 1) goes into running_var, as in PyTorch. An empty batch has mean 0 and variance 0 and
    leaves the running statistics alone.
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
    y_out, mean_out, invstd_out = out or (None, None, None)
    return deliver(y, y_out), deliver(mean, mean_out), deliver(invstd, invstd_out)


def batch_norm_backward(
    dy: Floats,
    x: Floats,
    weight: Floats | None,
    mean: Floats,
    invstd: Floats,
    *,
    training: bool = True,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Gradients of `batch_norm_forward` with respect to x, weight and bias.

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
    training : bool
        Whether mean and invstd are the batch's own, so that the gradient flows through them.
    out : ((N, C, *), (C,), (C,)), optional
        Where to put the results.

    Returns
    -------
    dx : (N, C, *)
    dweight, dbias : (C,)

    Notes
    -----
    With xhat = (x - mean) * invstd, dbias = sum dy, dweight = sum dy * xhat and m values per
    channel: dx = weight * invstd * (dy - dbias / m - xhat * dweight / m) in training (Ioffe &
    Szegedy 2015, section 3), dx = weight * invstd * dy in evaluation.
    """
    dy, x, invstd = float64(dy), float64(x), float64(invstd)
    axes = (0, *range(2, x.ndim))
    m = max(x.size // x.shape[1], 1)
    xhat = (x - _over_channels(float64(mean), x.ndim)) * _over_channels(invstd, x.ndim)
    dbias, dweight = dy.sum(axis=axes), (dy * xhat).sum(axis=axes)
    dx = dy
    if training:
        dx = dy - _over_channels(dbias / m, x.ndim) - xhat * _over_channels(dweight / m, x.ndim)
    scale = invstd if weight is None else invstd * float64(weight)
    dx = dx * _over_channels(scale, x.ndim)
    dx_out, dweight_out, dbias_out = out or (None, None, None)
    return deliver(dx, dx_out), deliver(dweight, dweight_out), deliver(dbias, dbias_out)
