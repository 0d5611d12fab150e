"""The networks that are measured, with the weights and images that all libraries get."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Model:
    """How a network is trained.

    Parameters
    ----------
    image : tuple of int
        (C, H, W).
    classes : int
    batch_size : int
        In training.
    steps : int
        Of training in one repetition: enough for tens of milliseconds.
    """

    image: tuple[int, int, int]
    classes: int
    batch_size: int
    steps: int


MODELS = {
    "lenet5": Model((1, 28, 28), 10, 64, 60),
    "resnet20": Model((3, 32, 32), 10, 128, 2),
    "resnet18": Model((3, 224, 224), 1000, 16, 1),
    "resnet50": Model((3, 224, 224), 1000, 8, 1),
    "mobilenet_v1": Model((3, 224, 224), 1000, 16, 1),
}

Weights = dict[str, np.ndarray]
Batches = list[tuple[np.ndarray, np.ndarray]]


def ours(model: str) -> Any:
    """Our network of that name, with the same weights at every call."""
    import convolith
    from convolith import models

    convolith.manual_seed(0)
    return models.get_model(model)


def weights(model: str) -> Weights:
    """One set of weights for all libraries; the keys are common to them."""
    return {name: np.array(w.numpy()) for name, w in ours(model).state_dict().items()}


def batches(model: str, batch_size: int | None = None) -> Batches:
    """Images (N, C, H, W) and labels (N): digits for LeNet-5, noise for the others."""
    about = replace(MODELS[model], batch_size=batch_size or MODELS[model].batch_size)
    count = about.steps * about.batch_size
    if model == "lenet5":
        from convolith.data import Normalize, load_digits

        digits = load_digits()
        order = np.arange(count) % len(digits.train_images)
        images = Normalize.fit(digits.train_images)(digits.train_images)[order]
        labels = digits.train_labels[order]
    else:
        rng = np.random.default_rng(0)
        images = rng.standard_normal((count, *about.image), dtype=np.float32)
        labels = rng.integers(about.classes, size=count)
    starts = range(0, count, about.batch_size)
    return [(images[i : i + about.batch_size], labels[i : i + about.batch_size]) for i in starts]


def add_models_argument(job: argparse.ArgumentParser, known: Sequence[str]) -> None:
    """The choice of networks."""
    job.add_argument(
        "--models", nargs="+", default=list(known), choices=known, metavar="MODEL",
        help=f"by default all of {', '.join(known)}",
    )  # fmt: skip
