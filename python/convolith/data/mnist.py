"""The MNIST digits: the full files from a directory, or the subset that comes with the package."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from convolith.data.dataset import TensorDataset
from convolith.data.idx import read_idx
from convolith.data.network import download as fetch

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


class _IDX(TensorDataset):
    """Images (N, 1, 28, 28) uint8 and labels (N,) int64 from two of the four files."""

    URL = ""
    MD5: tuple[str, ...] = ()  # of FILES, gzipped
    classes: tuple[str, ...] = ()

    def __init__(
        self, root: str | os.PathLike[str], train: bool = True, download: bool = False
    ) -> None:
        folder, which = Path(root), slice(0, 2) if train else slice(2, 4)
        for name, md5 in zip(FILES[which], self.MD5[which], strict=True):
            if download and not (folder / name).is_file():
                packed = f"{name}.gz"
                fetch(self.URL + packed, folder / packed, md5=md5, progress=True)
        super().__init__(*_load(folder, FILES[which]))

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """(N, 1, 28, 28)."""
        return self.arrays[0]

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,)."""
        return self.arrays[1]


class MNIST(_IDX):
    """70,000 handwritten digits of 28x28, 10,000 of them for testing (LeCun et al. 1998).

    Parameters
    ----------
    root : path
        Folder of the files, under their usual names, gzipped or not.
    train : bool
        The training images, or the test images.
    download : bool
        Fetch what is not there (10 MB); MD5 sums are checked.

    Attributes
    ----------
    images : (N, 1, 28, 28) uint8
        White ink on black.
    labels : (N,) int64
    classes : tuple of str

    Raises
    ------
    FileNotFoundError
        Naming the file that is missing.
    ValueError
        Naming the file that is corrupt.
    """

    URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    MD5 = (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    )
    classes = tuple("0123456789")


class FashionMNIST(_IDX):
    """70,000 pictures of clothes in 10 classes, in the form of MNIST (Xiao et al. 2017).

    Parameters
    ----------
    root : path
        Folder of the files, under their usual names, gzipped or not: not that of MNIST's, whose
        names are the same.
    train : bool
        The training images, or the test images.
    download : bool
        Fetch what is not there (30 MB); MD5 sums are checked.

    Attributes
    ----------
    images : (N, 1, 28, 28) uint8
    labels : (N,) int64
    classes : tuple of str

    Raises
    ------
    FileNotFoundError
        Naming the file that is missing.
    ValueError
        Naming the file that is corrupt.
    """

    URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    MD5 = (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )
    classes = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )


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
    folder = Path(directory)
    return Digits(*_load(folder, FILES[:2]), *_load(folder, FILES[2:]))


def load_digits() -> Digits:
    """The digits that come with the package: 10,000 for training and 2,000 for testing.

    The first 10,000 training images and every fifth test image of MNIST; see data/digits/README.md.

    Returns
    -------
    Digits
    """
    return load_mnist(Path(__file__).parent / "digits")


def _load(
    folder: Path, names: Sequence[str]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (N, 1, H, W) and labels (N,) from two files."""
    paths = [_find(folder, name) for name in names]
    images, labels = map(read_idx, paths)
    _check(images, labels, paths)
    return images[:, None], labels.astype(np.int64)


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
