"""Settings to objects: network, optimizer, schedule, loss, callbacks."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from convolith import nn, optim
from convolith._spelling import did_you_mean
from convolith.models import CNN, MLP, LeNet5, Perceptron, model_entry
from convolith.tensor import Tensor
from convolith.train.callbacks import (
    AverageWeights,
    Callback,
    ClipGradients,
    CSVLogger,
    EarlyStopping,
    LRScheduler,
)
from convolith.train.settings import (
    LEARNING_RATES,
    LOSS_TARGETS,
    LOSSES,
    OPTIMIZER_OPTIONS,
    OPTIMIZERS,
    SCHEDULES,
    WITH_OWN_OPTIONS,
    Settings,
)

_BATCHWISE = ("CyclicLR", "OneCycleLR")  # schedules that step with batches


def resolved(settings: Settings) -> Settings:
    """`settings` with the defaults that depend on other settings."""
    kind = OPTIMIZERS[settings.optimizer]
    usual = LEARNING_RATES.get(settings.optimizer, _parameters(kind)["lr"].default)
    return replace(
        settings,
        activation=settings.activation or ("tanh" if settings.model == "lenet5" else "relu"),
        dropout=(0.5 if settings.model == "cnn" else 0.0)
        if settings.dropout is None
        else settings.dropout,
        lr=usual if settings.lr is None else settings.lr,
        optimizer_options={
            **OPTIMIZER_OPTIONS.get(settings.optimizer, {}),
            **settings.optimizer_options,
        },
    )


def network(settings: Settings, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The network for images of `shape` (C, H, W), of resolved settings."""
    activation: Any = settings.activation
    c, h, w = shape
    if settings.model_options and settings.model in WITH_OWN_OPTIONS:
        names = ", ".join(settings.model_options)
        raise ValueError(f"model_options: {settings.model} takes none, and {names} came")
    if settings.model == "perceptron":
        return Perceptron(c * h * w, classes)
    if settings.model == "mlp":
        return MLP(c * h * w, settings.widths, classes, activation, settings.dropout or 0.0)
    if settings.model == "cnn":
        return CNN(c, (h, w), classes, activation, settings.dropout or 0.0)
    entry = model_entry(settings.model)
    if shape != entry.image:
        raise ValueError(f"{settings.model}: the images are {shape}, expected {entry.image}")
    if settings.model == "lenet5":
        pool: Any = settings.pool
        return LeNet5(activation, pool, classes)
    given = _checked("model_options", entry.build, settings.model_options, ("num_classes",))
    return entry.build(num_classes=classes, **given)


def optimizer(settings: Settings, model: nn.Module) -> optim.Optimizer:
    """The optimizer of all parameters of `model`, of resolved settings."""
    kind = OPTIMIZERS[settings.optimizer]
    given = _checked("optimizer_options", kind, settings.optimizer_options, ("params", "lr"))
    made: optim.Optimizer = kind(model.parameters(), lr=settings.lr, **given)
    return made


def schedule(settings: Settings, optimizer: optim.Optimizer, steps: int) -> LRScheduler | None:
    """The schedule for epochs of so many `steps`; what it must know of the run it is told."""
    if settings.schedule == "none":
        return None
    kind = SCHEDULES[settings.schedule]
    given = _checked("schedule_options", kind, settings.schedule_options, ("optimizer",))
    run = {"T_max": settings.epochs, "total_steps": settings.epochs * steps, "max_lr": settings.lr}
    told = {name: value for name, value in run.items() if name in _parameters(kind)}
    batchwise = settings.schedule in _BATCHWISE
    return LRScheduler(kind(optimizer, **{**told, **given}), "batch" if batchwise else "epoch")


def loss(settings: Settings) -> nn.Module:
    """The loss of logits (N, classes) and class indices (N)."""
    kind = LOSSES[settings.loss]
    made: nn.Module = kind(**_checked("loss_options", kind, settings.loss_options, ()))
    off = LOSS_TARGETS[settings.loss]
    return made if off is None else OneHot(made, off)


class OneHot(nn.Module):
    """A loss that compares with numbers, for class indices: 1 at the class, `off` elsewhere."""

    def __init__(self, loss: nn.Module, off: float = 0.0) -> None:
        self.loss = loss
        self.off = off

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Logits (N, C) and class indices (N), or targets (N, C), to the loss."""
        if target.ndim == 1:
            at_class = np.arange(input.shape[1]) == target.numpy()[:, None]
            numbers = np.where(at_class, np.float32(1), np.float32(self.off))
            target = Tensor(numbers).to(input.device).to(input.dtype)
        return cast(Tensor, self.loss(input, target))


def callbacks(
    settings: Settings, model: nn.Module, directory: str | os.PathLike[str] | None
) -> list[Callback]:
    """What the settings ask for beside the schedule; the table of the history in `directory`."""
    made: list[Callback] = []
    if settings.clip_norm is not None or settings.clip_value is not None:
        made.append(ClipGradients(settings.clip_norm, settings.clip_value))
    if settings.patience is not None:
        made.append(EarlyStopping(patience=settings.patience, restore_best=True))
    if settings.ema is not None:
        made.append(AverageWeights(model, settings.ema))
    if directory is not None:
        made.append(CSVLogger(Path(directory) / "history.csv"))
    return made


def _checked(
    option: str, kind: Any, given: Mapping[str, Any], taken: tuple[str, ...]
) -> Mapping[str, Any]:
    """`given`, if `kind` has parameters of these names beside those that are `taken`."""
    known = [name for name in _parameters(kind) if name not in taken]
    for name in given:
        if name not in known:
            raise ValueError(
                f"{option}: {kind.__name__} has no {name!r}{did_you_mean(name, known)}"
            )
    return given


def _parameters(kind: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(kind).parameters
