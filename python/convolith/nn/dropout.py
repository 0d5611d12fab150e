"""Dropout as layers."""

from __future__ import annotations

from convolith.nn import functional as F
from convolith.nn.module import Module
from convolith.tensor import Tensor


class Dropout(Module):
    """In training zero each element with probability `p` and scale the rest by 1/(1-p)."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class Dropout1d(Dropout):
    """`Dropout` of whole channels of (N, C, L) or (C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) or (C, L) to the same shape."""
        return F.dropout1d(input, self.p, self.training)


class Dropout2d(Dropout):
    """`Dropout` of whole channels of (N, C, H, W) (Tompson et al. 2015)."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return F.dropout2d(input, self.p, self.training)


class AlphaDropout(Dropout):
    """`Dropout` that keeps mean 0 and variance 1, behind SELU (Klambauer et al. 2017)."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return F.alpha_dropout(input, self.p, self.training)


class StochasticDepth(Dropout):
    """In training drop a residual branch with probability `p` (Huang et al. 2016).

    Parameters
    ----------
    p : float
        Probability; the branch is scaled by 1/(1-p) where it is kept.
    mode : {'batch', 'row'}
        For all samples at once, or for each.
    """

    def __init__(self, p: float, mode: F.StochasticDepthMode) -> None:
        super().__init__(p)
        self.mode: F.StochasticDepthMode = mode

    def forward(self, input: Tensor) -> Tensor:
        """(N, *) to the same shape."""
        return F.stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"p={self.p}, mode={self.mode!r}"
