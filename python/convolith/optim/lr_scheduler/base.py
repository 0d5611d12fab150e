"""What schedules share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convolith.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules; a subclass defines `rates`.

    The learning rates are a function of the epoch t alone, t being the number of calls of `step`:
    rounding errors do not add up, and whatever else is written to ``group["lr"]`` holds until the
    next call. "Epoch" stands for whatever `step` is called after, be it every batch.

    Parameters
    ----------
    optimizer : Optimizer
        The learning rate that a group was made with is kept as its "initial_lr", from which all
        schedules of this optimizer start.
    last_epoch : int
        The epoch that is done; to go on with an optimizer whose state was loaded.

    Attributes
    ----------
    base_lrs : list of float
        "initial_lr" of each group.
    last_epoch : int
        t.

    Raises
    ------
    ValueError
        If an option is out of range, or `last_epoch` is given and the groups know no "initial_lr".
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ValueError(
                    f"{type(self).__name__}: last_epoch is {last_epoch}, but a parameter group "
                    "has no 'initial_lr'; load the optimizer's state first"
                )
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def rates(self, t: int) -> list[float]:
        """The learning rate of each group in epoch `t`."""
        raise NotImplementedError

    def step(self) -> None:
        """Set the learning rates of the next epoch."""
        self.last_epoch += 1
        self.apply(self.last_epoch)

    def apply(self, t: int) -> None:
        """Write what holds in epoch `t` to the groups."""
        self._last_lr = self.rates(t)
        for group, lr in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The learning rate that `step` set last, of each group."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """How far it is."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": self.base_lrs,
            "_last_lr": self._last_lr,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from there; the optimizer's own state holds the learning rate."""
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(state_dict.get("base_lrs", self.base_lrs))
        self._last_lr = list(state_dict.get("_last_lr", self.rates(self.last_epoch)))

    def require(self, holds: bool, text: str) -> None:
        """Raise ValueError, saying `text` of this schedule, unless it `holds`."""
        if not holds:
            raise ValueError(f"{type(self).__name__}: {text}")
