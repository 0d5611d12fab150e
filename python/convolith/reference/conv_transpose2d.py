"""Transposed convolution, or fractionally strided: the input gradient of a convolution as a layer.

A convolution reads x[p*stride + r*dilation - top, ...] for y[p, ...]; this one writes there. So a
stride makes images larger, and the two gradients are what convolution has already: `conv2d_forward`
of dy with the same filters gives dx, and `conv2d_backward_weight`, x and dy in exchanged roles,
gives dw.
"""

from __future__ import annotations

from convolith.reference._common import (
    Floats,
    IntOrPair,
    PoolPadding,
    deliver,
    float64,
    pair,
    sides,
)
from convolith.reference.conv2d import conv2d_backward_input


def conv_transpose2d_forward(
    x: Floats,
    w: Floats,
    bias: Floats | None = None,
    *,
    stride: IntOrPair = 1,
    padding: PoolPadding = 0,
    output_padding: IntOrPair = 0,
    groups: int = 1,
    dilation: IntOrPair = 1,
    algo: str = "auto",
    out: Floats | None = None,
) -> Floats:
    """Write every pixel of x into the output as a multiple of the filters; sum where they overlap.

    Parameters
    ----------
    x : (N, C, H, W)
        Input.
    w : (C, K/G, R, S)
        Filters: of C channels read, K/G are written. As those of the convolution from K to C
        channels whose input gradient this is.
    bias : (K,), optional
        Added to every position of an output channel.
    stride, dilation : int or (vertical, horizontal)
        Distance between the places that neighbouring pixels are written to, and between the taps.
    padding : int, (h, w) or (top, bottom, left, right)
        Rows and columns that are left out at the borders of the output: the padding of the
        convolution.
    output_padding : int or (vertical, horizontal)
        More rows and columns at the end, fewer than stride: a strided convolution maps images of
        several sizes to one, and this says which is wanted.
    groups : int
        G; both C and K must be multiples of it.
    algo : str
        As in `conv2d_forward`, of which this is the input gradient.
    out : (N, K, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, K, P, Q)
        P = (H - 1) * stride - top - bottom + dilation * (R - 1) + output_padding + 1, Q likewise.

    Raises
    ------
    ValueError
        If shapes, groups or paddings do not fit together, or nothing is left of the output.
    TypeError
        If an argument is no float32 or float64 array, or their dtypes differ.

    Notes
    -----
    y[n,k,p,q] = bias[k] + the sum of x[n,c,h,w] * w[c,k,r,s] over all c, and h, r with
    h*stride + r*dilation - top = p, and w, s likewise: `torch.nn.functional.conv_transpose2d`
    (which also takes an output_padding below the dilation) and ONNX `ConvTranspose`; Zeiler et al.
    2010, "Deconvolutional networks", Dumoulin & Visin 2016, chapter 4. The gradients are
    ``conv2d_forward(dy, w)`` and ``conv2d_backward_weight(x, dy, w.shape)`` with the same stride,
    padding, dilation and groups, and ``conv2d_backward_bias(dy)``.
    """
    (N, _, H, W), (_, K, R, S) = x.shape, w.shape
    top, bottom, left, right = sides(padding)
    (down, across), (spread, splay), (below, behind) = map(pair, (stride, dilation, output_padding))
    P = (H - 1) * down - top - bottom + spread * (R - 1) + below + 1
    Q = (W - 1) * across - left - right + splay * (S - 1) + behind + 1
    y = float64(
        conv2d_backward_input(
            x,
            w,
            (N, K * groups, P, Q),
            stride=stride,
            padding=(top, bottom, left, right),
            dilation=dilation,
            groups=groups,
        )
    )
    return deliver(y if bias is None else y + float64(bias)[:, None, None], out)
