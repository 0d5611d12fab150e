"""Data: IDX files good and bad, MNIST, datasets, loaders, pictures."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import convolith as cv
from convolith import data
from convolith.data import DataLoader, Normalize, RandomShift, TensorDataset, random_split
from convolith.data.idx import pack_idx, read_idx
from convolith.data.mnist import FILES
from convolith.data.pack_digits import pack_digits

# IDX


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_idx_round_trip(tmp_path: Path, dtype: str, compressed: bool) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    raw = pack_idx(array)
    (tmp_path / "x").write_bytes(gzip.compress(raw) if compressed else raw)
    got = read_idx(tmp_path / "x")
    np.testing.assert_array_equal(got, array)
    assert got.dtype == array.dtype
    assert got.dtype.isnative


def test_idx_by_hand(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\0\0\x0b\x01" + b"\0\0\0\x02" + b"\x01\x02" + b"\xff\xff")
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), [258, -1])


GOOD = pack_idx(np.arange(6, dtype=np.uint8).reshape(2, 3))
BAD_IDX = {
    "empty": (b"", "not an IDX file: it begins with b''"),
    "wrong magic": (b"\x89PNG" + GOOD, "not an IDX file: it begins with b'\\x89PNG'"),
    "type code": (b"\0\0\x0a\x01", "unknown IDX type code 0x0a, expected one of 0x08, 0x09"),
    "short header": (GOOD[:9], "truncated: 9 bytes, expected 12 of header alone"),
    "truncated": (GOOD[:-1], "truncated: 17 bytes, expected 18 for shape (2, 3)"),
    "trailing": (GOOD + b"x", "trailing bytes: 19 bytes, expected 18 for shape (2, 3)"),
    "absurd sizes": (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3), "truncated: 16 bytes"),
    "truncated gzip": (gzip.compress(GOOD)[:-9], "corrupt or truncated gzip file"),
    "corrupt gzip": (gzip.compress(GOOD)[:12] + b"\xff" * 20, "corrupt or truncated gzip file"),
    "not really gzip": (b"\x1f\x8bnonsense", "corrupt or truncated gzip file"),
}


@pytest.mark.parametrize("name", BAD_IDX)
def test_bad_idx_is_explained(tmp_path: Path, name: str) -> None:
    raw, words = BAD_IDX[name]
    path = tmp_path / "images"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="images") as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: {words}")
    assert "\n" not in str(caught.value)


# MNIST


def write_mnist(folder: Path, train: int = 6, test: int = 5, suffix: str = "") -> None:
    rng = np.random.default_rng(0)
    arrays = [
        array
        for n in (train, test)
        for array in (
            rng.integers(0, 256, (n, 28, 28), dtype=np.uint8),
            (np.arange(n) % 10).astype(np.uint8),
        )
    ]
    for name, array in zip(FILES, arrays, strict=True):
        raw = pack_idx(array)
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(raw) if suffix else raw)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_load_mnist(tmp_path: Path, suffix: str) -> None:
    write_mnist(tmp_path, suffix=suffix)
    digits = data.load_mnist(tmp_path)
    assert digits.train_images.shape == (6, 1, 28, 28)
    assert digits.train_images.dtype == np.uint8
    np.testing.assert_array_equal(digits.test_labels, np.arange(5))
    assert digits.test_labels.dtype == np.int64


def test_embedded_digits() -> None:
    digits = data.load_digits()
    assert digits.train_images.shape == (10_000, 1, 28, 28)
    assert digits.test_images.shape == (2_000, 1, 28, 28)
    assert digits.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(digits.train_labels).min() > 800
    assert np.bincount(digits.test_labels).sum() == 2_000
    folder = Path(data.__file__).parent / "digits"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3_000_000
    assert "CC BY-SA 3.0" in (folder / "README.md").read_text()


def test_packing_takes_what_it_says_to_the_same_bytes(tmp_path: Path) -> None:
    write_mnist(tmp_path, train=8, test=12)
    for out in ("a", "b"):
        pack_digits(tmp_path, tmp_path / out)
    whole, packed = data.load_mnist(tmp_path), data.load_mnist(tmp_path / "a")
    np.testing.assert_array_equal(packed.train_images, whole.train_images)
    np.testing.assert_array_equal(packed.test_images, whole.test_images[[0, 5, 10]])
    np.testing.assert_array_equal(packed.test_labels, whole.test_labels[[0, 5, 10]])
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


BAD_MNIST = {
    "missing": ("t10k-labels-idx1-ubyte", None, FileNotFoundError, "no file t10k-labels"),
    "label": (FILES[1], np.array([0, 1, 2, 3, 4, 10], np.uint8), ValueError, "the label 10"),
    "negative": (FILES[1], np.array([0, 1, 2, 3, 4, -1], np.int8), ValueError, "the label -1"),
    "count": (FILES[3], np.zeros(4, np.uint8), ValueError, r"labels \(4,\) for images \(5, 28"),
    "rank": (FILES[0], np.zeros((6, 784), np.uint8), ValueError, r"holds uint8 \(6, 784\)"),
    "dtype": (FILES[2], np.zeros((5, 28, 28), "f4"), ValueError, "holds float32"),
}


@pytest.mark.parametrize("name", BAD_MNIST)
def test_bad_mnist_is_explained(tmp_path: Path, name: str) -> None:
    file, array, error, words = BAD_MNIST[name]
    write_mnist(tmp_path)
    if array is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(pack_idx(array))
    with pytest.raises(error, match=words):
        data.load_mnist(tmp_path)


# Datasets


def numbers(n: int) -> TensorDataset:
    return TensorDataset(np.arange(n, dtype=np.float32).reshape(n, 1, 1, 1), np.arange(n))


def test_random_split_divides_by_seed() -> None:
    whole = numbers(100)
    parts = random_split(whole, [0.7, 0.25, 0.05], seed=1)
    assert [len(part) for part in parts] == [70, 25, 5]
    labels = [part[np.arange(len(part))][1] for part in parts]
    assert sorted(np.concatenate(labels).tolist()) == list(range(100))
    again = random_split(whole, [70, 25, 5], seed=1)
    np.testing.assert_array_equal(again[1].indices, parts[1].indices)
    cv.manual_seed(2)
    assert not np.array_equal(random_split(whole, [70, 30])[0].indices, parts[0].indices)


@pytest.mark.parametrize("lengths", [[5, 4], [0.5, 0.6], [-1, 11], []])
def test_random_split_needs_lengths_that_add_up(lengths: list[float]) -> None:
    with pytest.raises(ValueError, match=r"random_split: lengths are .* sum to 10 or"):
        random_split(numbers(10), lengths)


def test_dataset_needs_equal_lengths() -> None:
    with pytest.raises(ValueError, match=r"one length, got \(2, 1\), \(3,\)"):
        TensorDataset(np.zeros((2, 1)), cv.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match="got nothing"):
        TensorDataset()


def test_normalize() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 2, 4, 4), dtype=np.uint8)
    images[:, 1] = 7
    normalize = Normalize.fit(images)
    y = normalize(images)
    assert y.dtype == np.float32
    assert y.flags.c_contiguous
    assert abs(y[:, 0].mean()) < 1e-6
    assert abs(y[:, 0].std() - 1) < 1e-6
    assert (y[:, 1] == 0).all()
    again = Normalize(normalize.mean, normalize.std)
    np.testing.assert_array_equal(again(images), y)


# Loader


def order(loader: DataLoader) -> list[int]:
    return [label for _, labels in loader for label in labels.numpy().tolist()]


def test_loader_without_shuffling() -> None:
    loader = DataLoader(numbers(10), 4)
    batches = list(loader)
    assert len(loader) == 3
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    assert order(loader) == list(range(10))
    for images, labels in batches:
        assert images.numpy().flags.c_contiguous
        np.testing.assert_array_equal(images.numpy().ravel(), labels)
    dropping = DataLoader(numbers(10), 4, drop_last=True)
    assert len(dropping) == len(list(dropping)) == 2


def test_loader_order_depends_on_seed_and_epoch_alone() -> None:
    loader = DataLoader(numbers(50), 7, shuffle=True, seed=3)
    first, second = order(loader), order(loader)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    loader.epoch = 1
    assert order(loader) == second
    assert order(DataLoader(numbers(50), 10, shuffle=True, seed=3)) == first
    cv.manual_seed(4)
    assert order(DataLoader(numbers(50), 7, shuffle=True)) != first


def test_loader_of_nothing_and_wrong_batch_size() -> None:
    assert list(DataLoader(numbers(0), 4)) == []
    with pytest.raises(ValueError, match="DataLoader: batch_size is 0"):
        DataLoader(numbers(3), 0)


def test_random_shift_moves_whole_images_reproducibly() -> None:
    images = np.zeros((200, 1, 5, 6), np.float32)
    images[:, 0, 2, 3] = 1
    images[:, :, :, 0] = 5  # what leaves on one side comes from the border on the other
    loader = DataLoader(TensorDataset(images), 200, seed=1, transform=RandomShift(1))
    ((first,),), ((second,),) = list(loader), list(loader)
    loader.epoch = 0
    ((again,),) = list(loader)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    dots = np.argwhere(first.numpy() == 1)
    assert len(dots) == 200
    assert {(y, x) for _, _, y, x in dots.tolist()} == {
        (y, x) for y in (1, 2, 3) for x in (2, 3, 4)
    }
    assert (first.numpy()[dots[:, 3] == 4][:, 0, :, :2] == 5).all()


# Pictures


def picture(
    size: int, ink: int | tuple[int, ...], paper: int | tuple[int, ...], mode: str
) -> Image.Image:
    image = Image.new(mode, (size * 2, size), paper)
    box = [size // 2, size // 5, size // 2 + size // 4, 4 * size // 5]
    ImageDraw.Draw(image).rectangle(box, fill=ink)
    return image


PICTURES = {
    "dark on light": picture(300, 10, 250, "L"),
    "light on dark": picture(300, 245, 5, "L"),
    "colour": picture(200, (0, 0, 90), (255, 250, 240), "RGB"),
    "transparent": picture(250, (0, 0, 0, 255), (0, 0, 0, 0), "RGBA"),
    "tiny": picture(14, 255, 0, "L"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_come_into_the_form_of_mnist(tmp_path: Path, name: str) -> None:
    PICTURES[name].save(tmp_path / "digit.png")
    image = data.load_digit_image(tmp_path / "digit.png")
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    assert (rows[0], rows[-1]) == (4, 23)
    assert 7 <= len(columns) <= 11
    assert abs(columns.mean() - 13.5) <= 1
    assert image.max() > 200
    assert image[0].max() == 0


def test_a_digit_of_mnist_stays_what_it_is(tmp_path: Path) -> None:
    digit = data.load_digits().test_images[0, 0]
    Image.fromarray(digit).save(tmp_path / "digit.png")
    np.testing.assert_array_equal(data.load_digit_image(tmp_path / "digit.png"), digit)
    Image.fromarray(digit).resize((280, 280)).save(tmp_path / "digit.png")
    again = data.load_digit_image(tmp_path / "digit.png").astype(float)
    overlap = max(
        np.corrcoef(np.roll(again, (dy, dx), (0, 1)).ravel(), digit.ravel())[0, 1]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    )
    assert overlap > 0.9


def test_bad_pictures_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    Image.new("L", (40, 30), 255).save(path)
    with pytest.raises(ValueError, match=r"digit.png: the picture is empty"):
        data.load_digit_image(path)
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"digit.png: not a picture"):
        data.load_digit_image(path)


def test_pictures_need_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        data.load_digit_image(tmp_path / "digit.png")
