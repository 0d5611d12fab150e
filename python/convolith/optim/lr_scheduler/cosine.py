"""Schedules along pieces of a cosine."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any, Literal

from convolith.optim.lr_scheduler.base import LRScheduler
from convolith.optim.optimizer import Optimizer


def _cosine(start: float, end: float, done: float) -> float:
    """From `start` to `end` along half a cosine, the share `done` of the way."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def _line(start: float, end: float, done: float) -> float:
    return start + (end - start) * done


class CosineAnnealingLR(LRScheduler):
    """From the optimizer's learning rate down to `eta_min` along half a cosine.

    lr(t) = eta_min + (lr(0) - eta_min) * (1 + cos(pi * t / T_max)) / 2, with t the number of calls
    of `step` (Loshchilov and Hutter 2017, eq. 5, without restarts).

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch`.
    T_max : int
        Steps to the minimum.
    eta_min : float
        The minimum.
    last_epoch : int

    Raises
    ------
    ValueError
        If `T_max` is below 1.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.require(T_max >= 1, f"T_max is {T_max}, expected at least 1")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def rates(self, t: int) -> list[float]:
        """The learning rate of each group in epoch `t`."""
        return [_cosine(base, self.eta_min, t / self.T_max) for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Down along half a cosine again and again, each time `T_mult` times as long.

    lr = eta_min + (lr(0) - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2, T_cur being the epochs since
    the last restart and T_i those until the next (Loshchilov and Hutter 2017, eq. 5).

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch`.
    T_0 : int
        Epochs until the first restart.
    T_mult : int
    eta_min : float
        The minimum.
    last_epoch : int

    Raises
    ------
    ValueError
        If `T_0` or `T_mult` is below 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.require(T_0 >= 1, f"T_0 is {T_0}, expected at least 1")
        self.require(T_mult >= 1, f"T_mult is {T_mult}, expected at least 1")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Set the learning rates of the next epoch, or of `epoch`, which may lie within one."""
        now = self.last_epoch + 1 if epoch is None else epoch
        self.last_epoch = math.floor(now)
        self.apply(now)  # type: ignore[arg-type]

    def rates(self, t: float) -> list[float]:
        """The learning rate of each group in epoch `t`."""
        period = self.T_0
        while t >= period:
            t -= period
            period *= self.T_mult
        return [_cosine(base, self.eta_min, t / period) for base in self.base_lrs]


class OneCycleLR(LRScheduler):
    """Up to `max_lr` and far below the start, in one cycle; the momentum goes the other way.

    From max_lr / div_factor up to max_lr in the first `pct_start` of the steps, then down to
    max_lr / div_factor / final_div_factor (Smith and Topin 2019). To be stepped after every batch.

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch`.
    max_lr : float, or list of float
        Of all groups, or of each.
    total_steps : int, optional
        If not given, epochs * steps_per_epoch.
    epochs, steps_per_epoch : int, optional
    pct_start : float in [0, 1]
        The share of the steps on the way up.
    anneal_strategy : {'cos', 'linear'}
    cycle_momentum : bool
        Whether momentum, or the first of the betas, goes from `max_momentum` down to
        `base_momentum` and back. Within a `SequentialLR` it stays as it is.
    base_momentum, max_momentum : float, or list of float
    div_factor, final_div_factor : float
    three_phase : bool
        Go down as steep as up, and below the start in what is left.
    last_epoch : int

    Raises
    ------
    ValueError
        If an option is out of range, or at a `step` behind the last.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            self.require(
                epochs is not None and steps_per_epoch is not None,
                "neither total_steps nor epochs and steps_per_epoch are given",
            )
            total_steps = (epochs or 0) * (steps_per_epoch or 0)
        self.require(total_steps >= 1, f"there are {total_steps} steps, expected at least 1")
        self.require(0 <= pct_start <= 1, f"pct_start is {pct_start}, expected 0 to 1")
        strategies = {"cos": _cosine, "linear": _line}
        self.require(
            anneal_strategy in strategies,
            f"anneal_strategy is {anneal_strategy!r}, expected 'cos' or 'linear'",
        )
        self.optimizer, self.total_steps = optimizer, total_steps
        self.cycle_momentum = cycle_momentum
        self._between = strategies[anneal_strategy]
        self._phases = _phases(total_steps, pct_start, three_phase)
        peaks = self._of_groups("max_lr", max_lr)
        self._levels = [  # of each group: the rates that its phases go between
            {"start": lr / div_factor, "peak": lr, "end": lr / div_factor / final_div_factor}
            for lr in peaks
        ]
        self._momenta = [
            {"start": high, "peak": low, "end": high}
            for low, high in zip(
                self._of_groups("base_momentum", base_momentum),
                self._of_groups("max_momentum", max_momentum),
                strict=True,
            )
        ]
        self.require(
            not cycle_momentum or all({"momentum", "betas"} & {*g} for g in optimizer.param_groups),
            f"{type(optimizer).__name__} has no momentum to cycle; pass cycle_momentum=False",
        )
        if last_epoch == -1:
            for group, levels in zip(optimizer.param_groups, self._levels, strict=True):
                group["initial_lr"] = levels["start"]
        super().__init__(optimizer, last_epoch)

    def _of_groups(self, name: str, value: float | list[float]) -> list[float]:
        groups = len(self.optimizer.param_groups)
        if not isinstance(value, (list, tuple)):
            return [value] * groups
        self.require(len(value) == groups, f"{name} has {len(value)} values for {groups} groups")
        return list(value)

    def _at(self, t: int, levels: list[dict[str, float]]) -> list[float]:
        self.require(
            t <= self.total_steps, f"step {t} comes after the last of {self.total_steps} steps"
        )
        ends = [end for end, *_ in self._phases]
        number = min(bisect_left(ends, t), len(ends) - 1)
        begin = ends[number - 1] if number else 0.0
        end, first, second = self._phases[number]
        done = (t - begin) / (end - begin) if end != begin else 1.0
        return [self._between(level[first], level[second], done) for level in levels]

    def rates(self, t: int) -> list[float]:
        """The learning rate of each group in step `t`."""
        return self._at(t, self._levels)

    def apply(self, t: int) -> None:
        """Write what holds in step `t` to the groups."""
        super().apply(t)
        if not self.cycle_momentum:
            return
        for group, momentum in zip(
            self.optimizer.param_groups, self._at(t, self._momenta), strict=True
        ):
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def state_dict(self) -> dict[str, Any]:
        """How far it is."""
        return {**super().state_dict(), "total_steps": self.total_steps}


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[tuple[float, str, str]]:
    """The last step of each phase, and the names of the levels that it goes between."""
    top = pct_start * total_steps - 1
    if three_phase:
        return [
            (top, "start", "peak"),
            (2 * top, "peak", "start"),
            (total_steps - 1, "start", "end"),
        ]
    return [(top, "start", "peak"), (total_steps - 1, "peak", "end")]
