"""Convolution layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.device import Array
from convolith.nn import functional as F
from convolith.nn._common import check_sizes, reset_weight_and_bias
from convolith.nn.module import Module, Parameter
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
        check_sizes(
            "Conv2d",
            in_channels=in_channels,
            out_channels=out_channels,
            groups=groups,
            kernel_size=min(r, s),
        )
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: groups={groups} does not divide "
                f"in_channels={in_channels} and out_channels={out_channels}"
            )
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
        options = {
            "stride": (self.stride, 1),
            "padding": (self.padding, 0),
            "dilation": (self.dilation, 1),
            "groups": (self.groups, 1),
            "bias": (self.bias is not None, True),
            "padding_mode": (self.padding_mode, "zeros"),
            "activation": (self.activation, "identity"),
            "algo": (self.algo, "auto"),
        }
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        changed = (
            f", {name}={value!r}" for name, (value, usual) in options.items() if value != usual
        )
        return text + "".join(changed)
