"""Normalisation of every sample by itself: layer norm, group norm, instance norm."""

from __future__ import annotations

import math

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64
from convolith.reference.batch_norm import ThreeFloats, ThreeOuts


def _groups(x: Float64s, num_groups: int) -> Float64s:
    """(N, C, *) as (N, num_groups, m)."""
    return x.reshape(x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups)


def _along(v: Floats | None, x: Float64s, num_groups: int, otherwise: float) -> Float64s:
    """(C), or None for `otherwise`, as what it is at each element of a group: (num_groups, m)."""
    channels = np.full(x.shape[1], otherwise) if v is None else float64(v).reshape(-1)
    return channels.repeat(math.prod(x.shape[2:])).reshape(num_groups, -1)


def _forward(
    rows: Float64s, weight: Float64s, bias: Float64s, eps: float
) -> tuple[Float64s, Float64s, Float64s]:
    """Rows (..., m) to mean 0 and variance 1; weight and bias broadcast against them."""
    mean = rows.mean(axis=-1)
    var = ((rows - mean[..., None]) ** 2).mean(axis=-1)
    invstd = 1 / np.sqrt(var + eps)
    return (rows - mean[..., None]) * invstd[..., None] * weight + bias, mean, invstd


def _backward(
    dy: Float64s, rows: Float64s, weight: Float64s, mean: Float64s, invstd: Float64s
) -> tuple[Float64s, Float64s]:
    """The gradient of the rows, and dy * xhat."""
    xhat = (rows - mean[..., None]) * invstd[..., None]
    g = dy * weight
    means = [v.mean(axis=-1, keepdims=True) for v in (g, g * xhat)]
    return (g - means[0] - xhat * means[1]) * invstd[..., None], dy * xhat


