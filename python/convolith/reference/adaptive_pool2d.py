"""Two-dimensional pooling to a given output size, and over whole planes.

Indices are positions in the H*W plane, row-major.
"""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, Ints, deliver, float64
from convolith.reference.pool2d import FloatsAndInts, deliver_both, scatter_planes

AdaptiveSize = int | tuple[int | None, int | None]


def _bins(size: int, out: int) -> list[tuple[int, int]]:
    """Adaptive windows [floor(i * size / out), ceil((i + 1) * size / out)): they may overlap."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _adaptive_size(x: Floats, output_size: AdaptiveSize) -> tuple[int, int]:
    P, Q = output_size if isinstance(output_size, tuple) else (output_size, output_size)
    return x.shape[2] if P is None else P, x.shape[3] if Q is None else Q


def adaptive_avg_pool2d_forward(
    x: Floats, output_size: AdaptiveSize, *, out: Floats | None = None
) -> Floats:
    """Average over as many windows as there are outputs.

    Parameters
    ----------
    x : (N, C, H, W)
    output_size : int or (P, Q)
        None in a pair keeps the input's size.
    out : (N, C, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, P, Q)

    Notes
    -----
    Window p covers rows floor(p * H / P) to ceil((p + 1) * H / P), exclusive; columns likewise
    (`torch.nn.functional.adaptive_avg_pool2d`).
    """
    x = float64(x)
    P, Q = _adaptive_size(x, output_size)
    y = np.zeros((*x.shape[:2], P, Q))
    for p, (top, bottom) in enumerate(_bins(x.shape[2], P)):
        for q, (left, right) in enumerate(_bins(x.shape[3], Q)):
            y[:, :, p, q] = x[:, :, top:bottom, left:right].mean(axis=(2, 3))
    return deliver(y, out)


def adaptive_avg_pool2d_backward(
    dy: Floats, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `adaptive_avg_pool2d_forward`.

    Parameters
    ----------
    dy : (N, C, P, Q)
        Gradient of the output.
    input_shape : (N, C, H, W)
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)

    Notes
    -----
    Each dy is shared out evenly over its window.
    """
    dy = float64(dy)
    dx = np.zeros(input_shape)
    for p, (top, bottom) in enumerate(_bins(dx.shape[2], dy.shape[2])):
        for q, (left, right) in enumerate(_bins(dx.shape[3], dy.shape[3])):
            area = (bottom - top) * (right - left)
            dx[:, :, top:bottom, left:right] += dy[:, :, p, q, None, None] / area
    return deliver(dx, out)


def adaptive_max_pool2d_forward(
    x: Floats,
    output_size: AdaptiveSize,
    *,
    out: tuple[Floats | None, Ints | None] | None = None,
) -> FloatsAndInts:
    """Maximum over as many windows as there are outputs, and where it was.

    Parameters
    ----------
    x : (N, C, H, W)
    output_size : int or (P, Q)
        None in a pair keeps the input's size.
    out : ((N, C, P, Q), (N, C, P, Q) int64), optional
        Where to put y and indices.

    Returns
    -------
    y : (N, C, P, Q)
    indices : (N, C, P, Q) int64
        Position of each maximum in the H*W plane; the first one in row-major order wins.

    Notes
    -----
    Windows as in `adaptive_avg_pool2d_forward`. A NaN is a maximum, and the first one wins.
    """
    x = float64(x)
    N, C, H, W = x.shape
    P, Q = _adaptive_size(x, output_size)
    y = np.zeros((N, C, P, Q))
    indices = np.zeros((N, C, P, Q), dtype=np.int64)
    for p, (top, bottom) in enumerate(_bins(H, P)):
        for q, (left, right) in enumerate(_bins(W, Q)):
            window = x[:, :, top:bottom, left:right]
            first = window.reshape(N, C, window.shape[2] * window.shape[3]).argmax(axis=2)
            row, col = np.divmod(first, right - left)
            indices[:, :, p, q] = (top + row) * W + left + col
            y[:, :, p, q] = window.max(axis=(2, 3))
    return deliver_both(y, indices, out)


def adaptive_max_pool2d_backward(
    dy: Floats, indices: Ints, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `adaptive_max_pool2d_forward`: each dy goes to its maximum.

    Parameters
    ----------
    dy : (N, C, P, Q)
        Gradient of the output.
    indices : (N, C, P, Q) int64
        From the forward pass.
    input_shape : (N, C, H, W)
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)

    Raises
    ------
    ValueError
        If an index is outside the H*W plane.

    Notes
    -----
    dx[n,c,i] = sum of dy[n,c,p,q] over all (p, q) with indices[n,c,p,q] = i.
    """
    return deliver(scatter_planes(dy, indices, input_shape), out)


def global_avg_pool2d_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Average of each whole plane.

    Parameters
    ----------
    x : (N, C, H, W)
    out : (N, C, 1, 1), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, 1, 1)

    Notes
    -----
    y[n,c] = sum_{h,w} x[n,c,h,w] / (H*W) (Lin, Chen & Yan 2013; ONNX `GlobalAveragePool`).
    """
    return adaptive_avg_pool2d_forward(x, 1, out=out)


def global_avg_pool2d_backward(
    dy: Floats, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `global_avg_pool2d_forward`.

    Parameters
    ----------
    dy : (N, C, 1, 1)
        Gradient of the output.
    input_shape : (N, C, H, W)
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)

    Notes
    -----
    dx[n,c,h,w] = dy[n,c] / (H*W).
    """
    return adaptive_avg_pool2d_backward(dy, input_shape, out=out)


def global_max_pool2d_forward(
    x: Floats, *, out: tuple[Floats | None, Ints | None] | None = None
) -> FloatsAndInts:
    """Maximum of each whole plane, and where it was.

    Parameters
    ----------
    x : (N, C, H, W)
    out : ((N, C, 1, 1), (N, C, 1, 1) int64), optional
        Where to put y and indices.

    Returns
    -------
    y : (N, C, 1, 1)
    indices : (N, C, 1, 1) int64
        Position of each maximum in the H*W plane; the first one in row-major order wins.

    Notes
    -----
    y[n,c] = max_{h,w} x[n,c,h,w] (ONNX `GlobalMaxPool`). A NaN is a maximum; the first one wins.
    """
    return adaptive_max_pool2d_forward(x, 1, out=out)


def global_max_pool2d_backward(
    dy: Floats, indices: Ints, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `global_max_pool2d_forward`: each dy goes to its maximum.

    Parameters
    ----------
    dy : (N, C, 1, 1)
        Gradient of the output.
    indices : (N, C, 1, 1) int64
        From the forward pass.
    input_shape : (N, C, H, W)
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)

    Raises
    ------
    ValueError
        If an index is outside the H*W plane.
    """
    return deliver(scatter_planes(dy, indices, input_shape), out)
