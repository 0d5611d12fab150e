"""Augmentation: values worked out by hand, and what stages draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import _C, reference
from convolith.data import augment
from convolith.data.augment import Draws, Stage
from convolith.reference.dropout import philox4x32

IDENTITY = np.array([[[1.0, 0, 0], [0, 1.0, 0]]])
PIXELS = np.arange(12.0).reshape(1, 1, 3, 4)
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 3, 12, 10), dtype=np.uint8)
LABELS = np.arange(40) % 4


def draws(n: int = 40, seed: int = 1, epoch: int = 0) -> Draws:
    return Draws(seed, epoch, np.arange(n))


# By hand


@pytest.mark.parametrize("p", [reference, _C], ids=["reference", "compiled"])
class TestKnownValues:
    def test_crop_flip(self, p: Any) -> None:
        offsets, both, no = np.array([[1, -1]]), np.array([[1, 1]]), np.array([[0, 0]])
        plain = p.crop_flip_forward(PIXELS, offsets, no, 2)
        assert plain[0, 0].tolist() == [[0, 4], [0, 8]]
        turned = p.crop_flip_forward(PIXELS, offsets, both, 2, "replicate")
        assert turned[0, 0].tolist() == [[8, 8], [4, 4]]
        left = p.crop_flip_forward(PIXELS, -offsets, np.array([[0, 1]]), (1, 4), "reflect")
        assert left[0, 0].tolist() == [[6, 7, 6, 5]]

    def test_warp(self, p: Any) -> None:
        half = IDENTITY + np.array([[[0, 0, 0.5], [0, 0, 0]]])
        y = p.warp_images_forward(PIXELS, half, fill=100.0)
        assert y[0, 0, 0].tolist() == [0.5, 1.5, 2.5, (3 + 100) / 2]
        nearest = p.warp_images_forward(PIXELS, half, None, "nearest", -1.0)
        assert nearest[0, 0, 0].tolist() == [0, 2, 2, -1]  # 0.5, 1.5, 2.5, 3.5: ties to even
        field = np.zeros((1, 2, 3, 4))
        field[0, 0, 1, 2], field[0, 1, 1, 2] = -2, 1  # two columns back, a row down
        moved = p.warp_images_forward(PIXELS, IDENTITY, field)
        assert moved[0, 0, 1].tolist() == [4, 5, 8, 7]
        turned = p.warp_images_forward(PIXELS, np.array([[[0, 1.0, 0], [-1.0, 0, 2]]]))
        assert turned[0, 0, :, :3].tolist() == [[8, 4, 0], [9, 5, 1], [10, 6, 2]]

    def test_blur(self, p: Any) -> None:
        dot = np.zeros((1, 1, 3, 3))
        dot[0, 0, 0, 1] = 1
        weights = np.array([1.0, 2.0, 4.0])
        y = p.blur_images_forward(dot, weights, "zeros")
        assert y[0, 0].tolist() == [[8, 4, 2], [4, 2, 1], [0, 0, 0]]
        y = p.blur_images_forward(dot, weights, "circular")
        assert y[0, 0, 2].tolist() == [16, 8, 4]

    def test_color(self, p: Any) -> None:
        order = np.array([[0, 1, 2, 3]])
        red = np.array([1.0, 0, 0]).reshape(1, 3, 1, 1)

        def jitter(x: np.ndarray, *factors: float) -> list[float]:
            y = p.color_jitter_forward(x, np.array([factors], np.float64), order)
            return [round(float(v), 6) for v in y.ravel()]

        assert jitter(red, 1, 1, 1, 1 / 3) == [0, 1, 0]
        assert jitter(red, 1, 1, 1, -1 / 3) == [0, 0, 1]
        assert jitter(red, 1, 1, 1, 0.5) == [0, 1, 1]
        assert jitter(red, 0.5, 1, 1, 0) == [0.5, 0, 0]
        assert jitter(red, 1, 1, 0, 0) == [0.2989] * 3
        assert jitter(red, 1, 0, 1, 0) == [0.2989] * 3
        assert jitter(red, 3, 1, 1, 0) == [1, 0, 0]
        assert jitter(np.array([[[[0.2, 0.4]]]]), 1, 2, 0, 0.3) == [0.1, 0.5]

    def test_arithmetic(self, p: Any) -> None:
        x = np.array([0, 51, 255], np.uint8).reshape(1, 3, 1, 1)
        y = p.normalize_images_forward(x, np.array([0.0, 1, 0]), np.array([1.0, 2, 255]))
        assert y.ravel().tolist() == [0, 25, 1]
        flat = p.standardize_images_forward(np.array([1.0, 1, 3, 3]).reshape(1, 1, 2, 2))
        assert flat.ravel().tolist() == [-1, -1, 1, 1]
        pair = np.array([1.0, 5.0]).reshape(2, 1, 1, 1)
        mixed = p.mix_images_forward(pair, np.array([1, 0]), np.array([0.25, 1.0]))
        assert mixed.ravel().tolist() == [4, 5]


def test_uniform_is_philox_of_stream_and_place() -> None:
    streams = np.array([0, 3, 2**62 + 5, 3])
    seed, count = 2**63 + 17, 1037
    got = _C.uniform(streams, count, seed=seed)
    blocks = np.arange(-(-count // 4))
    for row, stream in zip(got, streams.tolist(), strict=True):
        counter = np.zeros((len(blocks), 4), np.uint64)
        counter[:, 0], counter[:, 2:] = blocks, (stream & 0xFFFFFFFF, stream >> 32)
        words = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32)).reshape(-1)[:count]
        np.testing.assert_array_equal(row, (words >> np.uint64(8)) * 2.0**-24)
    assert got.dtype == np.float32
    assert _C.uniform(streams, 0, seed=1).shape == (4, 0)
    with pytest.raises(ValueError, match="uniform: count must be at least 0, got -1"):
        _C.uniform(streams, -1, seed=1)


# Stages

STAGES: dict[str, Stage] = {
    "crop": augment.RandomCrop((9, 8), (2, 1), "reflect"),
    "horizontal": augment.RandomHorizontalFlip(),
    "vertical": augment.RandomVerticalFlip(0.3),
    "affine": augment.RandomAffine(30, (0.1, 0.2), (0.8, 1.2), (5, 10, -5, 5), "bilinear", 0.5),
    "elastic": augment.ElasticDistortion(20, 2),
    "jitter": augment.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "noise": augment.GaussianNoise(0.1, 0.2),
    "cutout": augment.Cutout(5),
    "erasing": augment.RandomErasing(0.7),
    "normalize": augment.Normalize([0.4, 0.5, 0.6], 0.25),
    "standardize": augment.Standardize(),
    "float": augment.ToFloat(),
}
KEEP_BYTES = {"crop", "horizontal", "vertical", "cutout", "erasing"}


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_an_image_gets_its_numbers_whatever_is_beside_it(name: str, dtype: Any) -> None:
    stage = STAGES[name]
    images = BYTES if dtype == np.uint8 else (BYTES / 255).astype(dtype)
    before = images.copy()
    whole = stage(images, draws=draws())
    some = np.array([7, 3, 3, 30])
    np.testing.assert_array_equal(stage(images[some], draws=Draws(1, 0, some)), whole[some])
    expected = dtype if dtype != np.uint8 or name in KEEP_BYTES else np.float32
    assert whole.dtype == expected
    np.testing.assert_array_equal(images, before)
    assert stage(images[:0], draws=draws(0)).shape == (0, *whole.shape[1:])
    if name not in ("normalize", "standardize", "float"):
        assert not np.array_equal(stage(images, draws=draws(seed=2)), whole)
        assert not np.array_equal(stage(images, draws=draws(epoch=1)), whole)
    with_labels = stage(images, LABELS, draws())
    np.testing.assert_array_equal(with_labels[0], whole)
    np.testing.assert_array_equal(with_labels[1], LABELS)


@pytest.mark.parametrize("name", STAGES)
def test_threads_change_nothing(name: str) -> None:
    results = []
    for threads in (1, 3):
        _C.set_num_threads(threads)
        results.append(STAGES[name](BYTES, draws=draws()))
    np.testing.assert_array_equal(*results)


def test_stages_alone_draw_anew_from_the_seed() -> None:
    flip = augment.RandomHorizontalFlip()
    cv.manual_seed(3)
    first, second = flip(BYTES), flip(BYTES)
    assert not np.array_equal(first, second)
    cv.manual_seed(3)
    np.testing.assert_array_equal(flip(BYTES), first)


def test_crop_and_flips_choose_evenly() -> None:
    image = np.arange(1, 26, dtype=np.float32).reshape(1, 1, 5, 5)
    n = 4000
    crops = augment.RandomCrop(3)(np.repeat(image, n, 0), draws=draws(n))
    corners, counts = np.unique(crops[:, 0, 0, 0], return_counts=True)
    assert corners.tolist() == [1, 2, 3, 6, 7, 8, 11, 12, 13]
    assert abs(counts - n / 9).max() < 5 * np.sqrt(n / 9)
    flips = augment.RandomVerticalFlip(0.25)(np.repeat(image, n, 0), draws=draws(n))
    assert set(flips[:, 0, 0, 0].tolist()) == {1, 21}
    assert abs((flips[:, 0, 0, 0] == 21).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / n)


def test_affine_turns_by_hand() -> None:
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    turned = augment.RandomAffine((90, 90))(x, draws=draws(1))
    np.testing.assert_array_equal(turned[0, 0], np.rot90(x[0, 0], -1))  # clockwise
    half = augment.RandomAffine(0, scale=(2, 2), interpolation="bilinear")(x, draws=draws(1))
    np.testing.assert_allclose(half[0, 0], [[2, 2.5, 3], [3.5, 4, 4.5], [5, 5.5, 6]])
    sheared = augment.RandomAffine(0, shear=(45, 45), fill=-1)(x, draws=draws(1))
    np.testing.assert_array_equal(sheared[0, 0], [[-1, 0, 1], [3, 4, 5], [7, 8, -1]])


def test_affine_stays_within_its_ranges() -> None:
    stage = augment.RandomAffine(20, (0.1, 0.3), (0.5, 2.0))
    m = stage.matrices(draws(2000), 21, 11)
    forward = np.linalg.inv(np.concatenate([m, np.tile([[[0, 0, 1.0]]], (2000, 1, 1))], 1))
    scale = np.sqrt(np.linalg.det(forward[:, :2, :2]))
    angle = np.degrees(np.arctan2(forward[:, 1, 0], forward[:, 0, 0]))
    centre = forward @ np.array([5, 10, 1.0]) - np.array([5, 10, 1.0])
    for values, low, high in (
        (scale, 0.5, 2),
        (angle, -20, 20),
        (centre[:, 0], -1.1, 1.1),
        (centre[:, 1], -6.3, 6.3),
    ):
        slack = 0.02 * (high - low)
        assert low - 1e-6 <= values.min() <= low + slack
        assert high - slack <= values.max() <= high + 1e-6


def test_elastic_fields_are_as_smooth_and_as_strong_as_asked() -> None:
    """Noise of variance 1/3 through a Gaussian: alpha sqrt(1/3 / (4 pi sigma^2)) a component."""
    alpha, sigma = 30.0, 3.0
    field = augment.ElasticDistortion(alpha, sigma).displacement(draws(50), 64, 64)
    inside = field[:, :, 16:48, 16:48]
    expected = alpha * np.sqrt(1 / 3 / (4 * np.pi * sigma**2))
    assert abs(inside.std() / expected - 1) < 0.05
    near = (inside[..., 1:] * inside[..., :-1]).mean() / inside.var()
    assert abs(near - np.exp(-1 / (4 * sigma**2))) < 0.01


def test_noise_is_normal() -> None:
    noise = augment.GaussianNoise(1.0, 2.0)(np.zeros((50, 1, 64, 64), np.float32), draws=draws(50))
    n = noise.size
    assert abs(noise.mean() - 1) < 5 * 2 / np.sqrt(n)
    assert abs(noise.std() - 2) < 5 * 2 / np.sqrt(2 * n)
    assert abs((np.abs(noise - 1) < 2).mean() - 0.6827) < 5 * np.sqrt(0.22 / n)


def test_cutout_and_erasing_blot_out_what_they_say() -> None:
    ones = np.ones((2000, 2, 16, 12), np.float32)
    holes = augment.Cutout(6, 7.0)(ones, draws=draws(2000)) == 7
    assert (holes[:, 0] == holes[:, 1]).all()
    sizes = holes[:, 0].sum((1, 2))
    assert sizes.max() == 36
    assert sizes.min() == 9  # a corner
    erased = augment.RandomErasing(0.5, (0.1, 0.2), (0.5, 2.0))(ones, draws=draws(2000)) == 0
    share = erased[:, 0].mean((1, 2))
    assert abs((share > 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(2000)
    hit = erased[share > 0, 0]
    assert 0.08 < hit.mean((1, 2)).min() <= hit.mean((1, 2)).max() < 0.25  # whole pixels
    heights, widths = hit.any(2).sum(1), hit.any(1).sum(1)
    assert (heights * widths == hit.sum((1, 2))).all()


def test_mixup_mixes_images_and_labels_alike() -> None:
    images = LABELS.astype(np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 1, 2, 3), np.float32)
    mixed, probs = augment.MixUp(1.0, 5)(images, LABELS, draws())
    assert probs.shape == (40, 5)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(probs @ np.arange(5), mixed[:, 0, 0, 0], atol=1e-5)
    assert len(np.unique(probs.max(1))) > 20  # each image has a weight of its own
    twice = augment.MixUp(1.0, 5)(mixed, probs, draws(seed=9))
    np.testing.assert_allclose(twice[1] @ np.arange(5), twice[0][:, 0, 0, 0], atol=1e-5)


def test_cutmix_shares_labels_by_area() -> None:
    images = LABELS.astype(np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 3, 9, 7), np.uint8)
    mixed, probs = augment.CutMix(1.0, 4)(images, LABELS, draws())
    assert mixed.dtype == np.uint8
    counts = (mixed[:, 0, :, :, None] == np.arange(4)).mean((1, 2))
    np.testing.assert_allclose(probs, counts, atol=1e-6)
    assert len(np.unique(counts)) > 10


REFUSED: dict[str, tuple[Any, str]] = {
    "crop": (lambda: augment.RandomCrop(40, 2)(BYTES), r"RandomCrop: size is \(40, 40\).*\(16, 14"),
    "padding": (lambda: augment.RandomCrop(4, (1, 2, 3)), "RandomCrop: size is 4 and padding"),
    "flip": (lambda: augment.RandomHorizontalFlip(2), "RandomHorizontalFlip: p is 2"),
    "scale": (lambda: augment.RandomAffine(0, scale=(0, 1)), "RandomAffine: scale is"),
    "translate": (lambda: augment.RandomAffine(0, translate=(2, 0)), "translate is"),
    "interpolation": (
        lambda: augment.RandomAffine(0, interpolation="cubic")(BYTES),  # type: ignore[arg-type]
        "interpolation must be",
    ),
    "sigma": (lambda: augment.ElasticDistortion(1, 0), "ElasticDistortion: sigma is 0"),
    "brightness": (lambda: augment.ColorJitter((2, 1)), "ColorJitter: brightness is"),
    "hue": (lambda: augment.ColorJitter(hue=0.7), "ColorJitter: hue is 0.7"),
    "noise": (lambda: augment.GaussianNoise(0, -1), "GaussianNoise: sigma is -1"),
    "cutout": (lambda: augment.Cutout(0), "Cutout: size is 0"),
    "erasing": (lambda: augment.RandomErasing(scale=(0.5, 0.1)), "RandomErasing: scale is"),
    "alpha": (lambda: augment.MixUp(0), "MixUp: alpha is 0"),
    "classes": (lambda: augment.CutMix(1.0, 3)(BYTES, LABELS), "label 3 is not in"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(name: str) -> None:
    build, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        build()
