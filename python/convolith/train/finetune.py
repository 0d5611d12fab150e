"""The job of `convolith finetune`, without its words: a trained network learns other classes."""

from __future__ import annotations

import copy
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import convolith
from convolith import nn, optim
from convolith.data import (
    DataLoader,
    ImageFolder,
    ImageNetTransform,
    Subset,
    TensorDataset,
    augment,
    train_test_split,
)
from convolith.nn.utils import find_head, freeze, parameter_groups, replace_head, unfreeze
from convolith.train.callbacks import CSVLogger
from convolith.train.classifier import CONFIG, Classifier, image_size, load_network
from convolith.train.features import extract_features
from convolith.train.trainer import Trainer


@dataclass(frozen=True)
class Settings:
    """What decides the result.

    Parameters
    ----------
    weights, data : str
        The file of weights, and the folder with a folder of pictures for each class.
    model : str
        The network that the weights are for.
    model_options : dict
        For `models.get_model`, such as ``{"transform_input": True}``.
    freeze : tuple of str, optional
        Patterns of parameters that stay as they are, see `nn.utils.freeze`; all but those of the
        new head if not given.
    epochs, batch_size : int
    lr, head_lr : float
        Learning rates at the start, of what was trained before and of the new head.
    augment : bool
        Whether training sees parts and mirror images of the pictures at random.
    validation : float
        Which part of the pictures is set aside, of each class in proportion.
    size : int, optional
        Of the images; that of the registry if not given.
    seed : int
    """

    weights: str
    data: str
    model: str = "mobilenet_v2"
    model_options: dict[str, Any] = field(default_factory=dict)
    freeze: tuple[str, ...] | None = None
    epochs: int = 20
    batch_size: int = 16
    lr: float = 1e-4
    head_lr: float = 1e-3
    augment: bool = False
    validation: float = 0.2
    size: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Job:
    """Everything that a run needs, ready to go.

    Parameters
    ----------
    settings : Settings
    classifier : Classifier
    trainer : Trainer
    training, validation : DataLoader
    """

    settings: Settings
    classifier: Classifier
    trainer: Trainer
    training: DataLoader
    validation: DataLoader

    def run(self) -> None:
        """Train to the end."""
        self.trainer.fit(self.training, self.validation, self.settings.epochs)


def prepare(
    settings: Settings,
    directory: str | os.PathLike[str] | None = None,
    *,
    progress: bool = False,
) -> Job:
    """Load weights and pictures, and give the network a new head.

    Where nothing but the head learns and pictures do not change, what the rest of the network makes
    of them is computed here, once; training is then of the head alone, which takes seconds, and
    sees no dropout before it.

    Parameters
    ----------
    settings : Settings
    directory : path, optional
        Where checkpoints and `history.csv` go.
    progress : bool
        Show bars on a terminal.

    Returns
    -------
    Job

    Raises
    ------
    ValueError, OSError
        If weights or pictures cannot be used.
    """
    convolith.manual_seed(settings.seed)
    transform = ImageNetTransform(image_size(settings.model, settings.size))
    folder = ImageFolder(settings.data, transform=transform)
    seen, aside = train_test_split(folder, settings.validation, folder.labels, settings.seed)
    _check_split(settings, folder, seen, aside)
    model = load_network(settings.model, settings.weights, settings.model_options)
    head = replace_head(model, len(folder.classes))
    _freeze(model, head, settings.freeze)
    options = settings.model_options
    classifier = Classifier(settings.model, model, transform, folder.classes, options)
    training = DataLoader(seen, settings.batch_size, shuffle=True)
    validation = DataLoader(aside, settings.batch_size)
    if settings.augment:
        training = _augmented(settings, transform, seen)
    elif _head_alone_learns(model, head):
        training, validation = (
            DataLoader(_features(model, folder, part, progress), settings.batch_size, shuffle)
            for part, shuffle in ((seen, True), (aside, False))
        )
        model = _head_alone(model)
    optimizer = optim.Adam(parameter_groups(model, {f"{head}.*": settings.head_lr}), settings.lr)
    trainer = Trainer(
        model,
        optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs),
        directory=directory,
        config={CONFIG: classifier.config, "finetune": asdict(settings)},
        progress=progress,
        callbacks=[] if directory is None else [CSVLogger(Path(directory) / "history.csv")],
    )
    return Job(settings, classifier, trainer, training, validation)


def _check_split(settings: Settings, folder: ImageFolder, seen: Subset, aside: Subset) -> None:
    classes = len(folder.classes)
    if classes < 2:
        raise ValueError(f"{settings.data}: one class, expected a folder for each of several")
    if not len(aside) or len(np.unique(folder.labels[seen.indices])) < classes:
        raise ValueError(
            f"{settings.data}: {len(folder)} pictures of {classes} classes are too few to set "
            f"{settings.validation:.0%} aside"
        )


def _freeze(model: nn.Module, head: str, patterns: tuple[str, ...] | None) -> None:
    if patterns is None:
        freeze(model)
        unfreeze(model, f"{head}.*")
    elif patterns:
        freeze(model, *patterns)


def _augmented(settings: Settings, transform: ImageNetTransform, seen: Subset) -> DataLoader:
    """Random parts of the pictures and their mirror images, from a little beyond the middle."""
    side = transform.resize
    whole = ImageNetTransform(side, side, interpolation=transform.interpolation)
    pictures = Subset(ImageFolder(settings.data, transform=whole.crop), seen.indices)
    stages = [
        augment.RandomCrop(transform.size),
        augment.RandomHorizontalFlip(),
        augment.Normalize(transform.mean, transform.std),
    ]
    return DataLoader(pictures, settings.batch_size, shuffle=True, augment=augment.Compose(stages))


def _head_alone_learns(model: nn.Module, head: str) -> bool:
    """Whether nothing else does, and the logits are what it gives."""
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    own = {f"{head}.weight", f"{head}.bias"}
    return learning <= own and isinstance(find_head(model)[1], nn.Linear)


def _features(model: nn.Module, folder: ImageFolder, part: Subset, progress: bool) -> TensorDataset:
    features = extract_features(model, DataLoader(part, 32), progress=progress)
    return TensorDataset(features, folder.labels[part.indices])


def _head_alone(model: nn.Module) -> nn.Module:
    """`model`, all its parts shared, of which the last layer alone is run: on its features."""
    alone = copy.copy(model)
    alone.forward = find_head(model)[1].forward
    return alone
