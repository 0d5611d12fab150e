"""Augmentation of batches, in compiled code: random windows, maps, colours, noise, and mixtures.

A stage takes images (N, C, H, W), uint8 or floating, and labels, and gives both back. `Compose`
strings stages together, and `DataLoader(augment=)` runs them in its workers. What a stage draws for
an image depends on the seed, the epoch and the image alone: neither on threads nor on the batch.

Crops and flips leave bytes as they are. Whatever computes makes them float32 from 0 to 1 first, so
that fills, means and deviations are on that scale.
"""

from convolith.data.augment.color import (
    ColorJitter,
    GaussianNoise,
    Normalize,
    Standardize,
    ToFloat,
)
from convolith.data.augment.geometry import (
    ElasticDistortion,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
)
from convolith.data.augment.mix import CutMix, Cutout, MixUp, RandomErasing
from convolith.data.augment.recipes import augmentation
from convolith.data.augment.stage import Compose, Draws, Stage

__all__ = [
    "ColorJitter",
    "Compose",
    "CutMix",
    "Cutout",
    "Draws",
    "ElasticDistortion",
    "GaussianNoise",
    "MixUp",
    "Normalize",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomVerticalFlip",
    "Stage",
    "Standardize",
    "ToFloat",
    "augmentation",
]
