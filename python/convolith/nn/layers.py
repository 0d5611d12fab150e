"""Layers with something to learn or to keep: convolution, linear, batch norm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.device import Array
from convolith.nn import functional as F
from convolith.nn import init
from convolith.nn.module import Buffer, Module, Parameter
from convolith.tensor import Tensor


def _check_sizes(layer: str, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{layer}: {name} is {size}, expected at least 1")


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
        _check_sizes(
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
        _reset(self.weight, self.bias)

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


class Linear(Module):
    """``x @ weight.T + bias``: (..., I) to (..., O).

    Parameters
    ----------
    in_features, out_features : int
        I and O.
    bias : bool
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (O, I), at first U(-b, b) with b = 1/sqrt(I).
    bias : Parameter or None
        (O), at first the same.

    Raises
    ------
    ValueError
        If a size is below 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        _check_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(np.empty((out_features, in_features), dtype))
        self.bias = Parameter(np.empty(out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


def _reset(weight: Parameter, bias: Parameter | None) -> None:
    fan_in = math.prod(weight.shape[1:])
    init.fan_in_uniform_(weight, fan_in)
    if bias is not None:
        init.fan_in_uniform_(bias, fan_in)


class BatchNorm2d(Module):
    """Normalise every channel over the batch (Ioffe and Szegedy 2015), then scale and shift.

    Beyond PyTorch a residual and an activation may follow in the same pass over memory.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of the new value in the running statistics; None averages over all batches so far.
    affine : bool
        Whether there are weight (1 at first) and bias (0 at first), both (C).
    track_running_stats : bool
        Whether evaluation uses running statistics; without them it uses those of the batch.
    dtype : dtype
        float32 or float64.
    activation : {'identity', 'relu'}
        What follows.

    Attributes
    ----------
    running_mean, running_var : Buffer or None
        (C); the variance is the unbiased one.
    num_batches_tracked : Buffer or None
        int64 scalar.

    Raises
    ------
    ValueError
        If `num_features` is below 1, or the input has another rank.
    """

    keeps_float32 = True
    _ranks: tuple[int, ...] = (4,)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: npt.DTypeLike = np.float32,
        activation: F.Activation = "identity",
    ) -> None:
        _check_sizes(type(self).__name__, num_features=num_features)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.activation = activation
        ones, zeros = np.ones(num_features, dtype), np.zeros(num_features, dtype)
        self.weight = Parameter(ones) if affine else None
        self.bias = Parameter(zeros) if affine else None
        self.running_mean = Buffer(zeros.copy()) if track_running_stats else None
        self.running_var = Buffer(ones.copy()) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.zeros((), np.int64)) if track_running_stats else None

    def forward(self, input: Tensor, residual: Tensor | None = None) -> Tensor:
        """(N, C, *) to the same shape; `residual`, of that shape, is added before `activation`."""
        if input.ndim not in self._ranks:
            ranks = " or ".join(map(str, self._ranks))
            raise ValueError(
                f"{type(self).__name__}: the input has rank {input.ndim} {input.shape}, "
                f"expected rank {ranks}"
            )
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.numpy()[...] += 1
            if self.momentum is None:
                momentum = 1 / self.num_batches_tracked.item()
        return F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            momentum,
            self.eps,
            residual,
            self.activation,
        )

    def extra_repr(self) -> str:
        """The arguments."""
        activation = "" if self.activation == "identity" else f", activation={self.activation!r}"
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}{activation}"
        )


class BatchNorm1d(BatchNorm2d):
    """`BatchNorm2d` for (N, C) and (N, C, L)."""

    _ranks = (2, 3)
