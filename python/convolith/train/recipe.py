"""The main job: LeNet-5 learns digits. What the command line runs, without its words."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import convolith
from convolith import metrics, optim
from convolith.data import (
    DataLoader,
    Digits,
    Normalize,
    RandomShift,
    TensorDataset,
    load_digits,
    load_mnist,
    random_split,
)
from convolith.device import Device
from convolith.models import LeNet5
from convolith.models.lenet import Activation, Pool
from convolith.nn import Module
from convolith.optim.lr_scheduler import CosineAnnealingLR
from convolith.tensor import Tensor, no_grad
from convolith.train.checkpoint import load_checkpoint
from convolith.train.state import load_arrays
from convolith.train.trainer import Precision, Trainer

LEARNING_RATES = {"sgd": 0.05, "adam": 0.002}
WEIGHT_DECAY = 5e-4
VALIDATION = 0.05
SHIFT = 1
EVALUATION_BATCH = 500
WORKERS = 2  # that feed a device


@dataclass(frozen=True)
class Settings:
    """What decides the result of a run, to the bit.

    Attributes
    ----------
    activation : {'tanh', 'relu'}
    pool : {'avg', 'max'}
    data : str or None
        Directory of the MNIST files; None for the embedded digits.
    epochs, batch_size : int
    optimizer : {'sgd', 'adam'}
        SGD has momentum 0.9 and weight decay 0.0005, Adam neither.
    lr : float or None
        At first, then down along a cosine; None for `LEARNING_RATES` of the optimizer.
    seed : int
    device : {'cpu', 'emu', 'cuda'}
    precision : {'float32', 'bfloat16', 'float16'}
        Of training; the parameters that come of it are float32. Halves need a device.
    """

    activation: Activation = "tanh"
    pool: Pool = "avg"
    data: str | None = None
    epochs: int = 20
    batch_size: int = 64
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: float | None = None
    seed: int = 0
    device: Device = "cpu"
    precision: Precision = "float32"


@dataclass(frozen=True)
class Job:
    """Everything that a run needs, ready to go."""

    settings: Settings
    trainer: Trainer
    train_loader: DataLoader
    val_loader: DataLoader
    digits: Digits
    normalize: Normalize

    def run(self) -> None:
        """Train to the end."""
        self.trainer.fit(self.train_loader, self.val_loader, self.settings.epochs)


def load_data(directory: str | os.PathLike[str] | None) -> Digits:
    """The MNIST files in `directory`, or the embedded digits if that is None."""
    return load_digits() if directory is None else load_mnist(directory)


def prepare(
    settings: Settings,
    directory: str | os.PathLike[str] | None = None,
    *,
    progress: bool = False,
    workers: int | None = None,
) -> Job:
    """Load the data and build the network, its optimizer and its trainer.

    The seed sets a part of the training images (5 %) aside for validation; the others are shifted
    at random by up to a pixel. What is tested is the last epoch, where the learning rate has come
    down: to choose an epoch by so few images costs more than it gains, and to choose by the test
    images would be cheating.

    Parameters
    ----------
    settings : Settings
    directory : path, optional
        Where checkpoints go.
    progress : bool
        Show a bar on a terminal.
    workers : int, optional
        Threads that prepare batches, which changes nothing but the time. If not given, none on the
        CPU, where the kernels keep all cores busy, and `WORKERS` for a device.

    Returns
    -------
    Job

    Raises
    ------
    ValueError, OSError
        If the data cannot be used.
    """
    digits = load_data(settings.data)
    convolith.manual_seed(settings.seed)
    normalize = Normalize.fit(digits.train_images)
    images = TensorDataset(normalize(digits.train_images), digits.train_labels)
    training, validation = random_split(images, [1 - VALIDATION, VALIDATION])
    model = LeNet5(settings.activation, settings.pool).to(settings.device)
    lr = LEARNING_RATES[settings.optimizer] if settings.lr is None else settings.lr
    settings = replace(settings, lr=lr)
    optimizer = (
        optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=WEIGHT_DECAY)
        if settings.optimizer == "sgd"
        else optim.Adam(model.parameters(), lr)
    )
    trainer = Trainer(
        model,
        optimizer,
        scheduler=CosineAnnealingLR(optimizer, settings.epochs),
        directory=directory,
        config={
            "settings": asdict(settings),
            "normalize": {"mean": normalize.mean, "std": normalize.std},
        },
        progress=progress,
        precision=settings.precision,
    )
    if workers is None:
        workers = 0 if settings.device == "cpu" else WORKERS
    feed: dict[str, Any] = {"num_workers": workers, "device": settings.device}
    shift = RandomShift(SHIFT)
    return Job(
        settings,
        trainer,
        DataLoader(training, settings.batch_size, shuffle=True, transform=shift, **feed),
        DataLoader(validation, EVALUATION_BATCH, **feed),
        digits,
        normalize,
    )


def load_classifier(
    path: str | os.PathLike[str],
) -> tuple[Module, Normalize, dict[str, Any]]:
    """The network in a checkpoint of this job, ready to evaluate.

    Parameters
    ----------
    path : path

    Returns
    -------
    model, normalize, info
        The network, what its images must go through, and what else the checkpoint says.

    Raises
    ------
    ValueError, OSError
        If it is no such checkpoint, or cannot be read.
    """
    arrays, info = load_checkpoint(path)
    if "settings" not in info["config"]:
        raise ValueError(f"{path}: a checkpoint of convolith, but not of `convolith train`")
    settings = Settings(**info["config"]["settings"])
    model = LeNet5(settings.activation, settings.pool).eval()
    load_arrays(model, arrays, path)
    return model, Normalize(**info["config"]["normalize"]), info


def predict(model: Module, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits (N, 10) of normalised images (N, 1, 28, 28), in float32 where the model is."""
    device = next(model.parameters()).device
    loader = DataLoader(TensorDataset(images), EVALUATION_BATCH)
    with no_grad():
        return np.concatenate([model(batch.to(device)).numpy() for (batch,) in loader])


@dataclass(frozen=True)
class Score:
    """How well a network reads test images.

    Attributes
    ----------
    accuracy : float
        0 to 1.
    confusion : array
        (10, 10): rows are the true digits, columns the predicted ones.
    """

    accuracy: float
    confusion: npt.NDArray[np.int64]


def score(model: Module, normalize: Normalize, digits: Digits) -> Score:
    """Classify the test images of `digits`."""
    logits = predict(model, normalize(digits.test_images))
    confusion = metrics.confusion_matrix(logits.argmax(1), digits.test_labels, 10)
    return Score(metrics.accuracy(Tensor(logits), digits.test_labels), confusion)
