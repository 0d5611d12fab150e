"""Callbacks that write: checkpoints, tables, and files for TensorBoard."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convolith.train.callbacks.base import Callback, Mode, Row, check_mode, monitored
from convolith.train.checkpoint import save_checkpoint
from convolith.train.files import writable_directory, write_atomically

if TYPE_CHECKING:
    from convolith.data import DataLoader
    from convolith.train.trainer import Trainer

BEST = "best.safetensors"
LAST = "last.safetensors"


class ModelCheckpoint(Callback):
    """Write the last and the best epoch, each file whole or not at all.

    Parameters
    ----------
    directory : path
        Where `best.safetensors` and `last.safetensors` go; made if it is not there.
    monitor : str, optional
        The entry of the history that says which epoch is best; "val_loss" if not given, or "loss"
        where there is no validation.
    mode : {'min', 'max'}
        Whether less or more of it is better; of equals the later one is.

    Raises
    ------
    ValueError
        If `mode` is neither, or, in training, if there is no such entry.
    """

    def __init__(
        self, directory: str | os.PathLike[str], monitor: str | None = None, mode: Mode = "min"
    ) -> None:
        check_mode("ModelCheckpoint", mode)
        self.directory = Path(directory)
        self.monitor = monitor
        self.mode = mode

    def on_train_begin(self, trainer: Trainer, loader: DataLoader, epochs: int) -> None:
        """Make the directory; an OSError now if nothing can be written there."""
        writable_directory(self.directory)

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """Write the last checkpoint, and the best if this is it."""
        arrays, info = trainer.snapshot()
        monitor = self.monitor or ("val_loss" if "val_loss" in row else "loss")
        values = [monitored("ModelCheckpoint", past, monitor) for past in trainer.history]
        if values[-1] == (min if self.mode == "min" else max)(values):
            save_checkpoint(self.directory / BEST, arrays, info)
        save_checkpoint(self.directory / LAST, arrays, info)


class CSVLogger(Callback):
    """The history as a table, a line for each epoch, written as the epoch ends.

    The lines of a run that is resumed are written anew from its history, so that none is there
    twice and none in part.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._columns: list[str] = []

    def on_train_begin(self, trainer: Trainer, loader: DataLoader, epochs: int) -> None:
        """Make the folder, and write what there is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._columns = []
        if trainer.history:
            self._begin(trainer.history)

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """Add a line, in one piece."""
        if not self._columns:
            self._begin(trainer.history)
            return
        with self.path.open("ab", buffering=0) as file:
            file.write(self._lines([row]).encode())

    def _begin(self, rows: Sequence[Row]) -> None:
        self._columns = list(rows[0])
        head = ",".join(self._columns) + "\n"
        write_atomically(self.path, (head + self._lines(rows)).encode())

    def _lines(self, rows: Sequence[Row]) -> str:
        text = io.StringIO()
        table = csv.DictWriter(text, self._columns, extrasaction="ignore", lineterminator="\n")
        table.writerows(rows)
        return text.getvalue()


class TensorBoard(Callback):
    """The numbers of the history as scalars for TensorBoard, by tensorboardX.

    Parameters
    ----------
    directory : path
        Where the event files go.

    Raises
    ------
    ImportError
        If tensorboardX is missing; in training.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)

    def on_train_begin(self, trainer: Trainer, loader: DataLoader, epochs: int) -> None:
        """Open the file; what an interrupted run wrote of later epochs no longer counts."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError(
                'TensorBoard needs tensorboardX: pip install "convolith[tensorboard]"'
            ) from error
        self._writer: Any = SummaryWriter(str(self.directory), purge_step=trainer.epoch + 1)

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """Write every number of the row, at the step of its epoch."""
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the file."""
        self._writer.close()
