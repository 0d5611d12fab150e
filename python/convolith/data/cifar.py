"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), from the binary or the Python files, packed or not."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.data.dataset import TensorDataset
from convolith.data.network import download as fetch
from convolith.data.pickles import read_pickle

Array = npt.NDArray[Any]
URL = "https://www.cs.toronto.edu/~kriz/"
IMAGE = (3, 32, 32)
PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Release:
    """One of the official archives."""

    archive: str
    md5: str
    folder: str  # in the archive
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: Mapping[str, str]  # of the classes, for each kind of label: file, or file and key


BATCHES = range(1, 6)
CIFAR10_RELEASES = (
    Release(
        "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-batches-bin",
        tuple(f"data_batch_{i}.bin" for i in BATCHES),
        ("test_batch.bin",),
        {"labels": "batches.meta.txt"},
    ),
    Release(
        "cifar-10-python.tar.gz",
        "c58f30108f718f92721af3b95e74349a",
        "cifar-10-batches-py",
        tuple(f"data_batch_{i}" for i in BATCHES),
        ("test_batch",),
        {"labels": "batches.meta:label_names"},
    ),
)
CIFAR100_RELEASES = (
    Release(
        "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
        "cifar-100-binary",
        ("train.bin",),
        ("test.bin",),
        {"coarse_labels": "coarse_label_names.txt", "fine_labels": "fine_label_names.txt"},
    ),
    Release(
        "cifar-100-python.tar.gz",
        "eb9058c3a382ffc7106e4002c42a8d85",
        "cifar-100-python",
        ("train",),
        ("test",),
        {
            "coarse_labels": "meta:coarse_label_names",
            "fine_labels": "meta:fine_label_names",
        },
    ),
)


class _CIFAR(TensorDataset):
    """Images (N, 3, 32, 32) uint8 and labels (N,) int64, with the names of the classes."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool,
        download: bool,
        releases: Sequence[Release],
        kind: str,
    ) -> None:
        folder = Path(root)
        if download and not any(_place(folder, release) for release in releases):
            archive, md5 = releases[0].archive, releases[0].md5
            fetch(URL + archive, folder / archive, md5=md5, progress=True)
        release, place = _first(folder, releases)
        wanted = release.train if train else release.test
        meta = release.names[kind]
        raw = _read(place, release, [*wanted, meta.split(":")[0]])
        self.classes = _names(raw, meta, place)
        batches = [
            _batch(raw[name], place / name, tuple(release.names), kind, len(self.classes))
            for name in wanted
        ]
        images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        super().__init__(images, labels)

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """(N, 3, 32, 32)."""
        return self.arrays[0]

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,)."""
        return self.arrays[1]


class CIFAR10(_CIFAR):
    """60,000 colour photographs of 32x32 in 10 classes, 10,000 of them for testing.

    Parameters
    ----------
    root : path
        Folder of an official archive, cifar-10-binary.tar.gz or cifar-10-python.tar.gz, or of what
        it unpacks to. Archives need not be unpacked.
    train : bool
        The training images, or the test images.
    download : bool
        Fetch the archive (170 MB) if there is none; its MD5 sum is checked.

    Attributes
    ----------
    images : (N, 3, 32, 32) uint8
    labels : (N,) int64
    classes : list of str

    Raises
    ------
    FileNotFoundError
        If there is none of these files.
    ValueError
        Naming the file that is corrupt.
    """

    def __init__(
        self, root: str | os.PathLike[str], train: bool = True, download: bool = False
    ) -> None:
        super().__init__(root, train, download, CIFAR10_RELEASES, "labels")


class CIFAR100(_CIFAR):
    """60,000 colour photographs of 32x32 in 100 classes or 20 groups of them, 10,000 for testing.

    Parameters
    ----------
    root : path
        Folder of an official archive, cifar-100-binary.tar.gz or cifar-100-python.tar.gz, or of
        what it unpacks to. Archives need not be unpacked.
    train : bool
        The training images, or the test images.
    download : bool
        Fetch the archive (170 MB) if there is none; its MD5 sum is checked.
    coarse : bool
        Labels are the 20 groups, not the 100 classes.

    Attributes
    ----------
    images : (N, 3, 32, 32) uint8
    labels : (N,) int64
    classes : list of str

    Raises
    ------
    FileNotFoundError
        If there is none of these files.
    ValueError
        Naming the file that is corrupt.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        download: bool = False,
        coarse: bool = False,
    ) -> None:
        kind = "coarse_labels" if coarse else "fine_labels"
        super().__init__(root, train, download, CIFAR100_RELEASES, kind)


def _place(root: Path, release: Release) -> Path | None:
    """Where the release is: a folder of its files, or its archive."""
    for folder in (root / release.folder, root):
        if all((folder / name).is_file() for name in (*release.train, *release.test)):
            return folder
    archive = root / release.archive
    return archive if archive.is_file() else None


def _first(root: Path, releases: Sequence[Release]) -> tuple[Release, Path]:
    for release in releases:
        if place := _place(root, release):
            return release, place
    known = " or ".join(f"{r.folder} or {r.archive}" for r in releases)
    raise FileNotFoundError(f"{root}: there is no {known}; download=True fetches the first archive")


def _read(place: Path, release: Release, names: Sequence[str]) -> dict[str, bytes]:
    """The files of those names, in one pass over an archive."""
    if place.is_dir():
        return {name: (place / name).read_bytes() for name in names}
    wanted = {f"{release.folder}/{name}": name for name in names}
    raw: dict[str, bytes] = {}
    try:
        with tarfile.open(place) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name in wanted else None
                if file:
                    raw[wanted[member.name]] = file.read()
                if len(raw) == len(wanted):
                    return raw
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{place}: corrupt or truncated archive: {error}") from error
    missing = ", ".join(sorted(wanted.keys() - {f"{release.folder}/{name}" for name in raw}))
    raise ValueError(f"{place}: the archive lacks {missing}")


def _names(raw: Mapping[str, bytes], meta: str, place: Path) -> list[str]:
    """Of the classes: lines of a text file, or an entry of a pickled dict."""
    file, _, key = meta.partition(":")
    if not key:
        return raw[file].decode("ascii").split()
    names = read_pickle(raw[file], place / file)[key.encode()]
    return [name.decode("ascii") if isinstance(name, bytes) else name for name in names]


def _batch(
    raw: bytes, path: Path, kinds: Sequence[str], kind: str, classes: int
) -> tuple[Array, Array]:
    """Images and labels of one file; `kinds` are the labels in front of each image."""
    if path.suffix == ".bin":
        record = len(kinds) + PIXELS
        if len(raw) % record:
            raise ValueError(f"{path}: {len(raw)} bytes, expected a multiple of {record}")
        table = np.frombuffer(raw, np.uint8).reshape(-1, record)
        pixels, labels = table[:, len(kinds) :], table[:, kinds.index(kind)]
    else:
        entries = read_pickle(raw, path)
        try:
            pixels, labels = entries[b"data"], np.asarray(entries[kind.encode()])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: holds no {error} of CIFAR") from error
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), PIXELS):
            raise ValueError(
                f"{path}: holds {pixels.dtype} {pixels.shape} for {len(labels)} labels, expected "
                f"uint8 ({len(labels)}, {PIXELS})"
            )
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"{path}: holds labels from {labels.min()} to {labels.max()}, expected 0 to "
            f"{classes - 1}"
        )
    return pixels.reshape(-1, *IMAGE), labels.astype(np.int64)
