"""Convolution layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convolith.device import Array
from convolith.nn import functional as F
from convolith.nn._common import check_conv, check_zeros, describe_conv, reset_weight_and_bias
from convolith.nn.module import Module, Parameter
from convolith.reference._common import pair, sides
from convolith.tensor import Tensor


class Conv2d(Module):
    """2-d convolution (cross-correlation) of (N, C, H, W) to (N, K, P, Q).

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, dilation : int or (int, int)
    padding : int, pair, (top, bottom, left, right), 'valid' or 'same'
        'same' gives ceil(H / stride) rows; PyTorch refuses a stride there.
    groups : int
        Divides both C and K.
    bias : bool
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
    dtype : dtype
        float32 or float64.
    activation : {'identity', 'relu'}
        Applied to the result while it is in cache.
    algo : {'auto', 'direct', 'gemm', 'depthwise', 'winograd', 'tensor_core', 'mma', 'wgmma'}
        How it is computed; `convolith.primitives.conv2d_plan` tells what 'auto' chooses.

    Attributes
    ----------
    weight : Parameter
        (K, C/G, R, S), at first U(-b, b) with b = 1/sqrt(C/G*R*S).
    bias : Parameter or None
        (K), at first the same.

    Raises
    ------
    ValueError
        If a size is below 1 or `groups` does not divide the channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.IntPair,
        stride: F.IntPair = 1,
        padding: F.ConvPadding = 0,
        dilation: F.IntPair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: F.PaddingMode = "zeros",
        dtype: npt.DTypeLike = np.float32,
        activation: F.Activation = "identity",
        algo: F.Algo = "auto",
    ) -> None:
        r, s = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        check_conv("Conv2d", in_channels, out_channels, groups, min(r, s))
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = (r, s)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.padding_mode = padding_mode
        self.activation: F.Activation = activation
        self.algo: F.Algo = algo
        self.weight = Parameter(np.empty((out_channels, in_channels // groups, r, s), dtype))
        self.bias = Parameter(np.empty(out_channels, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        reset_weight_and_bias(self.weight, self.bias)

    def forward(self, input: Tensor, residual: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q); `residual` is added before the activation."""
        return self._convolve(input, residual)

    def _options(self) -> dict[str, Any]:
        """What says, with the shapes, how `weight` is applied."""
        names = ("stride", "padding", "dilation", "groups", "padding_mode", "algo")
        return {name: getattr(self, name) for name in names}

    def _convolve(
        self, input: Tensor, residual: Tensor | None, prepared: Array | None = None
    ) -> Tensor:
        return F.conv2d(
            input,
            self.weight,
            self.bias,
            residual=residual,
            activation=self.activation,
            prepared=prepared,
            **self._options(),
        )

    def extra_repr(self) -> str:
        """The arguments that are not the default."""
        return describe_conv(
            self,
            stride=1,
            padding=0,
            dilation=1,
            groups=1,
            bias=True,
            padding_mode="zeros",
            activation="identity",
            algo="auto",
        )


class ConvTranspose2d(Module):
    """2-d transposed convolution of (N, C, H, W) to (N, K, P, Q): a stride makes images larger.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, dilation : int or (int, int)
    padding : int, pair or (top, bottom, left, right)
        Rows and columns of the result that are left out: the padding of the convolution that goes
        the other way.
    output_padding : int or (int, int)
        More rows and columns at the end, fewer than `stride`.
    groups : int
        Divides both C and K.
    bias : bool
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (C, K/G, R, S), at first U(-b, b) with b = 1/sqrt(K/G*R*S).
    bias : Parameter or None
        (K), at first the same.

    Raises
    ------
    ValueError
        If a size is below 1, `groups` does not divide the channels, or `padding_mode`, which is
        there for PyTorch's order of arguments, is not 'zeros'.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.IntPair,
        stride: F.IntPair = 1,
        padding: F.Padding = 0,
        output_padding: F.IntPair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: F.IntPair = 1,
        padding_mode: Literal["zeros"] = "zeros",
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        r, s = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        check_conv("ConvTranspose2d", in_channels, out_channels, groups, min(r, s))
        check_zeros("ConvTranspose2d", padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = (r, s)
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.groups = groups
        self.dilation = dilation
        self.weight = Parameter(np.empty((in_channels, out_channels // groups, r, s), dtype))
        self.bias = Parameter(np.empty(out_channels, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        reset_weight_and_bias(self.weight, self.bias)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q); `output_size`, (P, Q), stands for `output_padding`."""
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return F.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _extra(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, int]:
        """The output_padding that gives `output_size`."""
        top, bottom, left, right = sides(self.padding)
        axes = zip(
            [*output_size][-2:],
            input.shape[2:],
            self.kernel_size,
            *map(pair, (self.stride, self.dilation)),
            (top + bottom, left + right),
            strict=True,
        )
        rows, columns = (
            out - ((size - 1) * stride + dilation * (window - 1) + 1 - padding)
            for out, size, window, stride, dilation, padding in axes
        )
        return rows, columns

    def extra_repr(self) -> str:
        """The arguments that are not the default."""
        return describe_conv(
            self, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1
        )
