"""Fully connected layer: y = x w^T + bias over the last axis."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, deliver, float64


def linear_forward(
    x: Floats, w: Floats, bias: Floats | None = None, *, out: Floats | None = None
) -> Floats:
    """Multiply by a weight matrix and add a bias.

    Parameters
    ----------
    x : (..., I)
        Input features, any number of leading axes.
    w : (O, I)
        Weight.
    bias : (O,), optional
    out : (..., O), optional
        Where to put the result.

    Returns
    -------
    y : (..., O)

    Raises
    ------
    ValueError
        If the last axis of x is not the last axis of w, or bias does not have O values.

    Notes
    -----
    y[..., o] = sum_i x[..., i] * w[o, i] + bias[o] (`torch.nn.functional.linear`).
    """
    y = np.einsum("...i,oi->...o", float64(x), float64(w))
    return deliver(y if bias is None else y + float64(bias), out)


def linear_backward_input(dy: Floats, w: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `linear_forward` with respect to its input.

    Parameters
    ----------
    dy : (..., O)
        Gradient of the output.
    w : (O, I)
        Weight.
    out : (..., I), optional
        Where to put the result.

    Returns
    -------
    dx : (..., I)

    Notes
    -----
    dx[..., i] = sum_o dy[..., o] * w[o, i].
    """
    return deliver(np.einsum("...o,oi->...i", float64(dy), float64(w)), out)


def linear_backward_weight(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `linear_forward` with respect to its weight.

    Parameters
    ----------
    dy : (..., O)
        Gradient of the output.
    x : (..., I)
        Input of the forward pass, same leading axes.
    out : (O, I), optional
        Where to put the result.

    Returns
    -------
    dw : (O, I)

    Notes
    -----
    dw[o, i] = sum over the leading axes of dy[..., o] * x[..., i].
    """
    rows, features = dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1])
    return deliver(np.einsum("no,ni->oi", float64(rows), float64(features)), out)


def linear_backward_bias(dy: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `linear_forward` with respect to its bias.

    Parameters
    ----------
    dy : (..., O)
        Gradient of the output.
    out : (O,), optional
        Where to put the result.

    Returns
    -------
    dbias : (O,)

    Notes
    -----
    dbias[o] = sum over the leading axes of dy[..., o].
    """
    return deliver(float64(dy).reshape(-1, dy.shape[-1]).sum(axis=0), out)
