"""Layers that change the shape, or nothing."""

from __future__ import annotations

from convolith.nn import functional as F
from convolith.nn.module import Module
from convolith.tensor import Tensor


class Flatten(Module):
    """Make the dimensions from `start_dim` to `end_dim` one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C*H*W), with the defaults."""
        return F.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Nothing: what textbooks call the linear activation."""

    def forward(self, input: Tensor) -> Tensor:
        """The input."""
        return F.identity(input)
