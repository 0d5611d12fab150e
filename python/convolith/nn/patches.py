"""Layers made of windows: im2col and back, and convolution without shared weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from convolith.nn import functional as F
from convolith.nn import init
from convolith.nn._common import check_sizes
from convolith.nn.functional.patches import windows
from convolith.nn.module import Module, Parameter
from convolith.reference._common import pair
from convolith.tensor import Tensor


class Unfold(Module):
    """Windows of (N, C, H, W) side by side, (N, C*R*S, L): `functional.unfold`."""

    def __init__(
        self,
        kernel_size: F.IntPair,
        dilation: F.IntPair = 1,
        padding: F.Padding = 0,
        stride: F.IntPair = 1,
    ) -> None:
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C*R*S, L)."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The window."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )


class Fold(Module):
    """Windows (N, C*R*S, L) added up in images (N, C, H, W): `functional.fold`."""

    def __init__(
        self,
        output_size: F.IntPair,
        kernel_size: F.IntPair,
        dilation: F.IntPair = 1,
        padding: F.Padding = 0,
        stride: F.IntPair = 1,
    ) -> None:
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, C*R*S, L) to (N, C, H, W)."""
        window = (self.kernel_size, self.dilation, self.padding, self.stride)
        return F.fold(input, self.output_size, *window)

    def extra_repr(self) -> str:
        """The size and the window."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class LocallyConnected2d(Module):
    """Convolution whose weights are not shared: every window has filters of its own.

    As in Keras (`LocallyConnected2D`) the bias is not shared either. There are P*Q times as many
    parameters as a convolution has, and as many FLOPs; the size of the image is fixed.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    input_size : int or (H, W)
    kernel_size, stride, dilation : int or (int, int)
    padding : int, pair or (top, bottom, left, right)
    bias : bool
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (P*Q, K, C*R*S), at first U(-b, b) with b = 1/sqrt(C*R*S): for window p*Q + q the matrix
        whose rows are its K filters (C, R, S).
    bias : Parameter or None
        (K, P*Q), at first the same.

    Raises
    ------
    ValueError
        If a size is below 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: F.IntPair,
        kernel_size: F.IntPair,
        stride: F.IntPair = 1,
        padding: F.Padding = 0,
        dilation: F.IntPair = 1,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        r, s = pair(kernel_size)
        check_sizes(
            "LocallyConnected2d",
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=min(r, s),
        )
        rows, columns = windows(input_size, (r, s), stride, padding, dilation)
        self.kernel_size = (r, s)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        taps = in_channels * r * s
        self.weight = Parameter(np.empty((rows * columns, out_channels, taps), dtype))
        self.bias = Parameter(np.empty((out_channels, rows * columns), dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                init.fan_in_uniform_(parameter, self.weight.shape[2])

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q)."""
        window = (self.kernel_size, self.stride, self.padding, self.dilation)
        return F.locally_connected2d(input, self.weight, self.bias, *window)

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