def layer_norm_forward(
    x: Floats,
    normalized_shape: tuple[int, ...],
    weight: Floats | None = None,
    bias: Floats | None = None,
    *,
    eps: float = 1e-5,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Normalise each row, the last axes of x, to mean 0 and variance 1; scale and shift it.

    Parameters
    ----------
    x : (*, normalized_shape)
    normalized_shape : tuple of int
        The last axes of x, one or more, none of them empty.
    weight, bias : normalized_shape, optional
        Scale (1 by default) and shift (0 by default) of each position.
    eps : float
        Added to the variance.
    out : (x's shape, (rows,), (rows,)), optional
        Where to put the results; y may be x itself.

    Returns
    -------
    y : x's shape
    mean, invstd : (rows,)
        Of each row, counted in row-major order; invstd = 1 / sqrt(var + eps).

    Raises
    ------
    ValueError
        If x does not end with `normalized_shape`, or that is empty.

    Notes
    -----
    y = (x - mean) * invstd * weight + bias with the biased variance (Ba, Kiros & Hinton 2016,
    "Layer normalization", eq. 4).
    """
    x, rows = float64(x), float64(x).reshape(-1, math.prod(normalized_shape))
    scale, shift = _along(weight, rows, 1, 1), _along(bias, rows, 1, 0)
    y, mean, invstd = _forward(rows, scale, shift, eps)
    y_out, mean_out, invstd_out = out or (None, None, None)
    return deliver(y.reshape(x.shape), y_out), deliver(mean, mean_out), deliver(invstd, invstd_out)


def layer_norm_backward(
    dy: Floats,
    x: Floats,
    normalized_shape: tuple[int, ...],
    weight: Floats | None,
    mean: Floats,
    invstd: Floats,
    *,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Gradients of `layer_norm_forward` with respect to x, weight and bias.

    Parameters
    ----------
    dy, x : (*, normalized_shape)
        Gradient of the output, and input of the forward pass.
    normalized_shape : tuple of int
        As in the forward pass.
    weight : normalized_shape or None
        Scale; None is 1.
    mean, invstd : (rows,)
        From the forward pass.
    out : (x's shape, normalized_shape, normalized_shape), optional
        Where to put the results; dx may be dy or x itself.

    Returns
    -------
    dx : x's shape
    dweight, dbias : normalized_shape

    Notes
    -----
    With xhat = (x - mean) * invstd and g = dy * weight, means being those of a row:
    dx = invstd * (g - mean(g) - xhat * mean(g * xhat)), dweight = sum dy * xhat, dbias = sum dy.
    """
    shape, size = np.shape(x), math.prod(normalized_shape)
    g, rows = float64(dy).reshape(-1, size), float64(x).reshape(-1, size)
    dx, products = _backward(g, rows, _along(weight, rows, 1, 1), float64(mean), float64(invstd))
    dx_out, dweight_out, dbias_out = out or (None, None, None)
    return (
        deliver(dx.reshape(shape), dx_out),
        deliver(products.sum(axis=0).reshape(normalized_shape), dweight_out),
        deliver(g.sum(axis=0).reshape(normalized_shape), dbias_out),
    )


def group_norm_forward(
    x: Floats,
    num_groups: int,
    weight: Floats | None = None,
    bias: Floats | None = None,
    *,
    eps: float = 1e-5,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Normalise each group of channels of a sample to mean 0 and variance 1; scale and shift it.

    Parameters
    ----------
    x : (N, C, *)
        Two axes or more.
    num_groups : int
        Divides C; a group has C / num_groups channels one after the other.
    weight, bias : (C,), optional
        Scale (1 by default) and shift (0 by default) of each channel.
    eps : float
        Added to the variance.
    out : ((N, C, *), (N, num_groups), (N, num_groups)), optional
        Where to put the results; y may be x itself.

    Returns
    -------
    y : (N, C, *)
    mean, invstd : (N, num_groups)
        invstd = 1 / sqrt(var + eps).

    Raises
    ------
    ValueError
        If `num_groups` does not divide C.

    Notes
    -----
    y = (x - mean) * invstd * weight + bias with the biased variance of the group (Wu & He 2018,
    "Group normalization", section 3).
    """
    x = float64(x)
    scale, shift = _along(weight, x, num_groups, 1), _along(bias, x, num_groups, 0)
    y, mean, invstd = _forward(_groups(x, num_groups), scale, shift, eps)
    y_out, mean_out, invstd_out = out or (None, None, None)
    return deliver(y.reshape(x.shape), y_out), deliver(mean, mean_out), deliver(invstd, invstd_out)


def group_norm_backward(
    dy: Floats,
    x: Floats,
    num_groups: int,
    weight: Floats | None,
    mean: Floats,
    invstd: Floats,
    *,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Gradients of `group_norm_forward` with respect to x, weight and bias.

    Parameters
    ----------
    dy, x : (N, C, *)
        Gradient of the output, and input of the forward pass.
    num_groups : int
        As in the forward pass.
    weight : (C,) or None
        Scale; None is 1.
    mean, invstd : (N, num_groups)
        From the forward pass.
    out : ((N, C, *), (C,), (C,)), optional
        Where to put the results; dx may be dy or x itself.

    Returns
    -------
    dx : (N, C, *)
    dweight, dbias : (C,)

    Notes
    -----
    With xhat = (x - mean) * invstd and g = dy * weight, means being those of a group of a sample:
    dx = invstd * (g - mean(g) - xhat * mean(g * xhat)), dweight = sum dy * xhat, dbias = sum dy.
    """
    dy, x = float64(dy), float64(x)
    scale = _along(weight, x, num_groups, 1)
    dx, products = _backward(
        _groups(dy, num_groups), _groups(x, num_groups), scale, float64(mean), float64(invstd)
    )
    dx_out, dweight_out, dbias_out = out or (None, None, None)
    axes = (0, *range(2, x.ndim))
    return (
        deliver(dx.reshape(x.shape), dx_out),
        deliver(products.reshape(x.shape).sum(axis=axes), dweight_out),
        deliver(dy.sum(axis=axes), dbias_out),
    )


def instance_norm_forward(
    x: Floats,
    weight: Floats | None = None,
    bias: Floats | None = None,
    running_mean: Floats | None = None,
    running_var: Floats | None = None,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Normalise each channel of a sample to mean 0 and variance 1; scale and shift it.

    This is `group_norm_forward` with a group for each channel. Evaluation with running statistics
    is `batch_norm_forward`.

    Parameters
    ----------
    x : (N, C, *)
        Three axes or more.
    weight, bias : (C,), optional
        Scale (1 by default) and shift (0 by default).
    running_mean, running_var : (C,), optional
        Updated in place.
    momentum : float
        Weight of the NEW value in the running statistics.
    eps : float
        Added to the variance.
    out : ((N, C, *), (N, C), (N, C)), optional
        Where to put the results; y may be x itself.

    Returns
    -------
    y : (N, C, *)
    mean, invstd : (N, C)
        invstd = 1 / sqrt(var + eps).

    Raises
    ------
    ValueError
        If a channel of a sample has one value.

    Notes
    -----
    Ulyanov, Vedaldi & Lempitsky 2016, "Instance normalization", eq. 1. As in PyTorch the means over
    N of mean and of unbiased variance go into the running statistics; an empty batch leaves them.
    """
    x = float64(x)
    y, mean, invstd = group_norm_forward(x, x.shape[1], weight, bias, eps=eps, out=out)
    if x.shape[0] > 0 and running_mean is not None:
        fresh = float64(mean).mean(axis=0)
        running_mean[...] = (1 - momentum) * float64(running_mean) + momentum * fresh
    if x.shape[0] > 0 and running_var is not None:
        fresh = _groups(x, x.shape[1]).var(axis=-1, ddof=1).mean(axis=0)
        running_var[...] = (1 - momentum) * float64(running_var) + momentum * fresh
    return y, mean, invstd


def instance_norm_backward(
    dy: Floats,
    x: Floats,
    weight: Floats | None,
    mean: Floats,
    invstd: Floats,
    *,
    out: ThreeOuts | None = None,
) -> ThreeFloats:
    """Gradients of `instance_norm_forward` with respect to x, weight and bias.

    Parameters
    ----------
    dy, x : (N, C, *)
        Gradient of the output, and input of the forward pass.
    weight : (C,) or None
        Scale; None is 1.
    mean, invstd : (N, C)
        From the forward pass.
    out : ((N, C, *), (C,), (C,)), optional
        Where to put the results; dx may be dy or x itself.

    Returns
    -------
    dx : (N, C, *)
    dweight, dbias : (C,)

    Notes
    -----
    Those of `group_norm_backward` with a group for each channel.
    """
    return group_norm_backward(dy, x, x.shape[1], weight, mean, invstd, out=out)
