"""Readers of CIFAR, Fashion-MNIST, pickles and folders; parts, sums and statistics of data sets."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith import data
from convolith.data import DataLoader, TensorDataset
from convolith.data.cifar import CIFAR10_RELEASES, CIFAR100_RELEASES, Release
from convolith.data.idx import pack_idx
from convolith.data.mnist import FILES
from convolith.data.pickles import read_pickle

N = 4  # images of a file


def cifar_files(release: Release, rng: np.random.Generator) -> dict[str, bytes]:
    """A release with N random images in each file, written as the official ones are."""
    kinds = tuple(release.names)
    classes = {"labels": 10, "coarse_labels": 20, "fine_labels": 100}
    files, names = {}, {kind: [f"{kind[0]}{i}" for i in range(classes[kind])] for kind in kinds}
    for file in (*release.train, *release.test):
        pixels = rng.integers(0, 256, (N, 3072), dtype=np.uint8)
        labels = [rng.integers(0, classes[kind], N) for kind in kinds]
        if file.endswith(".bin"):
            columns = [column.astype(np.uint8)[:, None] for column in labels]
            files[file] = np.hstack([*columns, pixels]).tobytes()
        else:
            entries = dict(zip([k.encode() for k in kinds], map(list, labels), strict=True))
            entries = {k: [int(i) for i in v] for k, v in entries.items()}
            files[file] = pickle.dumps({b"data": pixels, **entries}, protocol=2)
    for kind, place in release.names.items():
        file, _, key = place.partition(":")
        if key:
            meta = pickle.loads(files.get(file, pickle.dumps({})))
            lines = [name.encode() for name in names[kind]]
            files[file] = pickle.dumps({**meta, key.encode(): lines}, protocol=2)
        else:
            files[file] = "\n".join([*names[kind], ""]).encode()
    return files


def write_folder(root: Path, release: Release, files: dict[str, bytes]) -> None:
    (root / release.folder).mkdir()
    for name, raw in files.items():
        (root / release.folder / name).write_bytes(raw)


def write_archive(root: Path, release: Release, files: dict[str, bytes]) -> None:
    with tarfile.open(root / release.archive, "w:gz") as archive:
        for name, raw in files.items():
            member = tarfile.TarInfo(f"{release.folder}/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))


def pixels_in(raw: bytes, labels: int) -> np.ndarray:
    """The images of a binary file, as its description says: red, green, blue, row by row."""
    records = np.frombuffer(raw, np.uint8).reshape(N, labels + 3072)
    return records[:, labels:].reshape(N, 3, 32, 32)


@pytest.mark.parametrize("write", [write_folder, write_archive])
@pytest.mark.parametrize("release", CIFAR10_RELEASES, ids=["binary", "python"])
def test_cifar10(tmp_path: Path, release: Release, write: Any) -> None:
    files = cifar_files(release, np.random.default_rng(1))
    write(tmp_path, release, files)
    train, test = data.CIFAR10(tmp_path), data.CIFAR10(tmp_path, train=False)
    assert train.images.shape == (5 * N, 3, 32, 32)
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
    assert train.classes == [f"l{i}" for i in range(10)]
    assert len(test) == N
    last = files[release.train[-1]]
    if release.archive == "cifar-10-binary.tar.gz":
        np.testing.assert_array_equal(train.images[-N:], pixels_in(last, 1))
        assert train.labels[-N:].tolist() == list(last[::3073])
    else:
        entries = pickle.loads(last)
        np.testing.assert_array_equal(
            train.images[-1, 2, 31], entries[b"data"][-1, -32:]
        )  # the last row of blue
        assert train.labels[-N:].tolist() == entries[b"labels"]


@pytest.mark.parametrize("write", [write_folder, write_archive])
@pytest.mark.parametrize("release", CIFAR100_RELEASES, ids=["binary", "python"])
def test_cifar100_has_two_kinds_of_labels(tmp_path: Path, release: Release, write: Any) -> None:
    files = cifar_files(release, np.random.default_rng(2))
    write(tmp_path, release, files)
    fine, coarse = data.CIFAR100(tmp_path), data.CIFAR100(tmp_path, coarse=True)
    assert (len(fine.classes), len(coarse.classes)) == (100, 20)
    assert coarse.classes[3] == "c3"
    np.testing.assert_array_equal(fine.images, coarse.images)
    raw = files[release.train[0]]
    if release.train[0].endswith(".bin"):
        assert coarse.labels.tolist() == list(raw[::3074])
        assert fine.labels.tolist() == list(raw[1::3074])
    else:
        assert fine.labels.tolist() == pickle.loads(raw)[b"fine_labels"]


def test_bad_cifar_is_explained(tmp_path: Path) -> None:
    binary, python = CIFAR10_RELEASES
    with pytest.raises(FileNotFoundError, match=r"no cifar-10-batches-bin or cifar-10-binary.tar"):
        data.CIFAR10(tmp_path)
    files = cifar_files(binary, np.random.default_rng(3))
    write_archive(tmp_path, binary, files)
    archive = tmp_path / binary.archive
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz: corrupt or truncated archive"):
        data.CIFAR10(tmp_path)
    write_archive(tmp_path, binary, {k: v for k, v in files.items() if "3" not in k})
    with pytest.raises(ValueError, match=r"the archive lacks .*data_batch_3.bin"):
        data.CIFAR10(tmp_path)
    archive.unlink()
    write_folder(tmp_path, binary, {**files, "data_batch_2.bin": b"x" * 3072})
    with pytest.raises(ValueError, match=r"data_batch_2.bin: 3072 bytes, expected a multiple of"):
        data.CIFAR10(tmp_path)
    (tmp_path / binary.folder / "data_batch_2.bin").write_bytes(b"\x0a" + bytes(3072))
    with pytest.raises(ValueError, match=r"data_batch_2.bin: holds labels from 10 to 10"):
        data.CIFAR10(tmp_path)
    other = tmp_path / "python"
    other.mkdir()
    files = cifar_files(python, np.random.default_rng(4))
    write_folder(other, python, {**files, "data_batch_4": pickle.dumps({b"data": [1]})})
    with pytest.raises(ValueError, match=r"data_batch_4: holds no b'labels' of CIFAR"):
        data.CIFAR10(other)


# Pickles


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", ">i4", "<f8"])
def test_pickles_of_plain_data(protocol: int, dtype: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    value = {b"a": array, "b": [1, 2.5, b"\xff\x00", (None, True)], 3: np.asfortranarray(array)}
    got = read_pickle(pickle.dumps(value, protocol), "x")
    np.testing.assert_array_equal(got[b"a"], array)
    np.testing.assert_array_equal(got[3], array)
    assert got[b"a"].dtype == array.dtype
    assert got["b"] == value["b"]


class Harmful:
    def __reduce__(self) -> Any:
        return os.mkdir, ("made by a pickle",)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Harmful(), "names posix.mkdir|names nt.mkdir"),
        ([{"a": print}], "names (builtins|__builtin__).print"),
        (np.random.default_rng, "names numpy.random"),
        (np.array([Harmful()], dtype=object), "names posix.mkdir|names nt.mkdir"),
        (np.array([None, 1], dtype=object), "an array of objects"),
    ],
)
def test_pickles_of_anything_else_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words) as caught:
        read_pickle(pickle.dumps(value, 2), "batch")
    assert str(caught.value).startswith("batch: not read as a pickle of plain data: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("raw", [b"", b"no pickle", pickle.dumps([1, 2])[:-3]])
def test_broken_pickles_are_explained(raw: bytes) -> None:
    with pytest.raises(ValueError, match="batch: not read as a pickle"):
        read_pickle(raw, "batch")


# Fashion-MNIST


def test_fashion_mnist(tmp_path: Path) -> None:
    images = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
    for name, array in zip(FILES[2:], (images, np.array([9, 0, 5], np.uint8)), strict=True):
        (tmp_path / name).write_bytes(pack_idx(array))
    test = data.FashionMNIST(tmp_path, train=False)
    np.testing.assert_array_equal(test.images[:, 0], images)
    assert [test.classes[i] for i in test.labels] == ["Ankle boot", "T-shirt/top", "Sandal"]
    with pytest.raises(FileNotFoundError, match="no file train-images-idx3-ubyte"):
        data.MNIST(tmp_path)


# Folders


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (5, 4)) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_image_folder(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    picture(tmp_path / "cat/b.png", (1, 2, 3))
    picture(tmp_path / "cat/a.png", (4, 5, 6))
    picture(tmp_path / "ant/deep/c.bmp", (7, 8, 9))
    (tmp_path / "cat/notes.txt").write_text("no picture")
    (tmp_path / "readme.md").write_text("no class")
    folder = data.ImageFolder(tmp_path)
    assert folder.classes == ["ant", "cat"]
    assert [file.name for file in folder.files] == ["c.bmp", "a.png", "b.png"]
    images, labels = folder[np.array([2, 0])]
    assert images.shape == (2, 3, 4, 5)
    assert images[:, :, 0, 0].tolist() == [[1, 2, 3], [7, 8, 9]]
    assert labels.tolist() == [1, 0]
    grey = data.ImageFolder(tmp_path, size=(2, 3), mode="L", transform=lambda x: x / 255)
    assert grey[np.array([0])][0].shape == (1, 1, 2, 3)
    assert grey[np.array([0])][0].max() < 1


def test_image_folder_names_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    with pytest.raises(FileNotFoundError, match="holds no folders"):
        data.ImageFolder(tmp_path)
    picture(tmp_path / "a/1.png", (0, 0, 0))
    picture(tmp_path / "a/2.png", (0, 0, 0), (6, 4))
    (tmp_path / "a/3.png").write_bytes((tmp_path / "a/1.png").read_bytes()[:30])
    folder = data.ImageFolder(tmp_path)
    with pytest.raises(ValueError, match=r"2.png: is \(3, 4, 6\), but .*1.png .* is \(3, 4, 5\)"):
        folder[np.array([0, 1])]
    with pytest.raises(ValueError, match=r"^sample 2: .*3.png: not a picture"):
        list(DataLoader(data.ImageFolder(tmp_path, size=4), 3))
    (tmp_path / "b").mkdir()
    with pytest.raises(FileNotFoundError, match="b: holds no pictures"):
        data.ImageFolder(tmp_path)


# Parts and sums


def numbers(*values: int) -> TensorDataset:
    return TensorDataset(np.array(values), -np.array(values))


def test_concat_keeps_order_across_data_sets() -> None:
    whole = data.ConcatDataset([numbers(0, 1, 2), numbers(), numbers(3), numbers(4, 5)])
    assert len(whole) == 6
    index = np.array([5, 0, 3, 3, 2, 4])
    values, negatives = whole[index]
    assert values.tolist() == index.tolist()
    assert negatives.tolist() == (-index).tolist()
    assert [len(a) for a in whole[np.array([], np.int64)]] == [0, 0]
    with pytest.raises(IndexError):
        whole[np.array([6])]
    with pytest.raises(ValueError, match="at least one data set"):
        data.ConcatDataset([])


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_train_test_split_takes_of_every_class(fraction: float) -> None:
    labels = np.repeat([0, 1, 7], [40, 11, 1])
    whole = TensorDataset(np.arange(52), labels)
    train, test = data.train_test_split(whole, fraction, stratify=labels, seed=3)
    assert sorted([*train.indices, *test.indices]) == list(range(52))
    assert len(test) == round(52 * fraction)
    for value, count in ((0, 40), (1, 11), (7, 1)):
        assert abs((labels[test.indices] == value).sum() - fraction * count) < 1
    again = data.train_test_split(whole, fraction, stratify=labels, seed=3)
    np.testing.assert_array_equal(again[1].indices, test.indices)
    other = data.train_test_split(whole, fraction, seed=4)
    assert len(other[1]) == len(test)
    assert fraction in (0.0, 1.0) or set(other[1].indices) != set(test.indices)


def test_train_test_split_refuses() -> None:
    with pytest.raises(ValueError, match=r"fraction is 1.5"):
        data.train_test_split(numbers(1, 2), 1.5)
    with pytest.raises(ValueError, match=r"stratify is \(3,\), expected a label for each of 2"):
        data.train_test_split(numbers(1, 2), 0.5, stratify=[0, 1, 1])


def test_one_hot() -> None:
    assert data.one_hot([2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert data.one_hot(np.array([[1]]), 4).tolist() == [[[0, 1, 0, 0]]]
    assert data.one_hot(np.zeros((0,), int), 2).shape == (0, 2)
    assert data.one_hot(1, 2).tolist() == [0, 1]
    for labels, classes, words in (([3], 3, "label 3"), ([-1], 3, "label -1"), ([], -1, "without")):
        with pytest.raises(ValueError, match=words):
            data.one_hot(np.array(labels, int), classes)
    with pytest.raises(TypeError, match="float64"):
        data.one_hot([0.5])


def test_mean_std_of_a_data_set() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (37, 3, 4, 5), dtype=np.uint8)
    mean, std = data.mean_std(TensorDataset(images), batch_size=8)
    np.testing.assert_allclose(mean, (images / 255).mean((0, 2, 3)))
    np.testing.assert_allclose(std, (images / 255).std((0, 2, 3)))
    far = 1e8 + rng.standard_normal((50, 1, 2, 2))  # where E[x^2] - E[x]^2 has no digit left
    _, std = data.mean_std(TensorDataset(far), batch_size=7)
    np.testing.assert_allclose(std, far.std(), rtol=1e-6)
    with pytest.raises(ValueError, match="empty"):
        data.mean_std(TensorDataset(images[:0]))
