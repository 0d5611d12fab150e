"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from convolith.nn import functional as F
from convolith.nn._common import check_sizes
from convolith.nn.module import Buffer, Module, Parameter
from convolith.tensor import Tensor


class _ChannelNorm(Module):
    """What batch norm and instance norm share: vectors of one number per channel."""

    keeps_float32 = True
    _ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        dtype: npt.DTypeLike,
    ) -> None:
        check_sizes(type(self).__name__, num_features=num_features)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        ones, zeros = np.ones(num_features, dtype), np.zeros(num_features, dtype)
        self.weight = Parameter(ones) if affine else None
        self.bias = Parameter(zeros) if affine else None
        self.running_mean = Buffer(zeros.copy()) if track_running_stats else None
        self.running_var = Buffer(ones.copy()) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.zeros((), np.int64)) if track_running_stats else None

    def _check_rank(self, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            ranks = " or ".join(map(str, self._ranks))
            raise ValueError(
                f"{type(self).__name__}: the input has rank {input.ndim} {input.shape}, "
                f"expected rank {ranks}"
            )

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(_ChannelNorm):
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
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)
        self.activation: F.Activation = activation

    def forward(self, input: Tensor, residual: Tensor | None = None) -> Tensor:
        """(N, C, *) to the same shape; `residual`, of that shape, is added before `activation`."""
        self._check_rank(input)
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
        return super().extra_repr() + activation


class BatchNorm1d(BatchNorm2d):
    """`BatchNorm2d` for (N, C) and (N, C, L)."""

    _ranks = (2, 3)


class InstanceNorm2d(_ChannelNorm):
    """Normalise every channel of each sample (Ulyanov et al. 2016), then scale and shift it.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of the new value in the running statistics; None leaves them, as in PyTorch.
    affine : bool
        Whether there are weight (1 at first) and bias (0 at first), both (C).
    track_running_stats : bool
        Whether evaluation uses running statistics; without them it uses those of each sample.
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    running_mean, running_var : Buffer or None
        (C): of the samples' means and unbiased variances.
    num_batches_tracked : Buffer or None
        int64 scalar, which stays 0: PyTorch's state has it.

    Raises
    ------
    ValueError
        If `num_features` is below 1, or the input has another rank.
    """

    _ranks: tuple[int, ...] = (4,)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *) to the same shape."""
        self._check_rank(input)
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )


class InstanceNorm1d(InstanceNorm2d):
    """`InstanceNorm2d` for (N, C, L)."""

    _ranks = (3,)


class GroupNorm(Module):
    """Normalise groups of channels of each sample (Wu and He 2018), then scale and shift channels.

    Parameters
    ----------
    num_groups : int
        Divides `num_channels`.
    num_channels : int
        C.
    eps : float
        Added to the variance.
    affine : bool
        Whether there are weight (1 at first) and bias (0 at first), both (C).
    dtype : dtype
        float32 or float64.

    Raises
    ------
    ValueError
        If a size is below 1, or `num_groups` does not divide `num_channels`.
    """

    keeps_float32 = True

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_sizes("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_groups={num_groups} does not divide num_channels={num_channels}"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = Parameter(np.ones(num_channels, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, dtype)) if affine else None

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *) to the same shape."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LayerNorm(Module):
    """Normalise the last axes (Ba, Kiros and Hinton 2016), then scale and shift each position.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Lengths of these axes.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Whether there is a weight (1 at first), of `normalized_shape`.
    bias : bool
        Whether beside it there is a bias (0 at first).
    dtype : dtype
        float32 or float64.

    Raises
    ------
    ValueError
        If a length is below 1.
    """

    keeps_float32 = True

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        shape = tuple(normalized_shape)
        check_sizes("LayerNorm", normalized_shape=min(shape, default=0))
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, dtype)) if elementwise_affine and bias else None

    def forward(self, input: Tensor) -> Tensor:
        """(*, normalized_shape) to the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divide by a power of the mean square of neighbouring channels (Krizhevsky et al. 2012).

    Parameters
    ----------
    size : int
        Channels of a window.
    alpha, beta, k : float
        Of ``input / (k + alpha * mean square) ** beta``; the paper's alpha is `alpha` / `size`.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *) to the same shape."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
