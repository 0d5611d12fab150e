"""Losses as layers: each is the function of that name with its arguments kept.

Weights are buffers: `Module.to` takes them along, and they are in the `state_dict`, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from convolith.nn import functional as F
from convolith.nn.module import Module
from convolith.tensor import Tensor


class _Loss(Module):
    """`function`, called with the attributes that `options` names."""

    function: ClassVar[Callable[..., Tensor]]
    options: ClassVar[tuple[str, ...]] = ("reduction",)
    reduction: F.BatchReduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Input and target to the loss."""
        options = {name: getattr(self, name) for name in self.options}
        return type(self).function(input, target, **options)

    def extra_repr(self) -> str:
        """The options that are no tensors."""
        options = {name: getattr(self, name) for name in self.options}
        named = (f"{k}={v!r}" for k, v in options.items() if not isinstance(v, Tensor | None))
        return ", ".join(named)


# Numbers


class MSELoss(_Loss):
    """Mean squared error."""

    function = staticmethod(F.mse_loss)

    def __init__(self, *, reduction: F.Reduction = "mean") -> None:
        self.reduction = reduction


class RMSELoss(_Loss):
    """Root of the mean squared error."""

    function = staticmethod(F.rmse_loss)
    options = ()


class L1Loss(_Loss):
    """Mean absolute error."""

    function = staticmethod(F.l1_loss)

    def __init__(self, *, reduction: F.Reduction = "mean") -> None:
        self.reduction = reduction


class HuberLoss(_Loss):
    """Squared error of what is within `delta`, absolute error of the rest."""

    function = staticmethod(F.huber_loss)
    options = ("reduction", "delta")

    def __init__(self, *, reduction: F.Reduction = "mean", delta: float = 1.0) -> None:
        self.reduction = reduction
        self.delta = delta


class SmoothL1Loss(_Loss):
    """Absolute error, but a parabola within `beta`."""

    function = staticmethod(F.smooth_l1_loss)
    options = ("reduction", "beta")

    def __init__(self, *, reduction: F.Reduction = "mean", beta: float = 1.0) -> None:
        self.reduction = reduction
        self.beta = beta


# Yes and no


class BCELoss(_Loss):
    """Binary cross entropy of probabilities."""

    function = staticmethod(F.binary_cross_entropy)
    options = ("weight", "reduction")

    def __init__(self, weight: Tensor | None = None, *, reduction: F.Reduction = "mean") -> None:
        self.register_buffer("weight", weight)
        self.reduction = reduction


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of logits."""

    function = staticmethod(F.binary_cross_entropy_with_logits)
    options = ("weight", "reduction", "pos_weight")

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: F.Reduction = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        self.register_buffer("weight", weight)
        self.reduction = reduction
        self.register_buffer("pos_weight", pos_weight)


class HingeLoss(_Loss):
    """Hinge loss of scores, or its square; targets are -1 and 1."""

    function = staticmethod(F.hinge_loss)
    options = ("squared", "reduction")

    def __init__(self, *, squared: bool = False, reduction: F.Reduction = "mean") -> None:
        self.squared = squared
        self.reduction = reduction


class HingeEmbeddingLoss(_Loss):
    """Distances that should be small where the target is 1, large where it is -1."""

    function = staticmethod(F.hinge_embedding_loss)
    options = ("margin", "reduction")

    def __init__(self, *, margin: float = 1.0, reduction: F.Reduction = "mean") -> None:
        self.margin = margin
        self.reduction = reduction


# Classes and distributions


class CrossEntropyLoss(_Loss):
    """Softmax cross entropy of logits."""

    function = staticmethod(F.cross_entropy)
    options = ("weight", "ignore_index", "reduction", "label_smoothing")

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: F.Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing


class CategoricalCrossEntropyLoss(_Loss):
    """Cross entropy of probabilities, given probabilities."""

    function = staticmethod(F.categorical_cross_entropy)
    options = ("weight", "reduction", "eps")

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: F.Reduction = "mean",
        eps: float = 1e-7,
    ) -> None:
        self.register_buffer("weight", weight)
        self.reduction = reduction
        self.eps = eps


class SparseCategoricalCrossEntropyLoss(_Loss):
    """Cross entropy of probabilities, given class indices."""

    function = staticmethod(F.sparse_categorical_cross_entropy)
    options = ("weight", "ignore_index", "reduction", "eps")

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: F.Reduction = "mean",
        eps: float = 1e-7,
    ) -> None:
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.eps = eps


class NLLLoss(_Loss):
    """Negative log likelihood of logarithms of probabilities."""

    function = staticmethod(F.nll_loss)
    options = ("weight", "ignore_index", "reduction")

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: F.Reduction = "mean",
    ) -> None:
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction


class MultiMarginLoss(_Loss):
    """Multi-class hinge loss of scores."""

    function = staticmethod(F.multi_margin_loss)
    options = ("p", "margin", "weight", "reduction")

    def __init__(
        self,
        p: Literal[1, 2] = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        *,
        reduction: F.Reduction = "mean",
    ) -> None:
        self.p = p
        self.margin = margin
        self.register_buffer("weight", weight)
        self.reduction = reduction


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence of a target from logarithms of probabilities."""

    function = staticmethod(F.kl_div)
    options = ("reduction", "log_target")

    def __init__(self, *, reduction: F.BatchReduction = "mean", log_target: bool = False) -> None:
        self.reduction = reduction
        self.log_target = log_target
