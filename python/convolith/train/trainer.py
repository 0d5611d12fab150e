"""The training loop: epochs, steps, validation, and resuming to the same bits."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from convolith.amp import GradScaler, autocast
from convolith.data import DataLoader
from convolith.nn import Module
from convolith.nn.functional import cross_entropy
from convolith.optim import Optimizer
from convolith.tensor import Tensor, no_grad
from convolith.train import state
from convolith.train.callbacks import Callback, LRScheduler, ModelCheckpoint, Progress, Totals
from convolith.train.callbacks.base import Row
from convolith.train.callbacks.schedule import Scheduler
from convolith.train.checkpoint import Arrays

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)


class Trainer:
    """Train a classifier, on the device that the model is on.

    Parameters
    ----------
    model : Module
        Images (N, C, H, W) to logits (N, classes).
    optimizer : Optimizer
    loss : callable
        ``loss(logits, labels)``, a mean over the batch.
    scheduler : object, optional
        A learning rate schedule, stepped after every epoch, or an `LRScheduler` that says when.
    directory : path, optional
        Where `best.safetensors` and `last.safetensors` go after every epoch; nowhere if not given.
        The best epoch is the one of least validation loss (without validation: training loss):
        `ModelCheckpoint` with its defaults.
    config : dict, optional
        Anything that JSON can hold, to be kept in the checkpoints.
    progress : bool
        Show a bar on standard error if that is a terminal: `Progress`.
    precision : {'float32', 'bfloat16', 'float16'}
        What convolutions and linear layers compute in: forward, loss and evaluation go through
        `convolith.autocast`, and with float16 gradients through a `GradScaler`. Parameters stay
        float32. Halves need a model on a device.
    callbacks : iterable of Callback
        What else happens, in this order, and before what `scheduler`, `directory` and `progress`
        stand for.
    accumulate : int
        Batches to a step of the optimizer. The gradient is that of the mean loss over all their
        images; what layers see of a batch (batch norm) is still one batch.

    Attributes
    ----------
    epoch : int
        How many epochs are done.
    history : list of dict
        One row per epoch: epoch, lr, loss, accuracy, val_loss, val_accuracy, seconds,
        images_per_second, and what callbacks add.
    scaler : GradScaler
        Not enabled but for float16.
    stopping : bool
        A callback sets it to end training after this epoch.

    Raises
    ------
    ValueError
        If `precision` is none of these, or a half and the model is on the CPU, or `accumulate` is
        below 1.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
        *,
        scheduler: Scheduler | LRScheduler | None = None,
        directory: str | os.PathLike[str] | None = None,
        config: dict[str, Any] | None = None,
        progress: bool = False,
        precision: Precision = "float32",
        callbacks: Iterable[Callback] = (),
        accumulate: int = 1,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(
                f"Trainer: precision is {precision!r}, expected one of {', '.join(PRECISIONS)}"
            )
        if accumulate < 1:
            raise ValueError(f"Trainer: accumulate is {accumulate}, expected at least 1")
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.scheduler = scheduler
        self.directory = None if directory is None else Path(directory)
        self.config = config or {}
        self.progress = progress
        self.precision = precision
        self.callbacks = list(callbacks)
        self.accumulate = accumulate
        self.history: list[Row] = []
        self.stopping = False
        self._own_callbacks: list[Callback] = []  # while `fit` runs
        with self._autocast():  # says now if it cannot be
            self.scaler = GradScaler(self.device, enabled=precision == "float16")

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    @property
    def device(self) -> str:
        """Where the model is: batches are moved there."""
        return next(self.model.parameters()).device

    def fit(
        self, train_loader: DataLoader, val_loader: DataLoader | None = None, epochs: int = 1
    ) -> list[Row]:
        """Train until `epochs` epochs are done, those before `resume` included.

        Parameters
        ----------
        train_loader, val_loader : DataLoader
            Of images and labels.
        epochs : int

        Returns
        -------
        list of dict
            `history`.

        Raises
        ------
        ArithmeticError
            If the loss is no longer finite; the last checkpoint is the one before.
        """
        self.stopping = False
        self._own_callbacks = [
            *([] if self.scheduler is None else [_callback(self.scheduler)]),
            *([] if self.directory is None else [ModelCheckpoint(self.directory)]),
            *([Progress()] if self.progress else []),
        ]
        with ExitStack() as ending:
            ending.callback(self._own_callbacks.clear)
            for callback in (*self.callbacks, *self._own_callbacks):
                callback.on_train_begin(self, train_loader, epochs)
                ending.callback(callback.on_train_end, self)
            while self.epoch < epochs and not self.stopping:
                self._tell("on_epoch_begin")
                row = self._train_epoch(train_loader)
                if val_loader is not None:
                    row.update({f"val_{k}": v for k, v in self.evaluate(val_loader).items()})
                self.history.append(row)
                self._tell("on_epoch_end", row)
        return self.history

    def _tell(self, hook: str, *args: Any) -> None:
        for callback in (*self.callbacks, *self._own_callbacks):
            getattr(callback, hook)(self, *args)

    def _train_epoch(self, loader: DataLoader) -> Row:
        self.model.train()
        loader.epoch = self.epoch
        lr = self.optimizer.param_groups[0]["lr"]
        start = time.perf_counter()
        totals = Totals()
        images = min(len(loader.dataset), len(loader) * loader.batch_size)
        for number, batch in enumerate(loader):
            first = number % self.accumulate == 0
            if first:
                step_images = min(self.accumulate * loader.batch_size, images - totals.seen)
            self._tell("on_batch_begin")
            logits, labels, loss = self.forward(batch)
            if first:
                self.optimizer.zero_grad()
            self.backward(loss, len(labels) / step_images)
            if (number + 1) % self.accumulate == 0 or number + 1 == len(loader):
                self.step()
            totals.add(loss.item(), _correct(logits, labels), len(labels))
            self._tell("on_batch_end", totals)
        seconds = time.perf_counter() - start
        if not math.isfinite(totals.loss):
            raise ArithmeticError(
                f"train: the loss became {totals.loss} in epoch {self.epoch + 1}; "
                f"a learning rate below {lr:g} may help"
            )
        return {
            "epoch": self.epoch + 1,
            "lr": lr,
            **totals.means(),
            "seconds": seconds,
            "images_per_second": totals.seen / seconds,
        }

    # The parts of a step, also for loops of one's own

    def forward(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, labels and their loss, where the model is and in the precision of training."""
        images, labels = (tensor.to(self.device) for tensor in batch)
        with self._autocast():
            logits = self.model(images)
            return logits, labels, self.loss(logits, labels)

    def backward(self, loss: Tensor, share: float = 1.0) -> None:
        """Add the gradients of `share` times `loss`, scaled for float16."""
        scaled = self.scaler.scale(loss)
        if share == 1:
            scaled.backward()
        else:
            part = Tensor(np.full(scaled.shape, share, np.float32))
            scaled.backward(part.to(scaled.device).to(scaled.dtype))

    def step(self) -> None:
        """Change the parameters by their gradients."""
        self.scaler.unscale_(self.optimizer)
        self._tell("on_step_begin")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._tell("on_step_end")

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self.device, self.precision, enabled=self.precision != "float32")

    def evaluate(self, loader: DataLoader) -> dict[str, float]:
        """Mean loss and accuracy over `loader`, in evaluation mode and without gradients.

        Parameters
        ----------
        loader : DataLoader
            Of images and labels.

        Returns
        -------
        dict
            "loss" and "accuracy"; NaN if there are no images.
        """
        totals = Totals()
        with self.evaluating():
            for batch in loader:
                logits, labels, loss = self.forward(batch)
                totals.add(loss.item(), _correct(logits, labels), len(labels))
        return totals.means()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Have the model as it is evaluated: its mode, its weights, and no gradients."""
        training = self.model.training
        self.model.eval()
        self._tell("on_evaluate_begin")
        try:
            with no_grad():
                yield
        finally:
            self._tell("on_evaluate_end")
            self.model.train(training)

    def snapshot(self) -> tuple[Arrays, dict[str, Any]]:
        """What a checkpoint holds, as `save_checkpoint` takes it: arrays, and all else."""
        return state.snapshot(self)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go back to where a checkpoint was written; `fit` then goes on to the very same bits.

        The model, optimizer, scheduler, callbacks and loaders must be made as they were for that
        run, and the precision be the same.

        Parameters
        ----------
        path : path

        Raises
        ------
        ValueError
            If it is no checkpoint of such a model, optimizer and precision.
        """
        state.restore(self, path)


def _correct(logits: Tensor, labels: Tensor) -> int:
    """How many are right; of labels that are probabilities the likeliest counts."""
    truth = labels.numpy()
    if truth.ndim == logits.ndim:
        truth = truth.argmax(1)
    return int((logits.numpy().argmax(1) == truth).sum())


def _callback(scheduler: Scheduler | LRScheduler) -> LRScheduler:
    return scheduler if isinstance(scheduler, LRScheduler) else LRScheduler(scheduler)
