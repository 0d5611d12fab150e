"""The main job of the command line, without its words: a network learns digits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import convolith
from convolith import metrics
from convolith.data import (
    CIFAR10,
    CIFAR100,
    DataLoader,
    Digits,
    FashionMNIST,
    Normalize,
    RandomShift,
    TensorDataset,
    augmentation,
    load_digits,
    load_mnist,
    random_split,
)
from convolith.nn import Module
from convolith.tensor import Tensor, no_grad
from convolith.train import build
from convolith.train.checkpoint import load_checkpoint
from convolith.train.settings import Settings
from convolith.train.state import averages, load_arrays
from convolith.train.trainer import Trainer

SHIFT = 1
VALIDATION = 0.05
EVALUATION_BATCH = 500
WORKERS = 2  # that feed a device

_DATASETS: dict[str, Any] = {
    "fashion_mnist": FashionMNIST,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
}
_DIGITS = {"shape": [1, 28, 28], "classes": 10}  # what checkpoints that do not say are for


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


def load_data(directory: str | os.PathLike[str] | None, dataset: str = "mnist") -> Digits:
    """The training and test images of `dataset` in `directory`; the embedded digits if None.

    Raises
    ------
    ValueError, OSError
        If there is no directory and the dataset is not 'mnist', or its files cannot be used.
    """
    if directory is None:
        if dataset != "mnist":
            raise ValueError(f"{dataset}: its files are not embedded; data says where they are")
        return load_digits()
    if dataset == "mnist":
        return load_mnist(directory)
    training, test = (_DATASETS[dataset](directory, train=train) for train in (True, False))
    return Digits(training.images, training.labels, test.images, test.labels)


def prepare(
    settings: Settings,
    directory: str | os.PathLike[str] | None = None,
    *,
    progress: bool = False,
    workers: int | None = None,
) -> Job:
    """Load the data and build the network, its optimizer and its trainer.

    The seed sets a part of the training images (5 %) aside for validation; the others are shifted
    at random by up to a pixel, unless the settings say otherwise. What is tested is the last epoch,
    where the learning rate has come down: to choose an epoch by so few images costs more than it
    gains, and to choose by the test images would be cheating. With ``patience`` it is the epoch of
    least validation loss.

    Parameters
    ----------
    settings : Settings
    directory : path, optional
        Where checkpoints and `history.csv` go.
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
    digits = load_data(settings.data, settings.dataset)
    convolith.manual_seed(settings.seed)
    settings = build.resolved(settings)
    normalize = Normalize.fit(digits.train_images)
    images = TensorDataset(normalize(digits.train_images), digits.train_labels)
    training, validation = random_split(images, [1 - VALIDATION, VALIDATION])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    data = {
        "shape": list(digits.train_images.shape[1:]),
        "classes": max(10, int(labels.max(initial=0)) + 1),
    }
    model = _network(settings, data).to(settings.device)
    optimizer = build.optimizer(settings, model)
    if workers is None:
        workers = 0 if settings.device == "cpu" else WORKERS
    feed: dict[str, Any] = {"num_workers": workers, "device": settings.device}
    random = _random_changes(settings.augment, normalize)
    loader = DataLoader(training, settings.batch_size, shuffle=True, **random, **feed)
    steps = -(-len(loader) // settings.accumulate)
    trainer = Trainer(
        model,
        optimizer,
        build.loss(settings),
        scheduler=build.schedule(settings, optimizer, steps),
        directory=directory,
        config={
            "settings": asdict(settings),
            "normalize": {"mean": normalize.mean, "std": normalize.std},
            "data": data,
        },
        progress=progress,
        precision=settings.precision,
        callbacks=build.callbacks(settings, model, directory),
        accumulate=settings.accumulate,
    )
    validating = DataLoader(validation, EVALUATION_BATCH, **feed)
    return Job(settings, trainer, loader, validating, digits, normalize)


def _random_changes(name: str, normalize: Normalize) -> dict[str, Any]:
    """What the loader of training images is told: black is no longer 0 in normalised images."""
    if name == "shift":
        return {"transform": RandomShift(SHIFT)}
    black = normalize(np.zeros((1, len(normalize.mean), 1, 1)))
    return {"augment": augmentation(name, float(black.mean()))}


def _network(settings: Settings, data: Mapping[str, Any]) -> Module:
    c, h, w = data["shape"]
    return build.network(settings, (c, h, w), data["classes"])


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
    settings = build.resolved(_settings(path, info))
    model = _network(settings, info["config"].get("data", _DIGITS)).eval()
    load_arrays(model, {**arrays, **averages(arrays)}, path)
    return model, Normalize(**info["config"]["normalize"]), info


def image_shape(info: Mapping[str, Any]) -> tuple[int, int, int]:
    """(C, H, W) of the images that a checkpoint's network takes; `load_classifier` gave `info`."""
    c, h, w = info["config"].get("data", _DIGITS)["shape"]
    return c, h, w


def load_settings(path: str | os.PathLike[str]) -> Settings:
    """The settings of the run that wrote a checkpoint; errors are those of `load_classifier`."""
    return _settings(path, load_checkpoint(path)[1])


def _settings(path: str | os.PathLike[str], info: dict[str, Any]) -> Settings:
    if "settings" not in info["config"]:
        raise ValueError(f"{path}: a checkpoint of convolith, but not of `convolith train`")
    return Settings(**info["config"]["settings"])


def predict(model: Module, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits (N, classes) of normalised images (N, C, H, W), in float32 where the model is."""
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
        (classes, classes): rows are the true ones, columns the predicted ones.
    """

    accuracy: float
    confusion: npt.NDArray[np.int64]


def score(model: Module, normalize: Normalize, digits: Digits) -> Score:
    """Classify the test images of `digits`."""
    logits = predict(model, normalize(digits.test_images))
    classes = logits.shape[1]
    confusion = metrics.confusion_matrix(logits.argmax(1), digits.test_labels, classes)
    return Score(metrics.accuracy(Tensor(logits), digits.test_labels), confusion)
