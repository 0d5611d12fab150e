"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convolith import nn
from convolith._spelling import did_you_mean
from convolith.models.alexnet import alexnet, alexnet_2012
from convolith.models.cnn import CNN
from convolith.models.efficientnet import (
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_lite0,
)
from convolith.models.googlenet import googlenet
from convolith.models.inception import inception_v3
from convolith.models.lenet import LeNet5
from convolith.models.mobilenet import mobilenet_v1
from convolith.models.mobilenet_v2 import mobilenet_v2
from convolith.models.resnet import (
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
)
from convolith.models.resnet9 import resnet9
from convolith.models.squeezenet import squeezenet1_0, squeezenet1_1
from convolith.models.vgg import (
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
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
_EFFICIENTNET = "Tan and Le 2019"
_SQUEEZENET = "Iandola et al. 2016"
_VGG = "Simonyan and Zisserman 2014"

MODELS = {
    "alexnet": Entry(alexnet, _IMAGENET, 61_100_840, "Krizhevsky 2014"),
    "alexnet_2012": Entry(
        alexnet_2012, (3, 227, 227), 60_965_224, "Krizhevsky, Sutskever and Hinton 2012"
    ),
    "cnn": Entry(CNN, _CIFAR, 356_810, "three convolutions and two dense layers"),
    "efficientnet_b0": Entry(efficientnet_b0, _IMAGENET, 5_288_548, _EFFICIENTNET),
    "efficientnet_b1": Entry(efficientnet_b1, (3, 240, 240), 7_794_184, _EFFICIENTNET),
    "efficientnet_b2": Entry(efficientnet_b2, (3, 260, 260), 9_109_994, _EFFICIENTNET),
    "efficientnet_b3": Entry(efficientnet_b3, (3, 300, 300), 12_233_232, _EFFICIENTNET),
    "efficientnet_lite0": Entry(efficientnet_lite0, _IMAGENET, 4_652_008, "Liu 2020"),
    "googlenet": Entry(googlenet, _IMAGENET, 13_004_888, "Szegedy et al. 2014"),
    "inception_v3": Entry(inception_v3, (3, 299, 299), 27_161_264, "Szegedy et al. 2015"),
    "lenet5": Entry(LeNet5, (1, 28, 28), 61_706, "LeCun, Bottou, Bengio and Haffner 1998"),
    "mobilenet_v1": Entry(mobilenet_v1, _IMAGENET, 4_231_976, "Howard et al. 2017"),
    "mobilenet_v2": Entry(mobilenet_v2, _IMAGENET, 3_504_872, "Sandler et al. 2018"),
    "resnet9": Entry(resnet9, _CIFAR, 6_573_120, "Page 2018"),
    "resnet18": Entry(resnet18, _IMAGENET, 11_689_512, _RESNET),
    "resnet20": Entry(resnet20, _CIFAR, 269_722, _RESNET),
    "resnet32": Entry(resnet32, _CIFAR, 464_154, _RESNET),
    "resnet34": Entry(resnet34, _IMAGENET, 21_797_672, _RESNET),
    "resnet44": Entry(resnet44, _CIFAR, 658_586, _RESNET),
    "resnet50": Entry(resnet50, _IMAGENET, 25_557_032, _RESNET),
    "resnet56": Entry(resnet56, _CIFAR, 853_018, _RESNET),
    "resnet101": Entry(resnet101, _IMAGENET, 44_549_160, _RESNET),
    "resnet110": Entry(resnet110, _CIFAR, 1_727_962, _RESNET),
    "resnet152": Entry(resnet152, _IMAGENET, 60_192_808, _RESNET),
    "squeezenet1_0": Entry(squeezenet1_0, _IMAGENET, 1_248_424, _SQUEEZENET),
    "squeezenet1_1": Entry(squeezenet1_1, _IMAGENET, 1_235_496, _SQUEEZENET),
    "vgg11": Entry(vgg11, _IMAGENET, 132_863_336, _VGG),
    "vgg13": Entry(vgg13, _IMAGENET, 133_047_848, _VGG),
    "vgg16": Entry(vgg16, _IMAGENET, 138_357_544, _VGG),
    "vgg19": Entry(vgg19, _IMAGENET, 143_667_240, _VGG),
    "vgg11_bn": Entry(vgg11_bn, _IMAGENET, 132_868_840, _VGG),
    "vgg13_bn": Entry(vgg13_bn, _IMAGENET, 133_053_736, _VGG),
    "vgg16_bn": Entry(vgg16_bn, _IMAGENET, 138_365_992, _VGG),
    "vgg19_bn": Entry(vgg19_bn, _IMAGENET, 143_678_248, _VGG),
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
