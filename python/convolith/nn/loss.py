"""Losses as layers."""

from __future__ import annotations

from convolith.nn import functional as F
from convolith.nn.module import Module
from convolith.tensor import Tensor


class CrossEntropyLoss(Module):
    """Softmax cross entropy; arguments as in `functional.cross_entropy`."""

    def __init__(
        self,
        *,
        ignore_index: int = -100,
        reduction: F.Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.ignore_index = ignore_index
        self.reduction: F.Reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Logits (N, C, *) and targets to the loss."""
        return F.cross_entropy(
            input,
            target,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
