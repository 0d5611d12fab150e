"""Classic filters: numbers worked out by hand, properties of the kernels, pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith import filters
from tolerance import rounding, tolerance

# Three bright columns on the left, three dark ones on the right.
STEP = np.repeat([[1.0, 1, 1, 0, 0, 0]], 6, axis=0).astype(np.float32)
PATCH = np.array([[120.0, 140, 120], [225, 220, 205], [225, 250, 230]])
EPS = rounding(np.float64)


@pytest.mark.parametrize(
    ("function", "height"), [(filters.sobel, 4), (filters.prewitt, 3), (filters.scharr, 16)]
)
def test_a_vertical_edge(function: Any, height: float) -> None:
    """Bright to dark is a negative slope, at the two columns whose windows meet the edge."""
    x = function(STEP, "x", padding="valid")
    assert x.tolist() == [[0, -height, -height, 0]] * 4
    assert not function(STEP, "y", padding="valid").any()
    assert function(STEP, padding="valid").tolist() == [[0, height, height, 0]] * 4
    np.testing.assert_array_equal(function(STEP.T, "y", padding="valid"), x.T)


def test_roberts() -> None:
    assert filters.roberts(STEP, "x", padding="valid").tolist() == [[0, 0, 1, 0, 0]] * 5
    magnitude = filters.roberts(STEP.astype(np.float64), padding="valid")
    np.testing.assert_allclose(magnitude[:, 2], np.sqrt(2), rtol=tolerance(EPS, 2, 1))


def test_edge_kernels_on_a_patch() -> None:
    """4 * 220 - 140 - 225 - 205 - 250 = 60, and with all eight 9 * 220 - 1735 = 245."""
    assert filters.edges(PATCH, 4, padding="valid").tolist() == [[60]]
    assert filters.edges(PATCH, padding="valid").tolist() == [[245]]
    assert filters.laplacian(PATCH, padding="valid").tolist() == [[-60]]
    assert filters.laplacian(PATCH, 8, padding="valid").tolist() == [[-245]]
    assert filters.sharpen(PATCH, padding="valid").tolist() == [[220 + 60]]
    # -2 * 120 - 140 - 225 + 220 + 205 + 250 + 2 * 230
    assert filters.emboss(PATCH, padding="valid").tolist() == [[530]]
    mean = filters.box(PATCH, padding="valid")
    np.testing.assert_allclose(mean, [[1735 / 9]], rtol=tolerance(EPS, 9, 1))


def test_kernels_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        filters.SOBEL_X[0, 0] = 1


@pytest.mark.parametrize("shape", [(7, 9), (3, 7, 9), (2, 3, 7, 9)])
def test_every_channel_by_itself(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    y = filters.gaussian(x, 1.0)
    assert y.shape == shape
    plane = (0,) * (len(shape) - 2)
    np.testing.assert_array_equal(y[plane], filters.gaussian(x[plane], 1.0))
    bank = filters.apply(x, np.stack([filters.SOBEL_X, filters.SOBEL_Y]))
    assert bank.shape == (*shape[:-2], 2, *shape[-2:])
    np.testing.assert_array_equal(bank[(*plane, 1)], filters.sobel(x[plane], "y"))


def test_even_areas_stay_even_up_to_the_border() -> None:
    even = np.full((8, 9), 3, np.uint8)
    allowed = tolerance(rounding(np.float32), 49, 3.0)
    assert filters.box(even).dtype == np.float32
    for blurred in (filters.box(even), filters.gaussian(even, 1.2), filters.sharpen(even)):
        np.testing.assert_allclose(blurred, 3, atol=allowed)
    assert not filters.sobel(even).any()


def test_gaussian_kernel() -> None:
    g = filters.gaussian_kernel(0.8)
    assert g.shape == (7, 7)
    np.testing.assert_allclose(g.sum(), 1, rtol=tolerance(EPS, g.size, 1))
    np.testing.assert_allclose(g[3, 4] / g[3, 3], np.exp(-1 / 1.28), rtol=tolerance(EPS, 4, 1))
    assert filters.gaussian_kernel(2, size=4).shape == (4, 4)


def test_gabor_filters_find_their_wave() -> None:
    bank = filters.gabor_bank(4, (0.1, 0.25), size=25)
    assert bank.shape == (8, 25, 25)
    assert np.all(np.abs(bank.mean(axis=(1, 2))) <= tolerance(EPS, 25, 1))
    x, y = np.meshgrid(np.arange(60), np.arange(60))
    for i, (u, frequency) in enumerate(
        (u, f) for f in (0.1, 0.25) for u in (x, (x + y) / np.sqrt(2), y, (y - x) / np.sqrt(2))
    ):
        answers = filters.apply(np.cos(2 * np.pi * frequency * u), bank, padding="valid")
        strength = np.abs(answers).max(axis=(1, 2)) / np.abs(bank).sum(axis=(1, 2))
        assert strength.argmax() == i


def test_leung_malik_bank() -> None:
    bank = filters.leung_malik_bank()
    assert bank.shape == (48, 49, 49)
    allowed = tolerance(EPS, 49 * 49, 1)
    np.testing.assert_allclose(bank[:44].sum(axis=(1, 2)), 0, atol=allowed)
    np.testing.assert_allclose(np.abs(bank[:44]).sum(axis=(1, 2)), 1, atol=allowed)
    np.testing.assert_allclose(bank[44:].sum(axis=(1, 2)), 1, atol=allowed)
    # First derivatives are odd, all others even.
    turned = bank[:, ::-1, ::-1]
    np.testing.assert_allclose(turned[:18], -bank[:18], atol=allowed)
    np.testing.assert_allclose(turned[18:], bank[18:], atol=allowed)
    # The fourth of six orientations is the first, a quarter turn on.
    np.testing.assert_allclose(bank[3], np.rot90(bank[0], -1), atol=allowed)
    # An edge's extremes lie one standard deviation, sqrt(2), from its middle: at the next pixel.
    assert abs(int(bank[0][24].argmax()) - 24) == 1
    # Scales are sqrt(2) apart: the peaks of Gaussians fall by 2.
    peaks = bank[44:, 24, 24]
    beyond = math.erfc(24.5 / 4 / math.sqrt(2))  # of the widest, on one axis
    np.testing.assert_allclose(peaks[:-1] / peaks[1:], 2, rtol=4 * beyond)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: filters.apply(np.ones(5), filters.SOBEL_X), r"image is \(5,\)"),
        (lambda: filters.apply(STEP, np.ones(3)), r"kernel \(3,\)"),
        (lambda: filters.sobel(STEP, "z"), "direction is 'z'"),  # type: ignore[arg-type]
        (lambda: filters.laplacian(STEP, 6), "neighbours is 6"),  # type: ignore[arg-type]
        (lambda: filters.gaussian_kernel(0), "sigma is 0"),
        (lambda: filters.gaussian_kernel(1, -3), "size is -3"),
        (lambda: filters.gabor_kernel(0, 0.6), "frequency is 0.6"),
        (lambda: filters.gabor_bank(0), "orientations is 0"),
        (lambda: filters.leung_malik_bank(scale=float("nan")), "scale is nan"),
    ],
)
def test_wrong_use(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from convolith.viz import filter_bank

    path = tmp_path / "bank.png"
    figure = filter_bank(filters.leung_malik_bank(9), path)
    assert len(figure.axes) == 48
    assert path.read_bytes().startswith(b"\x89PNG")
    assert len(filter_bank(np.zeros((3, 1, 5, 5))).axes) == 3
    with pytest.raises(ValueError, match=r"bank is \(5, 5\)"):
        filter_bank(np.ones((5, 5)))
