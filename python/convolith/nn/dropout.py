"""Dropout as a layer."""

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
