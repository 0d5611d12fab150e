"""Two-dimensional convolution (cross-correlation, as everywhere in deep learning).

The whole of it is one gather per tap (r, s) of the kernel:

    y[n, k, p, q] = bias[k] + sum over c, r, s of x~[n, c, p*stride + r*dilation - top,
                                                     q*stride + s*dilation - left] * w[k, c, r, s]

where x~ is x continued beyond its border by `padding_mode`. The gradients are the same sum read in
the two other directions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convolith.reference._common import (
    Floats,
    IntOrPair,
    Ints,
    Padding,
    deliver,
    float64,
    gather,
    output_size,
    pair,
    scatter_add,
    sides,
    source,
)


def _padding_and_size(
    size: int, kernel: int, stride: int, padding: str | tuple[int, int], dilation: int
) -> tuple[int, int]:
    """(padding before, output size) along one axis."""
    if padding == "same":
        out = -(-size // stride)
        total = max((out - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
        return total // 2, out
    before, after = (0, 0) if isinstance(padding, str) else padding
    return before, output_size(size, kernel, stride, before, after, dilation)


class _Geometry:
    """Which input position every tap of every output position reads."""

    def __init__(
        self,
        input_size: tuple[int, int],
        kernel: tuple[int, int],
        stride: IntOrPair,
        padding: Padding,
        dilation: IntOrPair,
        padding_mode: str,
    ) -> None:
        (self.H, self.W), (self.R, self.S) = input_size, kernel
        self.stride, self.dilation, self.mode = pair(stride), pair(dilation), padding_mode
        vertical: str | tuple[int, int]
        horizontal: str | tuple[int, int]
        if isinstance(padding, str):
            assert padding in ("valid", "same")
            vertical = horizontal = padding
        else:
            top, bottom, left, right = sides(padding)
            vertical, horizontal = (top, bottom), (left, right)
        self.top, self.P = _padding_and_size(
            self.H, self.R, self.stride[0], vertical, self.dilation[0]
        )
        self.left, self.Q = _padding_and_size(
            self.W, self.S, self.stride[1], horizontal, self.dilation[1]
        )

    def taps(self) -> Iterator[tuple[int, int, Ints, Ints]]:
        """For each (r, s): the input rows (P) and columns (Q) it meets, -1 for a zero."""
        for r in range(self.R):
            h = np.arange(self.P) * self.stride[0] + r * self.dilation[0] - self.top
            for s in range(self.S):
                w = np.arange(self.Q) * self.stride[1] + s * self.dilation[1] - self.left
                yield r, s, source(h, self.H, self.mode), source(w, self.W, self.mode)


def conv2d_forward(
    x: Floats,
    w: Floats,
    bias: Floats | None = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    residual: Floats | None = None,
    activation: str = "identity",
    algo: str = "auto",
    prepared: Floats | None = None,
    out: Floats | None = None,
) -> Floats:
    """Convolve a batch of images with a bank of filters.

    Parameters
    ----------
    x : (N, C, H, W)
        Input.
    w : (K, C/G, R, S)
        Filters; those of group g see the g-th block of C/G channels only.
    bias : (K,), optional
        Added to every position of an output channel.
    stride, dilation : int or (vertical, horizontal)
        Distance between neighbouring windows, and between neighbouring taps of a window (1 = none).
    padding : int, (h, w), (top, bottom, left, right), 'valid' or 'same'
        'valid' is none. 'same' gives P = ceil(H / stride) and Q = ceil(W / stride); where the total
        is odd, the extra row or column is at the end.
    groups : int
        G; both C and K must be multiples of it. G = C is a depthwise convolution.
    padding_mode : 'zeros', 'reflect', 'replicate' or 'circular'
        What lies beyond the border. 'reflect' needs padding < size, 'circular' padding <= size.
    residual : (N, K, P, Q), optional
        Added to the result before the activation.
    activation : 'identity' or 'relu'
        Applied last.
    algo : 'auto', 'direct', 'gemm', 'depthwise', 'winograd', 'tensor_core', 'mma' or 'wgmma'
        How it is computed; `conv2d_plan` tells what 'auto' chooses and why. All but two are exact:
        each output is one sum of products, rounded as such. Winograd's F(4x4, 3x3) loses about one
        decimal digit; a GPU's tensor cores round x and w to TF32, three digits, and serve only when
        asked for. `convolith.exact` forbids both. 'mma' and 'wgmma' are tensor cores by one of
        their instructions. The reference has one way only.
    prepared : array, optional
        What `convolith.primitives.conv2d_prepare_weight` made of w for these shapes and options.
    out : (N, K, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, K, P, Q)
        P = (H + top + bottom - dilation * (R - 1) - 1) // stride + 1, Q likewise.

    Raises
    ------
    ValueError
        If shapes, groups or padding do not fit together, or `algo` cannot serve them.
    TypeError
        If an argument is no float32 or float64 array, or their dtypes differ.

    Notes
    -----
    y[n,k,p,q] = activation(residual[n,k,p,q] + bias[k] + sum_{c,r,s} x[n, c,
    p*stride + r*dilation - top, q*stride + s*dilation - left] * w[k,c,r,s]), the sum as
    `torch.nn.functional.conv2d` and ONNX `Conv` define it. Strided 'same' follows TensorFlow
    (SAME_UPPER in ONNX); PyTorch refuses it.
    """
    x, w = float64(x), float64(w)
    N, C, H, W = x.shape
    K, _, R, S = w.shape
    geometry = _Geometry((H, W), (R, S), stride, padding, dilation, padding_mode)
    filters = w.reshape(groups, K // groups, C // groups, R, S)
    y = np.zeros((N, groups, K // groups, geometry.P, geometry.Q))
    for r, s, rows, cols in geometry.taps():
        tap = gather(x, rows, cols).reshape(N, groups, C // groups, geometry.P, geometry.Q)
        y += np.einsum("ngcpq,gkc->ngkpq", tap, filters[..., r, s])
    y = y.reshape(N, K, geometry.P, geometry.Q)
    if bias is not None:
        y += float64(bias)[:, None, None]
    if residual is not None:
        y += float64(residual)
    if activation == "relu":
        y = np.where(y < 0, 0.0, y)
    return deliver(y, out)


def conv2d_backward_input(
    dy: Floats,
    w: Floats,
    input_shape: tuple[int, ...],
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algo: str = "auto",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `conv2d_forward` with respect to its input.

    Parameters
    ----------
    dy : (N, K, P, Q)
        Gradient of the output.
    w : (K, C/G, R, S)
        Filters.
    input_shape : (N, C, H, W)
        Shape of the forward input; a strided output does not determine it.
    stride, padding, dilation, groups, padding_mode, algo
        As in `conv2d_forward`.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)

    Raises
    ------
    ValueError
        If `input_shape` and `w` do not give an output of dy's shape.

    Notes
    -----
    The adjoint of the forward pass: dx[n,c,h,w] is the sum of dy[n,k,p,q] * w[k,c,r,s] over all
    (k, p, q, r, s) that read x[n,c,h,w], through padding (reflect, replicate, circular) too.
    Called transposed convolution when used as a layer (Dumoulin & Visin 2016, chapter 4).
    """
    dy, w = float64(dy), float64(w)
    N, C, H, W = input_shape
    K, _, R, S = w.shape
    geometry = _Geometry((H, W), (R, S), stride, padding, dilation, padding_mode)
    filters = w.reshape(groups, K // groups, C // groups, R, S)
    gradient = dy.reshape(N, groups, K // groups, geometry.P, geometry.Q)
    dx = np.zeros((N, C, H, W))
    for r, s, rows, cols in geometry.taps():
        dtap = np.einsum("ngkpq,gkc->ngcpq", gradient, filters[..., r, s])
        scatter_add(dx, rows, cols, dtap.reshape(N, C, geometry.P, geometry.Q))
    return deliver(dx, out)


def conv2d_backward_weight(
    dy: Floats,
    x: Floats,
    weight_shape: tuple[int, ...],
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algo: str = "auto",
    out: Floats | None = None,
) -> Floats:
    """Gradient of `conv2d_forward` with respect to its filters.

    Parameters
    ----------
    dy : (N, K, P, Q)
        Gradient of the output.
    x : (N, C, H, W)
        Input of the forward pass.
    weight_shape : (K, C/G, R, S)
        Shape of the filters; a strided output does not determine it.
    stride, padding, dilation, groups, padding_mode, algo
        As in `conv2d_forward`.
    out : (K, C/G, R, S), optional
        Where to put the result.

    Returns
    -------
    dw : (K, C/G, R, S)

    Raises
    ------
    ValueError
        If x and `weight_shape` do not give an output of dy's shape.

    Notes
    -----
    dw[k,c,r,s] = sum_{n,p,q} dy[n,k,p,q] * x[n, c, p*stride + r*dilation - top,
    q*stride + s*dilation - left].
    """
    dy, x = float64(dy), float64(x)
    N, C, H, W = x.shape
    K, _, R, S = weight_shape
    geometry = _Geometry((H, W), (R, S), stride, padding, dilation, padding_mode)
    gradient = dy.reshape(N, groups, K // groups, geometry.P, geometry.Q)
    dw = np.zeros((groups, K // groups, C // groups, R, S))
    for r, s, rows, cols in geometry.taps():
        tap = gather(x, rows, cols).reshape(N, groups, C // groups, geometry.P, geometry.Q)
        dw[..., r, s] = np.einsum("ngkpq,ngcpq->gkc", gradient, tap)
    return deliver(dw.reshape(K, C // groups, R, S), out)


def conv2d_backward_bias(dy: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `conv2d_forward` with respect to its bias.

    Parameters
    ----------
    dy : (N, K, P, Q)
        Gradient of the output.
    out : (K,), optional
        Where to put the result.

    Returns
    -------
    dbias : (K,)

    Notes
    -----
    dbias[k] = sum_{n,p,q} dy[n,k,p,q].
    """
    return deliver(float64(dy).sum(axis=(0, 2, 3)), out)
