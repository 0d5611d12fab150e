"""Convolution taken apart: its windows written out, and what can be done with them.

With the windows of x as the columns of a matrix, im2col, a convolution is a product of matrices::

    w.reshape(K, C * R * S) @ unfold_forward(x, (R, S))    # (N, K, L), L = P * Q windows

(Chellapilla et al. 2006, "High performance convolutional neural networks for document processing").
It reads each pixel R S times from memory, where convolution's own kernels read it once. With a
matrix of its own for each window, `local_linear_forward`, weights are not shared: a locally
connected layer.
"""

from __future__ import annotations

import numpy as np

from convolith.reference._common import (
    Floats,
    IntOrPair,
    PoolPadding,
    deliver,
    float64,
    gather,
    pair,
    scatter_add,
)
from convolith.reference.conv2d import _Geometry


def unfold_forward(
    x: Floats,
    kernel_size: IntOrPair,
    *,
    dilation: IntOrPair = 1,
    padding: PoolPadding = 0,
    stride: IntOrPair = 1,
    out: Floats | None = None,
) -> Floats:
    """Write the windows of x side by side: im2col.

    Parameters
    ----------
    x : (N, C, H, W)
        Input.
    kernel_size : int or (vertical, horizontal)
        R and S.
    dilation, stride : int or (vertical, horizontal)
        As in `conv2d_forward`.
    padding : int, (h, w) or (top, bottom, left, right)
        Zeros around x.
    out : (N, C R S, L), optional
        Where to put the result.

    Returns
    -------
    y : (N, C R S, L)
        Column p * Q + q is the window of output (p, q), flattened as the filters w (K, C, R, S) of
        a convolution are; L = P Q.

    Raises
    ------
    ValueError
        If no window fits.

    Notes
    -----
    y[n, (c*R + r)*S + s, p*Q + q] = x[n, c, p*stride + r*dilation - top, q*stride + s*dilation -
    left]: `torch.nn.functional.unfold`. The gradient is `fold_forward` of dy.
    """
    x = float64(x)
    (N, C, H, W), (R, S) = x.shape, pair(kernel_size)
    geometry = _Geometry((H, W), (R, S), stride, padding, dilation, "zeros")
    y = np.zeros((N, C, R, S, geometry.P, geometry.Q))
    for r, s, rows, cols in geometry.taps():
        y[:, :, r, s] = gather(x, rows, cols)
    return deliver(y.reshape(N, C * R * S, geometry.P * geometry.Q), out)


def fold_forward(
    x: Floats,
    output_size: IntOrPair,
    kernel_size: IntOrPair,
    *,
    dilation: IntOrPair = 1,
    padding: PoolPadding = 0,
    stride: IntOrPair = 1,
    out: Floats | None = None,
) -> Floats:
    """Put windows back where they lie in the image and add them up where they overlap: col2im.

    Parameters
    ----------
    x : (N, C R S, L)
        Windows, as `unfold_forward` writes them.
    output_size : int or (H, W)
        Size of the image; a stride does not determine it.
    kernel_size, dilation, padding, stride
        As in `unfold_forward`.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, H, W)

    Raises
    ------
    ValueError
        If the channels are no multiple of R S, or L is not the number of windows.

    Notes
    -----
    `torch.nn.functional.fold`, the adjoint of `unfold_forward`, whose gradient it is; the gradient
    of this is `unfold_forward` of dy. Not its inverse: what k windows share comes back k times.
    """
    x = float64(x)
    (N, channels, _), (H, W), (R, S) = x.shape, pair(output_size), pair(kernel_size)
    geometry = _Geometry((H, W), (R, S), stride, padding, dilation, "zeros")
    windows = x.reshape(N, channels // (R * S), R, S, geometry.P, geometry.Q)
    y = np.zeros((N, channels // (R * S), H, W))
    for r, s, rows, cols in geometry.taps():
        scatter_add(y, rows, cols, windows[:, :, r, s])
    return deliver(y, out)


def local_linear_forward(
    x: Floats, w: Floats, bias: Floats | None = None, *, out: Floats | None = None
) -> Floats:
    """Apply a linear map of its own at each position.

    Parameters
    ----------
    x : (N, I, L)
        I features at each of L positions: for instance windows, of `unfold_forward`.
    w : (L, O, I)
        A matrix for each position.
    bias : (O, L), optional
        Added.
    out : (N, O, L), optional
        Where to put the result.

    Returns
    -------
    y : (N, O, L)

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    y[n,o,l] = bias[o,l] + sum_i w[l,o,i] * x[n,i,l]. Over windows it is a convolution whose weights
    are not shared, in Keras `LocallyConnected2D` (LeCun 1989, "Generalization and network design
    strategies", compares the two).
    """
    y = np.einsum("loi,nil->nol", float64(w), float64(x))
    return deliver(y if bias is None else y + float64(bias), out)


def local_linear_backward_input(dy: Floats, w: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `local_linear_forward` with respect to its input.

    Parameters
    ----------
    dy : (N, O, L)
        Gradient of the output.
    w : (L, O, I)
    out : (N, I, L), optional
        Where to put the result.

    Returns
    -------
    dx : (N, I, L)

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    return deliver(np.einsum("loi,nol->nil", float64(w), float64(dy)), out)


def local_linear_backward_weight(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `local_linear_forward` with respect to its weight.

    Parameters
    ----------
    dy : (N, O, L)
        Gradient of the output.
    x : (N, I, L)
        Input of the forward pass.
    out : (L, O, I), optional
        Where to put the result.

    Returns
    -------
    dw : (L, O, I)

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    return deliver(np.einsum("nol,nil->loi", float64(dy), float64(x)), out)


def local_linear_backward_bias(dy: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `local_linear_forward` with respect to its bias.

    Parameters
    ----------
    dy : (N, O, L)
        Gradient of the output.
    out : (O, L), optional
        Where to put the result.

    Returns
    -------
    dbias : (O, L)
        The sum over N.
    """
    return deliver(float64(dy).sum(axis=0), out)
