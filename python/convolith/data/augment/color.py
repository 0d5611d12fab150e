"""What pixels are: colours, noise, and the scale of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import primitives
from convolith.data.augment.stage import Draws, ImageStage, to_float

Array = npt.NDArray[Any]
Range = float | tuple[float, float]


class ToFloat(ImageStage):
    """Bytes to float32 from 0 to 1; floating images stay as they are."""

    def change(self, images: Array, draws: Draws) -> Array:
        return to_float(images)


class Normalize(ImageStage):
    """``(x - mean) / std`` per channel; bytes count from 0 to 1.

    Parameters
    ----------
    mean, std : float or sequence of float
        One for each channel, or one for all.
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean = mean
        self.std = std

    def change(self, images: Array, draws: Draws) -> Array:
        white, dtype = (255, np.float32) if images.dtype == np.uint8 else (1, images.dtype)
        channels = images.shape[1]
        mean, std = (
            np.broadcast_to(white * np.asarray(v, np.float64), channels).astype(dtype)
            for v in (self.mean, self.std)
        )
        return primitives.normalize_images_forward(images, mean, std)


class Standardize(ImageStage):
    """Every image minus its own mean, by its own standard deviation."""

    def change(self, images: Array, draws: Draws) -> Array:
        return primitives.standardize_images_forward(to_float(images))


class ColorJitter(ImageStage):
    """Brightness, contrast, saturation and hue, in a random order for each image.

    Parameters
    ----------
    brightness, contrast, saturation : float or (least, most)
        Factors; one number b stands for max(0, 1 - b) to 1 + b.
    hue : float or (least, most)
        Turns, of a whole circle; one number stands for both signs, up to 0.5.

    Notes
    -----
    Names and meaning are torchvision's. Grey images have neither saturation nor hue.
    """

    def __init__(
        self,
        brightness: Range = 0.0,
        contrast: Range = 0.0,
        saturation: Range = 0.0,
        hue: Range = 0.0,
    ) -> None:
        self.brightness = _factors("brightness", brightness)
        self.contrast = _factors("contrast", contrast)
        self.saturation = _factors("saturation", saturation)
        self.hue = (-hue, hue) if isinstance(hue, (int, float)) else hue
        if not -0.5 <= self.hue[0] <= self.hue[1] <= 0.5:
            raise ValueError(f"ColorJitter: hue is {hue}, expected turns in [-0.5, 0.5]")

    def change(self, images: Array, draws: Draws) -> Array:
        images = to_float(images)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        factors = np.stack([draws.between(*r) for r in ranges], axis=1)
        order = draws.uniform(4).argsort(axis=1)
        return primitives.color_jitter_forward(images, factors.astype(images.dtype), order)


def _factors(name: str, value: Range) -> tuple[float, float]:
    low, high = (
        (max(0.0, 1 - value), 1 + value) if isinstance(value, (int, float)) else tuple(value)
    )
    if not 0 <= low <= high:
        raise ValueError(f"ColorJitter: {name} is {value}, expected 0 <= least <= most")
    return low, high


class GaussianNoise(ImageStage):
    """Adds normally distributed noise.

    Parameters
    ----------
    mean, sigma : float
        Of the noise; bytes count from 0 to 1.
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1) -> None:
        if not sigma >= 0:
            raise ValueError(f"GaussianNoise: sigma is {sigma}, expected at least 0")
        self.mean = mean
        self.sigma = sigma

    def change(self, images: Array, draws: Draws) -> Array:
        images = to_float(images)
        noise: Array = draws.normal(images.shape[1:]).astype(images.dtype, copy=False)
        noise *= self.sigma
        noise += self.mean
        noise += images
        return noise
