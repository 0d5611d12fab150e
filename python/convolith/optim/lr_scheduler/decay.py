"""Schedules that multiply the initial learning rate by a factor of the epoch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from convolith.optim.lr_scheduler.base import LRScheduler
from convolith.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class LambdaLR(LRScheduler):
    """lr(t) = lr(0) * lr_lambda(t).

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch` and errors.
    lr_lambda : callable, or list of callable
        From epoch to factor; of each group one, or the same for all.
    last_epoch : int
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Factor | Sequence[Factor],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        given = len(self.lr_lambdas)
        self.require(given == groups, f"there are {given} lr_lambda for {groups} groups")
        super().__init__(optimizer, last_epoch)

    def rates(self, t: int) -> list[float]:
        """The learning rate of each group in epoch `t`."""
        return [base * f(t) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class FactorLR(LRScheduler):
    """lr(t) = lr(0) * factor(t), the same factor for all groups; a subclass defines `factor`."""

    def factor(self, t: int) -> float:
        """What the initial learning rate is multiplied by in epoch `t`."""
        raise NotImplementedError

    def rates(self, t: int) -> list[float]:
        """The learning rate of each group in epoch `t`."""
        return [base * self.factor(t) for base in self.base_lrs]


class StepLR(FactorLR):
    """lr(t) = lr(0) * gamma^floor(t / step_size).

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch` and errors.
    step_size : int
        Epochs from one step to the next.
    gamma : float
    last_epoch : int
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.require(step_size >= 1, f"step_size is {step_size}, expected at least 1")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """gamma^floor(t / step_size)."""
        return float(self.gamma ** (t // self.step_size))


class MultiStepLR(FactorLR):
    """lr(t) = lr(0) * gamma^(number of milestones up to t).

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch` and errors.
    milestones : iterable of int
        Epochs; one that comes twice counts twice.
    gamma : float
    last_epoch : int
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """gamma^(number of milestones up to t)."""
        return float(self.gamma ** bisect_right(self.milestones, t))


class ExponentialLR(FactorLR):
    """lr(t) = lr(0) * gamma^t.

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch` and errors.
    gamma : float
    last_epoch : int
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """gamma^t."""
        return float(self.gamma**t)


class ConstantLR(FactorLR):
    """lr(t) = lr(0) * factor until `total_iters`, then lr(0).

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch` and errors.
    factor : float in [0, 1]
    total_iters : int
    last_epoch : int
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.require(0 <= factor <= 1, f"factor is {factor}, expected 0 to 1")
        self.early, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """The factor, then 1."""
        return self.early if t < self.total_iters else 1.0


class LinearLR(FactorLR):
    """Along a line from lr(0) * start_factor to lr(0) * end_factor, where it stays.

    lr(t) = lr(0) * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1)).

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch` and errors.
    start_factor : float in (0, 1]
    end_factor : float in [0, 1]
    total_iters : int
    last_epoch : int
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.require(
            0 < start_factor <= 1, f"start_factor is {start_factor}, expected above 0 and up to 1"
        )
        self.require(0 <= end_factor <= 1, f"end_factor is {end_factor}, expected 0 to 1")
        self.require(total_iters >= 1, f"total_iters is {total_iters}, expected at least 1")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """The point on the line."""
        done = min(t, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class PolynomialLR(FactorLR):
    """lr(t) = lr(0) * (1 - min(t / total_iters, 1))^power.

    Parameters
    ----------
    optimizer : Optimizer
        See `LRScheduler`, also for `last_epoch` and errors.
    total_iters : int
    power : float
    last_epoch : int
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.require(total_iters >= 1, f"total_iters is {total_iters}, expected at least 1")
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """(1 - min(t / total_iters, 1))^power."""
        return float((1 - min(t, self.total_iters) / self.total_iters) ** self.power)
