"""What a callback is, and what it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from convolith.data import DataLoader
    from convolith.train.trainer import Trainer

Row = dict[str, Any]
Mode = Literal["min", "max"]


@dataclass
class Totals:
    """Sums over the images seen so far in an epoch, or in an evaluation.

    Attributes
    ----------
    loss : float
    correct, seen, batches : int
    """

    loss: float = 0.0
    correct: int = 0
    seen: int = 0
    batches: int = 0

    def add(self, loss: float, correct: int, images: int) -> None:
        """One more batch, of this mean loss."""
        self.loss += loss * images
        self.correct += correct
        self.seen += images
        self.batches += 1

    def means(self) -> dict[str, float]:
        """ "loss" and "accuracy" per image; NaN if there were none."""
        return {
            "loss": self.loss / self.seen if self.seen else math.nan,
            "accuracy": self.correct / self.seen if self.seen else math.nan,
        }


class Callback:
    """Something that happens along with training; subclasses override what they need.

    `Trainer` calls the hooks of its callbacks in their order. What adds to the row of an epoch
    therefore comes before what writes it.
    """

    def on_train_begin(self, trainer: Trainer, loader: DataLoader, epochs: int) -> None:
        """Before the first epoch of `Trainer.fit`."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last epoch, and also where an error or Ctrl-C ends training; last one first."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the first batch of epoch ``trainer.epoch + 1``."""

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """After training and validation of an epoch; `row`, the last of the history, may grow."""

    def on_batch_begin(self, trainer: Trainer) -> None:
        """Before the forward pass."""

    def on_batch_end(self, trainer: Trainer, totals: Totals) -> None:
        """After a batch; with ``accumulate`` not every one of them made a step."""

    def on_step_begin(self, trainer: Trainer) -> None:
        """Before the optimizer's step: the gradients are there, and unscaled."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After the optimizer's step."""

    def on_evaluate_begin(self, trainer: Trainer) -> None:
        """Before `Trainer.evaluate`, and whatever else wants the model as it is evaluated."""

    def on_evaluate_end(self, trainer: Trainer) -> None:
        """After that."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to hold to go on: arrays, and what JSON can hold."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


def monitored(who: str, row: Row, monitor: str) -> float:
    """The entry `monitor` of `row`, for the callback `who`."""
    if monitor not in row:
        raise ValueError(f"{who}: an epoch has no {monitor!r}, only {', '.join(row)}")
    return float(row[monitor])


def best_epoch(values: Sequence[float], mode: Mode, min_delta: float = 0.0) -> int:
    """The position of the last value that is better by more than `min_delta` than all before."""
    sign = {"min": -1.0, "max": 1.0}[mode]
    best, high = 0, -math.inf
    for position, value in enumerate(values):
        if sign * value > high + min_delta:  # never true of NaN
            best, high = position, sign * value
    return best


def check_mode(who: str, mode: str) -> None:
    """Raise ValueError if `mode` is neither 'min' nor 'max'."""
    if mode not in ("min", "max"):
        raise ValueError(f"{who}: mode is {mode!r}, expected 'min' or 'max'")
