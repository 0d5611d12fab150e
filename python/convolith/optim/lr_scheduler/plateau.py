"""A schedule that listens to the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, SupportsFloat

from convolith.optim.optimizer import Optimizer
from convolith.tensor import Tensor

_STATE = ("last_epoch", "best", "num_bad_epochs", "cooldown_counter")


class ReduceLROnPlateau:
    """Multiply the learning rates by `factor` when a metric has stopped to improve.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {'min', 'max'}
        Whether the metric should fall (a loss) or rise (an accuracy).
    factor : float
        Below 1.
    patience : int
        So many epochs in a row without an improvement are let pass.
    threshold : float
        By how much the metric has to be better than the best to count.
    threshold_mode : {'rel', 'abs'}
        Whether that is a share of the best, or a difference.
    cooldown : int
        Epochs after a reduction in which none counts as bad.
    min_lr : float, or list of float
        The smallest learning rate of all groups, or of each.
    eps : float
        A reduction by no more than this is left out.

    Attributes
    ----------
    best : float
        The best metric so far.
    num_bad_epochs : int
        How many epochs in a row have been no better.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        groups = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * groups
        for fits, text in (
            (mode in ("min", "max"), f"mode is {mode!r}, expected 'min' or 'max'"),
            (factor < 1, f"factor is {factor}, expected below 1"),
            (
                threshold_mode in ("rel", "abs"),
                f"threshold_mode is {threshold_mode!r}, expected 'rel' or 'abs'",
            ),
            (
                len(self.min_lrs) == groups,
                f"min_lr has {len(self.min_lrs)} values for {groups} groups",
            ),
        ):
            if not fits:
                raise ValueError(f"ReduceLROnPlateau: {text}")
        self.optimizer = optimizer
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.eps = cooldown, eps
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def _is_better(self, value: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * value < sign * self.best - self.threshold
        return sign * value < sign * self.best * (1 - sign * self.threshold)

    def step(self, metrics: SupportsFloat | Tensor) -> None:
        """Reduce the learning rates if `metrics`, a number or a scalar, has not improved."""
        self.last_epoch += 1
        value = float(metrics.item() if isinstance(metrics, Tensor) else metrics)
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, least)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """How far it is."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from there; the optimizer's own state holds the learning rate."""
        for name in _STATE:
            setattr(self, name, state_dict[name])
