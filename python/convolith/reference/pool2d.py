"""Two-dimensional pooling over sliding windows: max, min and average.

Indices are positions in the unpadded H*W plane, row-major.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from convolith.reference._common import (
    Float64s,
    Floats,
    IntOrPair,
    Ints,
    PoolPadding,
    deliver,
    deliver_indices,
    float64,
    gather,
    output_size,
    pair,
    scatter_add,
    sides,
    source,
)

FloatsAndInts = tuple[Floats, Ints]


class _Windows:
    """The windows of a sliding pool over one (H, W) plane."""

    def __init__(
        self,
        size: tuple[int, int],
        kernel_size: IntOrPair,
        stride: IntOrPair | None,
        padding: PoolPadding,
        dilation: IntOrPair,
        ceil_mode: bool,
    ) -> None:
        self.size, self.kernel, self.dilation = size, pair(kernel_size), pair(dilation)
        self.stride = self.kernel if stride is None else pair(stride)
        top, bottom, left, right = sides(padding)
        self.before, self.after = (top, left), (bottom, right)
        self.P, self.Q = (
            output_size(
                size[i],
                self.kernel[i],
                self.stride[i],
                self.before[i],
                self.after[i],
                self.dilation[i],
                ceil_mode,
            )
            for i in range(2)
        )

    def starts(self, axis: int) -> Ints:
        """Where the windows start along an axis; negative in the padding."""
        return np.arange((self.P, self.Q)[axis]) * self.stride[axis] - self.before[axis]

    def taps(self) -> Iterator[tuple[Ints, Ints]]:
        """For each (r, s), row-major: the input rows (P) and columns (Q) it meets, -1 outside."""
        for r in range(self.kernel[0]):
            for s in range(self.kernel[1]):
                rows = source(self.starts(0) + r * self.dilation[0], self.size[0])
                yield rows, source(self.starts(1) + s * self.dilation[1], self.size[1])

    def lengths(self, axis: int, count_include_pad: bool) -> Ints:
        """How many positions of each window count: the padding's too, or the input's only."""
        start, size = self.starts(axis), self.size[axis]
        end = np.minimum(start + self.kernel[axis], size + self.after[axis])
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, size)
        return end - start


def _max_over(x: Float64s, taps: Iterator[tuple[Ints, Ints]], P: int, Q: int) -> FloatsAndInts:
    """The first maximum of each window, and where it is."""
    N, C, _, W = x.shape
    y = np.full((N, C, P, Q), -np.inf)
    indices = np.full((N, C, P, Q), -1, dtype=np.int64)
    for rows, cols in taps:
        inside = (rows >= 0)[:, None] & (cols >= 0)
        value = gather(x, rows, cols)
        greater = (value > y) | (np.isnan(value) & ~np.isnan(y))
        better = inside & ((indices < 0) | greater)
        y = np.where(better, value, y)
        indices = np.where(better, rows[:, None] * W + cols, indices)
    return y, indices


def scatter_planes(dy: Floats, indices: Ints, input_shape: Sequence[int]) -> Float64s:
    N, C, H, W = input_shape
    dx = np.zeros((N, C, H * W))
    n, c = np.ogrid[:N, :C]
    for p, q in np.ndindex(dy.shape[2:]):
        dx[n, c, indices[:, :, p, q]] += dy[:, :, p, q]
    return dx.reshape(N, C, H, W)


def deliver_both(
    y: Floats, indices: Ints, out: tuple[Floats | None, Ints | None] | None
) -> FloatsAndInts:
    y_out, indices_out = out or (None, None)
    return deliver(float64(y), y_out), deliver_indices(indices, indices_out)


def max_pool2d_forward(
    x: Floats,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: PoolPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    out: tuple[Floats | None, Ints | None] | None = None,
) -> FloatsAndInts:
    """Maximum of every window, and where it was.

    Parameters
    ----------
    x : (N, C, H, W)
    kernel_size : int or (R, S)
    stride : int or (vertical, horizontal), optional
        kernel_size by default.
    padding : int, (h, w) or (top, bottom, left, right)
        Padding is never a maximum; at most half the kernel on each side.
    dilation : int or (vertical, horizontal)
        Distance between the taps of a window; 1 = none.
    ceil_mode : bool
        Whether a last, partial window counts; one that would start in the far padding never does.
    out : ((N, C, P, Q), (N, C, P, Q) int64), optional
        Where to put y and indices.

    Returns
    -------
    y : (N, C, P, Q)
    indices : (N, C, P, Q) int64
        Position of each maximum in the unpadded H*W plane; the first one in row-major order wins.

    Raises
    ------
    ValueError
        If padding exceeds half the kernel, or the kernel does not fit.

    Notes
    -----
    y[n,c,p,q] = max_{r,s} x[n, c, p*stride + r*dilation - top, q*stride + s*dilation - left], as
    `torch.nn.functional.max_pool2d`. A NaN is a maximum, and the first one wins.
    """
    x = float64(x)
    windows = _Windows((x.shape[2], x.shape[3]), kernel_size, stride, padding, dilation, ceil_mode)
    return deliver_both(*_max_over(x, windows.taps(), windows.P, windows.Q), out)


def max_pool2d_backward(
    dy: Floats, indices: Ints, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `max_pool2d_forward`: each dy goes to its maximum.

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


def min_pool2d_forward(
    x: Floats,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: PoolPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    out: tuple[Floats | None, Ints | None] | None = None,
) -> FloatsAndInts:
    """Minimum of every window, and where it was.

    Parameters
    ----------
    x : (N, C, H, W)
    kernel_size, stride, padding, dilation, ceil_mode
        As in `max_pool2d_forward`.
    out : ((N, C, P, Q), (N, C, P, Q) int64), optional
        Where to put y and indices.

    Returns
    -------
    y : (N, C, P, Q)
    indices : (N, C, P, Q) int64
        Position of each minimum in the unpadded H*W plane; the first one in row-major order wins.

    Raises
    ------
    ValueError
        If padding exceeds half the kernel, or the kernel does not fit.

    Notes
    -----
    min(x) = -max(-x). A NaN is a minimum, and the first one wins.
    """
    y, indices = max_pool2d_forward(
        -float64(x),
        kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    return deliver_both(-y, indices, out)


def min_pool2d_backward(
    dy: Floats, indices: Ints, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `min_pool2d_forward`: each dy goes to its minimum.

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


def _divisor(windows: _Windows, count_include_pad: bool, divisor_override: int | None) -> Floats:
    """(P, Q): what each window's sum is divided by."""
    if divisor_override is not None:
        return np.full((windows.P, windows.Q), float(divisor_override))
    rows, cols = (windows.lengths(axis, count_include_pad) for axis in range(2))
    return (rows[:, None] * cols).astype(np.float64)


