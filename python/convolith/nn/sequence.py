"""Layers for sequences (N, C, L): those for images, with windows of one row."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convolith.nn import functional as F
from convolith.nn._common import check_conv, check_zeros, describe_conv, reset_weight_and_bias
from convolith.nn.module import Module, Parameter
from convolith.tensor import Tensor


def _single(value: F.IntOrSingle) -> int:
    return value if isinstance(value, int) else value[0]


class Conv1d(Module):
    """1-d convolution (cross-correlation) of (N, C, L) to (N, K, Q); arguments as of `Conv2d`.

    Attributes
    ----------
    weight : Parameter
        (K, C/G, S), at first U(-b, b) with b = 1/sqrt(C/G*S).
    bias : Parameter or None
        (K), at first the same.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.IntOrSingle,
        stride: F.IntOrSingle = 1,
        padding: F.IntOrSingle | Literal["valid", "same"] = 0,
        dilation: F.IntOrSingle = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: F.PaddingMode = "zeros",
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        width = _single(kernel_size)
        check_conv("Conv1d", in_channels, out_channels, groups, width)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = (width,)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.padding_mode: F.PaddingMode = padding_mode
        self.weight = Parameter(np.empty((out_channels, in_channels // groups, width), dtype))
        self.bias = Parameter(np.empty(out_channels, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        reset_weight_and_bias(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) to (N, K, Q)."""
        return F.conv1d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.padding_mode,
        )

    def extra_repr(self) -> str:
        """The arguments that are not the default."""
        return describe_conv(
            self, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode="zeros"
        )


class ConvTranspose1d(Module):
    """1-d transposed convolution of (N, C, L) to (N, K, Q); arguments as of `ConvTranspose2d`.

    Attributes
    ----------
    weight : Parameter
        (C, K/G, S), at first U(-b, b) with b = 1/sqrt(K/G*S).
    bias : Parameter or None
        (K), at first the same.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.IntOrSingle,
        stride: F.IntOrSingle = 1,
        padding: F.IntOrSingle = 0,
        output_padding: F.IntOrSingle = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: F.IntOrSingle = 1,
        padding_mode: Literal["zeros"] = "zeros",
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        width = _single(kernel_size)
        check_conv("ConvTranspose1d", in_channels, out_channels, groups, width)
        check_zeros("ConvTranspose1d", padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = (width,)
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.groups = groups
        self.dilation = dilation
        self.weight = Parameter(np.empty((in_channels, out_channels // groups, width), dtype))
        self.bias = Parameter(np.empty(out_channels, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        reset_weight_and_bias(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) to (N, K, Q)."""
        return F.conv_transpose1d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )

    def extra_repr(self) -> str:
        """The arguments that are not the default."""
        return describe_conv(
            self, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1
        )


class MaxPool1d(Module):
    """Maximum over windows of (N, C, L); arguments as in `functional.max_pool1d`."""

    def __init__(
        self,
        kernel_size: F.IntOrSingle,
        stride: F.IntOrSingle | None = None,
        padding: F.IntOrSingle = 0,
        dilation: F.IntOrSingle = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        """(N, C, L) to (N, C, Q), and the indices if asked for."""
        return F.max_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(Module):
    """Mean over windows of (N, C, L); arguments as in `functional.avg_pool1d`."""

    def __init__(
        self,
        kernel_size: F.IntOrSingle,
        stride: F.IntOrSingle | None = None,
        padding: F.IntOrSingle = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) to (N, C, Q)."""
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool1d(Module):
    """Mean over windows chosen so that the output is `output_size`."""

    def __init__(self, output_size: F.IntOrSingle) -> None:
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) to (N, C, Q)."""
        return F.adaptive_avg_pool1d(input, self.output_size)

    def extra_repr(self) -> str:
        """The output size."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(Module):
    """Maximum over windows chosen so that the output is `output_size`."""

    def __init__(self, output_size: F.IntOrSingle, return_indices: bool = False) -> None:
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """(N, C, L) to (N, C, Q), and the indices if asked for."""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """The output size."""
        return f"output_size={self.output_size}"
