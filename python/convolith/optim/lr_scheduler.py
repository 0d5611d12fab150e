"""Learning rates that change from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from convolith.optim.optimizer import Optimizer


class CosineAnnealingLR:
    """From the optimizer's learning rate down to `eta_min` along half a cosine.

    lr(t) = eta_min + (lr(0) - eta_min) * (1 + cos(pi * t / T_max)) / 2, with t the number of calls
    of `step` (Loshchilov and Hutter 2017, eq. 5, without restarts).

    Parameters
    ----------
    optimizer : Optimizer
        Its ``group["lr"]`` now is where the cosine begins.
    T_max : int
        Steps to the minimum.
    eta_min : float
        The minimum.

    Raises
    ------
    ValueError
        If `T_max` is below 1.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max is {T_max}, expected at least 1")
        self.optimizer = optimizer
        self.T_max = T_max
        self.eta_min = eta_min
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.last_epoch = 0

    def step(self) -> None:
        """Set the learning rate of the next epoch."""
        self.last_epoch += 1
        wave = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.eta_min + (base - self.eta_min) * wave

    def state_dict(self) -> dict[str, int]:
        """How far it is."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: Mapping[str, int]) -> None:
        """Continue from there; the optimizer's own state holds the learning rate."""
        self.last_epoch = state_dict["last_epoch"]
