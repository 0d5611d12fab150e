"""Pictures in folders, one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.data.image import pillow, read_picture

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


class ImageFolder:
    """Pictures under ``root/class/``: images (N, C, H, W) uint8 and labels (N,) int64.

    Classes are the names of the folders in root, sorted; pictures are taken from each and from the
    folders in it, sorted as well. They are read when they are asked for, with Pillow, and upright
    as their EXIF data says.

    Parameters
    ----------
    root : path
    size : int or (height, width), optional
        Scale every picture to that size; without it all have to be of one size.
    mode : {'RGB', 'L'}
        Colour, or grey.
    transform : callable, optional
        ``transform(image)`` changes each (C, H, W) array.

    Attributes
    ----------
    classes : list of str
    files : list of Path
    labels : (N,) int64

    Raises
    ------
    FileNotFoundError
        If there are no folders, or no pictures in one.
    ValueError
        Naming the picture that cannot be read, or is of another size than the first of its batch.
    ImportError
        If Pillow is missing.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        size: int | tuple[int, int] | None = None,
        mode: str = "RGB",
        transform: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None,
    ) -> None:
        pillow()
        folders = sorted(entry for entry in Path(root).iterdir() if entry.is_dir())
        if not folders:
            raise FileNotFoundError(f"{root}: holds no folders, expected one for each class")
        self.classes = [folder.name for folder in folders]
        self.files: list[Path] = []
        counts = []
        for folder in folders:
            found = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
            if not found:
                raise FileNotFoundError(f"{folder}: holds no pictures ({', '.join(SUFFIXES)})")
            self.files += found
            counts.append(len(found))
        self.labels = np.repeat(np.arange(len(folders)), counts)
        self.size = (size, size) if isinstance(size, int) else size
        self.mode = mode
        self.transform = transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(
        self, index: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        files = [self.files[i] for i in index]
        images = [self._read(file) for file in files]
        for file, image in zip(files, images, strict=True):
            if image.shape != images[0].shape:
                raise ValueError(
                    f"{file}: is {image.shape}, but {files[0]} of the same batch is "
                    f"{images[0].shape}; size= scales them"
                )
        return np.stack(images), self.labels[index]

    def _read(self, path: Path) -> npt.NDArray[Any]:
        """(C, H, W)."""
        picture = read_picture(path, self.mode)
        if self.size:
            picture = picture.resize(self.size[::-1], pillow().Resampling.BILINEAR)
        array = np.asarray(picture)
        image = np.ascontiguousarray(np.atleast_3d(array).transpose(2, 0, 1))
        return image if self.transform is None else self.transform(image)