def avg_pool2d_forward(
    x: Floats,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: PoolPadding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """Average of every window.

    Parameters
    ----------
    x : (N, C, H, W)
    kernel_size : int or (R, S)
    stride : int or (vertical, horizontal), optional
        kernel_size by default.
    padding : int, (h, w) or (top, bottom, left, right)
        Zeros; at most half the kernel on each side.
    ceil_mode : bool
        Whether a last, partial window counts; one that would start in the far padding never does.
    count_include_pad : bool
        Whether positions in the padding count in the divisor.
    divisor_override : int, optional
        Divide by this instead.
    out : (N, C, P, Q), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, P, Q)

    Raises
    ------
    ValueError
        If padding exceeds half the kernel, or the kernel does not fit.

    Notes
    -----
    The sum of the window divided by the number of its positions inside the padded input (or inside
    the input, without count_include_pad), as `torch.nn.functional.avg_pool2d`: in ceil mode the
    part of a window beyond the far padding never counts. ONNX's default is count_include_pad = 0.
    """
    x = float64(x)
    windows = _Windows((x.shape[2], x.shape[3]), kernel_size, stride, padding, 1, ceil_mode)
    total = np.zeros((*x.shape[:2], windows.P, windows.Q))
    for rows, cols in windows.taps():
        total += gather(x, rows, cols)
    return deliver(total / _divisor(windows, count_include_pad, divisor_override), out)


def avg_pool2d_backward(
    dy: Floats,
    input_shape: tuple[int, ...],
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: PoolPadding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `avg_pool2d_forward`: each dy is shared out evenly over its window.

    Parameters
    ----------
    dy : (N, C, P, Q)
        Gradient of the output.
    input_shape : (N, C, H, W)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in `avg_pool2d_forward`.
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, H, W)

    Raises
    ------
    ValueError
        If `input_shape` and the window do not give an output of dy's shape.

    Notes
    -----
    dx[n,c,h,w] = sum of dy[n,c,p,q] / divisor[p,q] over the windows (p, q) that contain (h, w).
    """
    dx = np.zeros(input_shape)
    windows = _Windows((input_shape[2], input_shape[3]), kernel_size, stride, padding, 1, ceil_mode)
    share = float64(dy) / _divisor(windows, count_include_pad, divisor_override)
    for rows, cols in windows.taps():
        scatter_add(dx, rows, cols, share)
    return deliver(dx, out)
