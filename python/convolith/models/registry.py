"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convolith import nn
from convolith._spelling import did_you_mean
from convolith.models.cnn import CNN
from convolith.models.lenet import LeNet5
from convolith.models.mobilenet import mobilenet_v1
from convolith.models.resnet import (
    resnet18,
    resnet20,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)


@dataclass(frozen=True)
class Entry:
    """What is known of a network.

    Parameters
    ----------
    build : callable
        Returns the network; takes at least ``num_classes``.
    image : (int, int, int)
        (C, H, W) of the images that it is meant for.
    parameters : int
        With the number of classes that it was published with.
    source : str
        The paper.
    """

    build: Callable[..., nn.Module]
    image: tuple[int, int, int]
    parameters: int
    source: str


_IMAGENET = (3, 224, 224)
_CIFAR = (3, 32, 32)
_RESNET = "He, Zhang, Ren and Sun 2015"

MODELS = {
    "lenet5": Entry(LeNet5, (1, 28, 28), 61_706, "LeCun, Bottou, Bengio and Haffner 1998"),
    "cnn": Entry(CNN, _CIFAR, 356_810, "three convolutions and two dense layers"),
    "mobilenet_v1": Entry(mobilenet_v1, _IMAGENET, 4_231_976, "Howard et al. 2017"),
    "resnet18": Entry(resnet18, _IMAGENET, 11_689_512, _RESNET),
    "resnet34": Entry(resnet34, _IMAGENET, 21_797_672, _RESNET),
    "resnet50": Entry(resnet50, _IMAGENET, 25_557_032, _RESNET),
    "resnet101": Entry(resnet101, _IMAGENET, 44_549_160, _RESNET),
    "resnet152": Entry(resnet152, _IMAGENET, 60_192_808, _RESNET),
    "resnet20": Entry(resnet20, _CIFAR, 269_722, _RESNET),
}


def list_models() -> list[str]:
    """The names that `get_model` knows, sorted."""
    return sorted(MODELS)


def model_entry(name: str) -> Entry:
    """What is known of the network `name`.

    Raises
    ------
    ValueError
        If there is no such network; it names the nearest that there is.
    """
    if name not in MODELS:
        raise ValueError(f"models: there is no {name!r}{did_you_mean(name, MODELS)}")
    return MODELS[name]


def get_model(name: str, **options: Any) -> nn.Module:
    """A network by its name, with new parameters.

    Parameters
    ----------
    name : str
        One of `list_models`.
    **options
        What its function takes, such as ``num_classes``.

    Returns
    -------
    Module

    Raises
    ------
    ValueError
        If there is no such network; it names the nearest that there is.
    """
    return model_entry(name).build(**options)
