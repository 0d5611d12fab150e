"""The training loop: epochs, validation, progress, checkpoints, and resuming to the same bits."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import convolith
from convolith import _random
from convolith.amp import GradScaler, autocast
from convolith.data import DataLoader
from convolith.device import is_array, to_numpy
from convolith.nn import Module
from convolith.nn.functional import cross_entropy
from convolith.optim import Optimizer
from convolith.optim.lr_scheduler import CosineAnnealingLR
from convolith.tensor import Tensor, no_grad
from convolith.train.checkpoint import Arrays, load_checkpoint, save_checkpoint

BEST = "best.safetensors"
LAST = "last.safetensors"
_OPTIMIZER = "optimizer."

Row = dict[str, Any]
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
    scheduler : CosineAnnealingLR, optional
        Stepped after every epoch.
    directory : path, optional
        Where `best.safetensors` and `last.safetensors` go after every epoch; nowhere if not given.
        The best epoch is the one of least validation loss (without validation: training loss).
    config : dict, optional
        Anything that JSON can hold, to be kept in the checkpoints.
    progress : bool
        Show a bar on standard error if that is a terminal.
    precision : {'float32', 'bfloat16', 'float16'}
        What convolutions and linear layers compute in: forward, loss and evaluation go through
        `convolith.autocast`, and with float16 gradients through a `GradScaler`. Parameters stay
        float32. Halves need a model on a device.

    Attributes
    ----------
    epoch : int
        How many epochs are done.
    history : list of dict
        One row per epoch: epoch, lr, loss, accuracy, val_loss, val_accuracy, seconds,
        images_per_second.
    scaler : GradScaler
        Not enabled but for float16.

    Raises
    ------
    ValueError
        If `precision` is none of these, or a half and the model is on the CPU.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
        *,
        scheduler: CosineAnnealingLR | None = None,
        directory: str | os.PathLike[str] | None = None,
        config: dict[str, Any] | None = None,
        progress: bool = False,
        precision: Precision = "float32",
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(
                f"Trainer: precision is {precision!r}, expected one of {', '.join(PRECISIONS)}"
            )
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.scheduler = scheduler
        self.directory = None if directory is None else Path(directory)
        self.config = config or {}
        self.progress = progress
        self.precision = precision
        self.history: list[Row] = []
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

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self.device, self.precision, enabled=self.precision != "float32")

    def _forward(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, labels and their loss, where the model is."""
        images, labels = (tensor.to(self.device) for tensor in batch)
        with self._autocast():
            logits = self.model(images)
            return logits, labels, self.loss(logits, labels)

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
        with self._bar(len(train_loader.dataset), epochs) as bar:
            while self.epoch < epochs:
                bar.set_description(f"epoch {self.epoch + 1}/{epochs}")
                row = self._train_epoch(train_loader, bar)
                if val_loader is not None:
                    row.update({f"val_{k}": v for k, v in self.evaluate(val_loader).items()})
                self.history.append(row)
                if self.scheduler is not None:
                    self.scheduler.step()
                if self.directory is not None:
                    self._save(self.directory)
        return self.history

    def _train_epoch(self, loader: DataLoader, bar: Any) -> Row:
        self.model.train()
        loader.epoch = self.epoch
        lr = self.optimizer.param_groups[0]["lr"]
        start = time.perf_counter()
        loss, correct, seen = 0.0, 0, 0
        for batch in loader:
            logits, labels, batch_loss = self._forward(batch)
            self.optimizer.zero_grad()
            self.scaler.scale(batch_loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            n = len(labels)
            loss += batch_loss.item() * n
            correct += _correct(logits, labels)
            seen += n
            if not bar.disable:
                text = f"loss {loss / seen:.4f}, accuracy {correct / seen:.2%}"
                bar.set_postfix_str(text, refresh=False)
                bar.update(n)
        seconds = time.perf_counter() - start
        if not math.isfinite(loss):
            raise ArithmeticError(
                f"train: the loss became {loss} in epoch {self.epoch + 1}; "
                f"a learning rate below {lr:g} may help"
            )
        return {
            "epoch": self.epoch + 1,
            "lr": lr,
            "loss": loss / seen,
            "accuracy": correct / seen,
            "seconds": seconds,
            "images_per_second": seen / seconds,
        }

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
        training = self.model.training
        self.model.eval()
        loss, correct, seen = 0.0, 0, 0
        with no_grad():
            for batch in loader:
                logits, labels, batch_loss = self._forward(batch)
                loss += batch_loss.item() * len(labels)
                correct += _correct(logits, labels)
                seen += len(labels)
        self.model.train(training)
        return {
            "loss": loss / seen if seen else math.nan,
            "accuracy": correct / seen if seen else math.nan,
        }

    @contextmanager
    def _bar(self, images: int, epochs: int) -> Iterator[Any]:
        """A bar over all images of all epochs: images/s and the time left come with it."""
        from tqdm import tqdm

        with tqdm(
            total=images * epochs,
            initial=images * self.epoch,
            unit=" images",
            unit_scale=True,
            disable=None if self.progress else True,  # None: unless standard error is a terminal
            dynamic_ncols=True,
        ) as bar:
            yield bar

    # Checkpoints

    def _save(self, directory: Path) -> None:
        """Write the last checkpoint, and the best if this is it."""
        arrays = {name: tensor.numpy() for name, tensor in self.model.state_dict().items()}
        state = self.optimizer.state_dict()
        scalars: dict[str, dict[str, Any]] = {}
        for number, values in state["state"].items():
            for name, value in values.items():
                if is_array(value):
                    arrays[f"{_OPTIMIZER}{number}.{name}"] = to_numpy(value)
                else:
                    scalars.setdefault(str(number), {})[name] = value
        info = {
            "version": convolith.__version__,
            "model": type(self.model).__name__,
            "optimizer": type(self.optimizer).__name__,
            "optimizer_state": {"state": scalars, "param_groups": state["param_groups"]},
            "scheduler_state": None if self.scheduler is None else self.scheduler.state_dict(),
            "precision": self.precision,
            "scaler_state": self.scaler.state_dict(),
            "random_state": _random.get_state(),
            "history": self.history,
            "config": self.config,
        }
        key = "val_loss" if "val_loss" in self.history[-1] else "loss"
        if self.history[-1][key] <= min(row[key] for row in self.history):
            save_checkpoint(directory / BEST, arrays, info)
        save_checkpoint(directory / LAST, arrays, info)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go back to where a checkpoint was written; `fit` then goes on to the very same bits.

        The model, optimizer, scheduler and loaders must be made as they were for that run, and the
        precision be the same.

        Parameters
        ----------
        path : path

        Raises
        ------
        ValueError
            If it is no checkpoint of such a model, optimizer and precision.
        """
        arrays, info = load_checkpoint(path)
        own = type(self.optimizer).__name__
        if info["optimizer"] != own:
            raise ValueError(f"{path}: a run with {info['optimizer']}, and the optimizer is {own}")
        precision = info.get("precision", "float32")  # older checkpoints name none
        if precision != self.precision:
            raise ValueError(f"{path}: a run in {precision}, and this one is in {self.precision}")
        saved = info["optimizer_state"]
        state = {number: dict(scalars) for number, scalars in saved["state"].items()}
        for key in [key for key in arrays if key.startswith(_OPTIMIZER)]:
            number, name = key.removeprefix(_OPTIMIZER).split(".", 1)
            state.setdefault(number, {})[name] = arrays[key]
        load_arrays(self.model, arrays, path)
        self.optimizer.load_state_dict({**saved, "state": state})
        if self.scheduler is not None:
            self.scheduler.load_state_dict(info["scheduler_state"])
        self.scaler.load_state_dict(info.get("scaler_state", {}))
        self.history = info["history"]
        if self.directory is not None and not (self.directory / BEST).exists():
            save_checkpoint(self.directory / BEST, arrays, info)
        _random.set_state(tuple(info["random_state"]))


def load_model(model: Module, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load the parameters and buffers of `model` from a checkpoint of `Trainer`.

    Parameters
    ----------
    model : Module
        Changed in place, or left alone if there is an error.
    path : path

    Returns
    -------
    dict
        What else the checkpoint says: "version", "history", "config" and more.

    Raises
    ------
    ValueError
        If it is no checkpoint of such a model.
    """
    arrays, info = load_checkpoint(path)
    load_arrays(model, arrays, path)
    return info


def load_arrays(model: Module, arrays: Arrays, path: str | os.PathLike[str]) -> None:
    """The part of `load_model` that follows reading: the arrays of the checkpoint `path`."""
    own = {name: array for name, array in arrays.items() if not name.startswith(_OPTIMIZER)}
    try:
        model.load_state_dict(own)
    except ValueError as error:
        raise ValueError(f"{path}: a checkpoint of another model: {error}") from error


def _correct(logits: Tensor, labels: Tensor) -> int:
    return int((logits.numpy().argmax(1) == labels.numpy()).sum())
