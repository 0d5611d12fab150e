"""Schedules made of schedules."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from convolith.optim.lr_scheduler.base import LRScheduler
from convolith.optim.lr_scheduler.decay import LinearLR
from convolith.optim.optimizer import Optimizer


class SequentialLR(LRScheduler):
    """One schedule after the other, each counting its epochs from 0.

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch`.
    schedulers : list of LRScheduler
        Of this optimizer. They are not to be stepped themselves.
    milestones : list of int
        The first epoch of each schedule but the first one.
    last_epoch : int

    Raises
    ------
    ValueError
        If there is not one milestone less than schedules, or they do not grow, or a schedule is
        another optimizer's.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(self, optimizer, schedulers)
        self.require(
            len(milestones) == len(schedulers) - 1,
            f"there are {len(milestones)} milestones for {len(schedulers)} schedulers, "
            "expected one less",
        )
        self.require(
            all(a < b for a, b in pairwise(milestones)),
            f"milestones are {list(milestones)}, expected growing numbers",
        )
        self._schedulers, self._milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def rates(self, t: int) -> list[float]:
        """The learning rate of each group in epoch `t`."""
        number = bisect_right(self._milestones, t)
        start = self._milestones[number - 1] if number else 0
        return self._schedulers[number].rates(t - start)


class ChainedScheduler(LRScheduler):
    """All schedules at once: their factors multiply.

    lr(t) = lr(0) * product of (lr_i(t) / lr(0)) over the schedules i.

    Parameters
    ----------
    schedulers : list of LRScheduler
        Of one optimizer. They are not to be stepped themselves.
    optimizer : Optimizer, optional
        That optimizer.

    Raises
    ------
    ValueError
        If there is no schedule, or they are not of one optimizer.
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        self.require(len(schedulers) > 0, "there are no schedulers to chain")
        optimizer = optimizer or schedulers[0].optimizer
        _check_optimizer(self, optimizer, schedulers)
        self._schedulers = list(schedulers)
        super().__init__(optimizer)

    def rates(self, t: int) -> list[float]:
        """The learning rate of each group in epoch `t`."""
        each = [scheduler.rates(t) for scheduler in self._schedulers]
        return [
            base * math.prod(lr / base for lr in lrs) if base else 0.0
            for base, lrs in zip(self.base_lrs, zip(*each, strict=True), strict=True)
        ]


def _check_optimizer(
    composed: LRScheduler, optimizer: Optimizer, schedulers: Sequence[LRScheduler]
) -> None:
    for number, scheduler in enumerate(schedulers):
        composed.require(
            isinstance(scheduler, LRScheduler),
            f"schedulers[{number}] is a {type(scheduler).__name__}, expected an LRScheduler",
        )
        composed.require(
            scheduler.optimizer is optimizer, f"schedulers[{number}] is of another optimizer"
        )


def warmup(optimizer: Optimizer, steps: int, then: LRScheduler) -> SequentialLR:
    """A linear warm-up, then another schedule: what training with large batches starts with.

    lr(t) = lr(0) * (t + 1) / (steps + 1) for t < steps, then that of `then` in epoch t - steps
    (Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2).

    Parameters
    ----------
    optimizer : Optimizer
    steps : int
        Epochs, or whatever `step` is called after.
    then : LRScheduler
        Of this optimizer; it is not to be stepped itself.

    Returns
    -------
    SequentialLR

    Raises
    ------
    ValueError
        If `steps` is below 1, or `then` is another optimizer's.
    """
    if steps < 1:
        raise ValueError(f"warmup: steps is {steps}, expected at least 1")
    rising = LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)
    return SequentialLR(optimizer, [rising, then], [steps])
