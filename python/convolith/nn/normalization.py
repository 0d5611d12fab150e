"""Normalisation layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from convolith.nn import functional as F
from convolith.nn._common import check_sizes
from convolith.nn.module import Buffer, Module, Parameter
from convolith.tensor import Tensor


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
        check_sizes(type(self).__name__, num_features=num_features)
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
