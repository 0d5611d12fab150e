"""Pictures as networks for ImageNet take them, and the names of its classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from convolith.data.image import pillow, read_picture, without_transparency

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

MEAN = (0.485, 0.456, 0.406)  # of the training images, in [0, 1]
STD = (0.229, 0.224, 0.225)


class ImageNetTransform:
    """A picture to (3, size, size) float32, as networks were evaluated on ImageNet.

    The shorter side is scaled to `resize` by Pillow, which smooths where it shrinks, the middle cut
    out, bytes become numbers from 0 to 1 and are normalised: torchvision's pipeline, whose bits the
    result has. Files are turned upright as their EXIF data says, grey becomes RGB, and what is
    transparent white paper.

    Parameters
    ----------
    size : int
        Height and width of the result.
    resize : int, optional
        Of the shorter side, at least `size`; 8/7 of it if not given: 256 for 224.
    mean, std : sequence of float
        Of each channel, in [0, 1]; those of ImageNet if not given.
    interpolation : {'nearest', 'bilinear', 'bicubic', 'lanczos'}
        Weights for EfficientNet expect 'bicubic', most others 'bilinear'.

    Raises
    ------
    ValueError
        If an argument is out of range; for a picture, naming its file, if it cannot be read.
    ImportError
        If Pillow is missing.
    """

    def __init__(
        self,
        size: int = 224,
        resize: int | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        interpolation: Interpolation = "bilinear",
    ) -> None:
        pillow()
        if size < 1:
            raise ValueError(f"ImageNetTransform: size is {size}, expected at least 1")
        resize = round(size * 256 / 224) if resize is None else resize
        if resize < size:
            raise ValueError(
                f"ImageNetTransform: resize is {resize}, expected at least the size, {size}"
            )
        if interpolation not in get_args(Interpolation):
            raise ValueError(
                f"ImageNetTransform: interpolation is {interpolation!r}, "
                f"expected one of {', '.join(get_args(Interpolation))}"
            )
        self.size = size
        self.resize = resize
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation: Interpolation = interpolation

    def __call__(self, picture: Any) -> npt.NDArray[np.float32]:
        """The picture, see `crop`, normalised: (3, size, size)."""
        return self.normalize(self.crop(picture))

    def crop(self, picture: Any) -> npt.NDArray[np.uint8]:
        """The part of the picture that the network gets to see, as bytes.

        Parameters
        ----------
        picture : path, PIL.Image.Image, or (3, H, W) uint8

        Returns
        -------
        (3, size, size) uint8
        """
        Image = pillow()
        image = _rgb(picture)
        short = min(image.size)
        w, h = (int(self.resize * side / short) for side in image.size)
        method = getattr(Image.Resampling, self.interpolation.upper())
        image = image.resize((w, h), method)
        left, top = round((w - self.size) / 2), round((h - self.size) / 2)
        image = image.crop((left, top, left + self.size, top + self.size))
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))

    def normalize(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Bytes (..., 3, H, W) to ``(x / 255 - mean) / std``."""
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std))
        return np.asarray((images / np.float32(255) - mean) / std, np.float32)


def _rgb(picture: Any) -> Any:
    """`picture` as one of Pillow's in RGB."""
    Image = pillow()
    if isinstance(picture, str | os.PathLike):
        return read_picture(picture)
    if isinstance(picture, Image.Image):
        return without_transparency(picture).convert("RGB")
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or len(array) != 3:
        raise ValueError(
            f"ImageNetTransform: the picture is {array.shape} {array.dtype}, expected "
            "a file, a picture of Pillow, or (3, H, W) uint8"
        )
    return Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0)))


def imagenet_classes() -> list[str]:
    """Short names of the 1000 classes, in the order of the outputs of pretrained networks.

    They are the classes of the ImageNet challenge of 2012 (Russakovsky et al. 2015), synsets of
    WordNet in the order of their numbers, under the names that torchvision lists with its weights.
    """
    return Path(__file__).with_name("imagenet_classes.txt").read_text("utf-8").splitlines()
