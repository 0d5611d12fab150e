"""Learning rates that change along with training."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

from convolith.train.callbacks.base import Callback, Row, monitored

if TYPE_CHECKING:
    from convolith.train.trainer import Trainer


class Scheduler(Protocol):
    """What the classes of `convolith.optim.lr_scheduler` have in common."""

    @property
    def step(self) -> Callable[..., Any]:
        """To call with nothing, or with the metric that the schedule follows."""

    def state_dict(self) -> dict[str, Any]:
        """How far it is."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""


class LRScheduler(Callback):
    """Step a learning rate schedule.

    Parameters
    ----------
    scheduler : object
        With ``step()``, or ``step(metrics)`` as ReduceLROnPlateau has it.
    every : {'epoch', 'batch'}
        When to step; with 'batch' after every step of the optimizer.
    monitor : str, optional
        The entry of the history that ``step(metrics)`` gets; "val_loss" if not given, or "loss"
        where there is no validation.

    Raises
    ------
    ValueError
        If `every` is neither, or a schedule that follows a metric is to step with batches.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        every: Literal["epoch", "batch"] = "epoch",
        monitor: str | None = None,
    ) -> None:
        if every not in ("epoch", "batch"):
            raise ValueError(f"LRScheduler: every is {every!r}, expected 'epoch' or 'batch'")
        self.scheduler = scheduler
        self.every = every
        self.monitor = monitor
        self._follows = "metrics" in inspect.signature(scheduler.step).parameters
        if self._follows and every == "batch":
            raise ValueError(
                f"LRScheduler: {type(scheduler).__name__} follows a metric, "
                "which there is every 'epoch' only"
            )

    def on_step_end(self, trainer: Trainer) -> None:
        """Step, if every batch is meant."""
        if self.every == "batch":
            self.scheduler.step()

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """Step, if every epoch is meant."""
        if self.every == "batch":
            return
        if not self._follows:
            self.scheduler.step()
            return
        monitor = self.monitor or ("val_loss" if "val_loss" in row else "loss")
        self.scheduler.step(monitored("LRScheduler", row, monitor))

    def state_dict(self) -> dict[str, Any]:
        """The schedule's own."""
        return dict(self.scheduler.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.scheduler.load_state_dict(state_dict)
