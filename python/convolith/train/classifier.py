"""Networks that name what is on pictures: with weights from elsewhere, or of a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import primitives
from convolith.data import ImageNetTransform, imagenet_classes
from convolith.data.imagenet import Interpolation
from convolith.models import get_model, model_entry
from convolith.nn import Module
from convolith.nn.utils import find_head, replace_head
from convolith.tensor import Tensor, no_grad
from convolith.train.checkpoint import load_checkpoint
from convolith.train.state import averages, load_arrays
from convolith.weights import load_weights, read_weights

CONFIG = "classifier"  # the entry of a checkpoint's config


@dataclass(frozen=True)
class Classifier:
    """A network, what its pictures go through, and the names of its classes.

    Parameters
    ----------
    name : str
        Of the network, as `models.get_model` knows it.
    model : Module
    transform : ImageNetTransform
    classes : list of str
    options : dict
        What the network's function was called with.
    """

    name: str
    model: Module
    transform: ImageNetTransform
    classes: list[str]
    options: dict[str, Any]

    def probabilities(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Of each class (classes), of a picture that went through `transform`."""
        with no_grad():
            logits = self.model(Tensor(image[None])).numpy()
        return np.asarray(primitives.softmax_forward(logits.astype(np.float64))[0])

    @property
    def config(self) -> dict[str, Any]:
        """What `load_classifier` has to find in a checkpoint, under "classifier"."""
        return {
            "model": self.name,
            "options": self.options,
            "transform": vars(self.transform),
            "classes": self.classes,
        }


def pretrained(
    name: str,
    weights: str | os.PathLike[str],
    classes: Sequence[str] | None = None,
    size: int | None = None,
    interpolation: Interpolation = "bilinear",
    **options: Any,
) -> Classifier:
    """A network by its name with weights from a file, in evaluation mode.

    Parameters
    ----------
    name : str
        One of `models.list_models`, for pictures in colour.
    weights : path
        A file that `weights.read_weights` reads; how many classes there are it says.
    classes : sequence of str, optional
        Their names; those of ImageNet if not given.
    size : int, optional
        Of the pictures; that of the registry if not given.
    interpolation : str
        See `ImageNetTransform`.
    **options
        For `models.get_model`: torchvision's weights for GoogLeNet and Inception v3 need
        ``transform_input=True``.

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError
        If there is no such network, it is not for pictures in colour, the weights do not fit it, or
        there are more or fewer names than classes.
    OSError
        If the weights cannot be read.
    """
    transform = ImageNetTransform(image_size(name, size), interpolation=interpolation)
    model = load_network(name, weights, options)
    names = imagenet_classes() if classes is None else list(classes)
    outputs = len(find_head(model)[1].weight)
    if len(names) != outputs:
        raise ValueError(
            f"{weights}: weights for {outputs} classes, and there are {len(names)} names"
        )
    return Classifier(name, model, transform, names, options)


def image_size(name: str, size: int | None = None) -> int:
    """`size`, or if not given height and width of what the network `name` is meant for.

    Raises
    ------
    ValueError
        If there is no such network, or it is not for pictures in colour.
    """
    channels, height, _ = model_entry(name).image
    if channels != 3:
        raise ValueError(f"{name}: it is for images of {channels} channel, and pictures have 3")
    return size or height


def load_network(name: str, weights: str | os.PathLike[str], options: Mapping[str, Any]) -> Module:
    """The network `name` with weights from a file, for as many classes as they are for.

    In evaluation mode; errors are those of `pretrained`.
    """
    arrays = read_weights(weights)
    model = get_model(name, **options)
    head, layer = find_head(model)
    outputs = len(arrays.get(f"{head}.weight", layer.weight))
    if outputs != len(layer.weight):
        model = get_model(name, **{**options, "num_classes": outputs})
    try:
        load_weights(model, arrays)
    except ValueError as error:
        raise ValueError(f"{weights}: {error}") from error
    return model.eval()


def load_classifier(path: str | os.PathLike[str]) -> Classifier:
    """The network in a checkpoint of `convolith finetune`, in evaluation mode.

    Parameters
    ----------
    path : path

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError, OSError
        If it is no such checkpoint, or cannot be read.
    """
    arrays, info = load_checkpoint(path)
    if CONFIG not in info.get("config", {}):
        raise ValueError(f"{path}: a checkpoint of convolith, but not of `convolith finetune`")
    config = info["config"][CONFIG]
    model = get_model(config["model"], **config["options"]).eval()
    replace_head(model, len(config["classes"]))
    load_arrays(model, {**arrays, **averages(arrays)}, path)
    transform = ImageNetTransform(**config["transform"])
    return Classifier(config["model"], model, transform, config["classes"], config["options"])
