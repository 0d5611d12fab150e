"""The learning rate range test."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convolith.data import DataLoader
from convolith.tensor import Tensor
from convolith.train import state
from convolith.train.trainer import Trainer


@dataclass(frozen=True)
class LRCurve:
    """What `lr_find` found.

    Attributes
    ----------
    lrs, losses : list of float
        The learning rate of each step, and the loss before it.
    smoothed : list of float
        Exponentially averaged losses.
    suggestion : float
        The learning rate where `smoothed` falls most steeply over the logarithm of `lrs`.
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    suggestion: float


def lr_find(
    trainer: Trainer,
    loader: DataLoader,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.8,
    divergence: float = 4.0,
) -> LRCurve:
    """Train a few steps at growing learning rates, and put everything back (Smith 2017, sec. 3.3).

    The rates grow by a constant factor. It ends early where the smoothed loss is no longer finite
    or `divergence` times its least value. Callbacks are not called.

    Parameters
    ----------
    trainer : Trainer
        With the model, optimizer and loss in question; as before afterwards, to the bit.
    loader : DataLoader
        Repeated as often as it takes.
    start, end : float
        The first and the last learning rate.
    steps : int
        At least 3.
    smoothing : float
        How much of the average is kept from step to step, in [0, 1).
    divergence : float
        More than 1.

    Returns
    -------
    LRCurve

    Raises
    ------
    ValueError
        If an argument is out of range, the loader is empty, or the loss never falls.
    """
    for name, value, fits, expected in (
        ("start", start, 0 < start < end < math.inf, "0 < start < end"),
        ("steps", steps, steps >= 3, "at least 3"),
        ("smoothing", smoothing, 0 <= smoothing < 1, "0 <= smoothing < 1"),
        ("divergence", divergence, divergence > 1, "more than 1"),
        ("the length of the loader", len(loader), len(loader) > 0, "at least 1"),
    ):
        if not fits:
            raise ValueError(f"lr_find: {name} is {value}, expected {expected}")
    arrays, info = trainer.snapshot()
    arrays = {name: array.copy() for name, array in arrays.items()}
    info, epoch, training = copy.deepcopy(info), loader.epoch, trainer.model.training
    callbacks, trainer.callbacks = trainer.callbacks, []
    lrs = np.geomspace(start, end, steps).tolist()
    losses: list[float] = []
    smoothed: list[float] = []
    try:
        trainer.model.train()
        batches = itertools.chain.from_iterable(itertools.repeat(loader))
        for lr, batch in zip(lrs, batches, strict=False):
            losses.append(_step(trainer, batch, lr))
            smoothed = smooth(losses, smoothing)
            if not smoothed[-1] < divergence * min(smoothed):
                break
    finally:
        trainer.callbacks = callbacks
        trainer.optimizer.zero_grad()
        trainer.model.train(training)
        loader.epoch = epoch
        state.put_back(trainer, arrays, info, "lr_find")
    lrs = lrs[: len(losses)]
    return LRCurve(lrs, losses, smoothed, steepest(lrs, smoothed))


def _step(trainer: Trainer, batch: tuple[Tensor, ...], lr: float) -> float:
    """The loss, and a step after it."""
    for group in trainer.optimizer.param_groups:
        group["lr"] = lr
    _, _, loss = trainer.forward(batch)
    trainer.optimizer.zero_grad()
    trainer.backward(loss)
    trainer.step()
    return float(loss.item())


def smooth(values: Sequence[float], keep: float) -> list[float]:
    """The exponential average, corrected for its beginning at zero (as Adam's, Kingma and Ba)."""
    averages, average = [], 0.0
    for step, value in enumerate(values, 1):
        average = keep * average + (1 - keep) * value
        averages.append(average / (1 - keep**step))
    return averages


def steepest(lrs: Sequence[float], losses: Sequence[float]) -> float:
    """The rate at which `losses` fall most steeply over log(lr)."""
    finite = np.isfinite(losses)
    known = np.asarray(losses)[finite]
    slopes = np.gradient(known, np.log(lrs)[finite]) if len(known) > 1 else np.zeros(1)
    if not slopes.min() < 0:
        raise ValueError(
            f"lr_find: the loss never falls from {lrs[0]:g} on; choose a smaller start"
        )
    return float(np.asarray(lrs)[finite][slopes.argmin()])
