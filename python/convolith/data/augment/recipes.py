"""Pipelines by name, for settings and command lines."""

from __future__ import annotations

from collections.abc import Callable

from convolith.data.augment.color import ToFloat
from convolith.data.augment.geometry import (
    ElasticDistortion,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
)
from convolith.data.augment.mix import Cutout
from convolith.data.augment.stage import Compose, Stage


def _affine(fill: float) -> RandomAffine:
    return RandomAffine(
        10, translate=(0.08, 0.08), scale=(0.9, 1.1), shear=5, interpolation="bilinear", fill=fill
    )


_RECIPES: dict[str, Callable[[float], list[Stage]]] = {
    "affine": lambda fill: [_affine(fill)],
    "mnist": lambda fill: [_affine(fill), ElasticDistortion(34, 5, fill=fill)],
    "cifar": lambda fill: [
        RandomCrop(32, 4, fill=fill),
        RandomHorizontalFlip(),
        Cutout(8, fill),
        ToFloat(),
    ],
}
AUGMENTATIONS = ("none", *_RECIPES)


def augmentation(name: str, fill: float = 0.0) -> Stage | None:
    """The pipeline of that name.

    Parameters
    ----------
    name : {'none', 'affine', 'mnist', 'cifar'}
        'affine' turns, shifts, scales and shears a little, as handwriting varies; 'mnist' distorts
        elastically, too (Simard et al. 2003); 'cifar' crops out of 4 pixels of padding, flips, and
        cuts a square of 8 pixels out (He et al. 2016; DeVries and Taylor 2017).
    fill : float
        What stands where there was no image, in the unit of the images: the value of black where
        they have been normalised.

    Returns
    -------
    Stage, or None for 'none'

    Raises
    ------
    ValueError
        If there is no such name.
    """
    if name not in AUGMENTATIONS:
        raise ValueError(f"augmentation: there is no {name!r}, only {', '.join(AUGMENTATIONS)}")
    return Compose(_RECIPES[name](fill)) if name in _RECIPES else None
