"""Callbacks that end training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from convolith.train.callbacks.base import (
    Callback,
    Mode,
    Row,
    Totals,
    best_epoch,
    check_mode,
    monitored,
)

if TYPE_CHECKING:
    from convolith.data import DataLoader
    from convolith.train.trainer import Trainer

_BEST = "best."


class EarlyStopping(Callback):
    """Stop when an entry of the history has not got better for `patience` epochs.

    Parameters
    ----------
    monitor : str
        The entry.
    min_delta : float
        Better is better than the best by more than this.
    patience : int
        At least 1.
    mode : {'min', 'max'}
        Whether less or more is better.
    restore_best : bool
        Give the model the weights that the best epoch was measured with at the end, however
        training ends.

    Raises
    ------
    ValueError
        If an argument is out of range, or, in training, if there is no such entry.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 5,
        mode: Mode = "min",
        restore_best: bool = False,
    ) -> None:
        check_mode("EarlyStopping", mode)
        for name, value, least in (("patience", patience, 1), ("min_delta", min_delta, 0)):
            if value < least:
                raise ValueError(f"EarlyStopping: {name} is {value}, expected at least {least}")
        self.monitor = monitor
        self.min_delta = min_delta
        self.patience = patience
        self.mode: Mode = mode
        self.restore_best = restore_best
        self._weights: dict[str, Any] = {}

    def on_train_begin(self, trainer: Trainer, loader: DataLoader, epochs: int) -> None:
        """A run that is resumed may have come to its end before."""
        trainer.stopping |= self._epochs_since_best(trainer) >= self.patience

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """Look how long ago the best epoch was."""
        since = self._epochs_since_best(trainer)
        if since == 0 and self.restore_best:
            with trainer.evaluating():
                state = trainer.model.state_dict()
                self._weights = {name: tensor.numpy().copy() for name, tensor in state.items()}
        trainer.stopping |= since >= self.patience

    def on_train_end(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        if self._weights:
            trainer.model.load_state_dict(self._weights)

    def _epochs_since_best(self, trainer: Trainer) -> int:
        values = [monitored("EarlyStopping", row, self.monitor) for row in trainer.history]
        return len(values) - 1 - best_epoch(values, self.mode, self.min_delta)

    def state_dict(self) -> dict[str, Any]:
        """The best weights; all else is in the history."""
        return {f"{_BEST}{name}": array for name, array in self._weights.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best weights."""
        self._weights = {key.removeprefix(_BEST): array for key, array in state_dict.items()}


class TerminateOnNaN(Callback):
    """Stop at the first batch whose loss is not finite.

    Without it that is found at the end of the epoch. Either way it is an ArithmeticError, and the
    last checkpoint is the one before.
    """

    def on_batch_end(self, trainer: Trainer, totals: Totals) -> None:
        """Look at the sum, into which one NaN or infinity is enough."""
        if not math.isfinite(totals.loss):
            raise ArithmeticError(
                f"train: the loss is {totals.loss} after batch {totals.batches} "
                f"of epoch {trainer.epoch + 1}; a lower learning rate may help"
            )
