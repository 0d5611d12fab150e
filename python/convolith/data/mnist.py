"""The MNIST digits: the full files from a directory, or the subset that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from convolith.data.idx import read_idx

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Digits(NamedTuple):
    """Handwritten digits: images (N, 1, H, W) uint8, white ink on black; labels (N) int64."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]


def load_mnist(directory: str | os.PathLike[str]) -> Digits:
    """The four MNIST files in `directory`, under their usual names, gzipped or not.

    Parameters
    ----------
    directory : path

    Returns
    -------
    Digits

    Raises
    ------
    FileNotFoundError
        Naming the file that is missing.
    ValueError
        If a file is corrupt, or images and labels do not belong together.
    """
    paths = [_find(Path(directory), name) for name in FILES]
    train_images, train_labels, test_images, test_labels = map(read_idx, paths)
    _check(train_images, train_labels, paths[:2])
    _check(test_images, test_labels, paths[2:])
    return Digits(
        train_images[:, None],
        train_labels.astype(np.int64),
        test_images[:, None],
        test_labels.astype(np.int64),
    )


def load_digits() -> Digits:
    """The digits that come with the package: 10,000 for training and 2,000 for testing.

    The first 10,000 training images and every fifth test image of MNIST; see data/digits/README.md.

    Returns
    -------
    Digits
    """
    return load_mnist(Path(__file__).parent / "digits")


def _find(directory: Path, name: str) -> Path:
    for path in (directory / f"{name}.gz", directory / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{directory}: no file {name} or {name}.gz there")


def _check(images: npt.NDArray[Any], labels: npt.NDArray[Any], paths: list[Path]) -> None:
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"{paths[0]}: holds {images.dtype} {images.shape}, expected uint8 images (N, H, W)"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{paths[1]}: holds labels {labels.shape} for images {images.shape} in {paths[0].name}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() <= 9:
        worst = labels.max() if labels.max() > 9 else labels.min()
        raise ValueError(f"{paths[1]}: holds the label {worst}, expected digits 0 to 9")
