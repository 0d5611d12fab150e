"""Pictures in files, and one of a digit, brought to the form of MNIST."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt


def pillow() -> Any:
    """The module PIL.Image."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("reading pictures needs Pillow: pip install pillow") from error
    return Image


def read_picture(path: str | os.PathLike[str], mode: str = "RGB") -> Any:
    """The picture in a file, upright as its EXIF data says; what is transparent is white paper.

    Parameters
    ----------
    path : path
    mode : {'RGB', 'L'}
        Colour, or grey.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ValueError
        If it is no picture, or a broken one.
    OSError
        If it cannot be opened.
    ImportError
        If Pillow is missing.
    """
    Image = pillow()
    from PIL import ImageOps

    try:
        with Image.open(path) as file:
            return without_transparency(ImageOps.exif_transpose(file)).convert(mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # it is not there, or may not be read
        raise ValueError(f"{path}: not a picture that Pillow can read: {error}") from error


def without_transparency(picture: Any) -> Any:
    """`picture` on white paper, where it lets through; else itself."""
    if "transparency" not in picture.info and picture.mode not in ("LA", "PA", "RGBA"):
        return picture
    layered = picture.convert("RGBA")
    return pillow().alpha_composite(pillow().new("RGBA", layered.size, "white"), layered)


def load_digit_image(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Read a picture of one digit and prepare it as MNIST was: light ink on black, 20x20 in 28x28.

    Colour becomes grey, transparency white paper, and dark ink on a light ground is inverted. The
    digit is cut out, its longer side scaled to 20 pixels, and its centre of mass put in the centre
    of the 28x28 image (LeCun, Bottou, Bengio and Haffner 1998, section III.A). A picture of 28x28
    is taken to be prepared already.

    Parameters
    ----------
    path : path
        Any size and any format that Pillow reads.

    Returns
    -------
    array
        (28, 28) uint8.

    Raises
    ------
    ValueError
        If it is no picture, or an empty one.
    ImportError
        If Pillow is missing.
    """
    Image = pillow()
    try:
        with Image.open(path) as picture:
            layered = picture.convert("RGBA")
    except (Image.UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a picture that Pillow can read") from error
    paper = Image.new("RGBA", layered.size, "white")
    grey = np.asarray(Image.alpha_composite(paper, layered).convert("L"))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = 255 - grey if np.median(border) > 127 else grey
    if ink.shape == (28, 28):
        return ink
    ink = np.where(ink > 40, ink, 0).astype(np.uint8)  # without the grain of paper and camera
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not rows.size:
        raise ValueError(f"{path}: the picture is empty: no digit stands out from its ground")
    cut = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = 20 / max(cut.size)
    size = [max(1, round(side * scale)) for side in cut.size]
    small = np.asarray(cut.resize((size[0], size[1]), Image.Resampling.LANCZOS))
    return _centred(small)


def _centred(digit: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`digit` in the middle of 28x28, by its centre of mass."""
    canvas = np.zeros((28, 28), np.uint8)
    mass = digit.sum(dtype=np.float64)
    corner = []
    for axis, side in enumerate(digit.shape):
        centre = (digit.sum(1 - axis) * (np.arange(side) + 0.5)).sum() / mass
        corner.append(int(np.clip(round(14 - centre), 0, 28 - side)))
    top, left = corner
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return canvas
