"""Augmentation of images, which only the CPU does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import case, normal

IMAGES: dict[str, tuple[int, int, int, int]] = {
    "digits": (3, 1, 28, 28),
    "colour": (2, 3, 9, 17),
    "one_pixel": (2, 3, 1, 1),
    "row": (2, 1, 1, 19),
    "column": (1, 2, 21, 1),
    "large": (1, 3, 97, 103),
    "empty_batch": (0, 3, 5, 7),
}


def bytes_(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    return rng.integers(0, 256, tuple(shape), dtype=np.uint8)


def shares(rng: Generator, shape: Iterable[int], dtype: DTypeLike) -> np.ndarray:
    """Between 0 and 1, with flat places and saturated colours among them."""
    return np.asarray(rng.integers(0, 9, tuple(shape)) / 8).astype(dtype)


def augment(primitive: str, name: str, build: Any, length: int = 1, **flags: Any) -> None:
    case(primitive, name, build, length, devices=False, **flags)


def augment_bytes(primitive: str, name: str, build: Any, **flags: Any) -> None:
    """A case on images of numbers, and the same on bytes."""
    for kind, values in (("", normal), ("_bytes", bytes_)):
        augment(
            primitive,
            name + kind,
            lambda rng, dtype, v=values: build(rng, dtype, v),
            **flags,
        )


# Windows. Shape, size, how far beyond the image windows may begin, and options.
WINDOWS: dict[str, tuple[Any, Any, int, dict[str, Any]]] = {
    **{name: (shape, shape[2:], 4, {}) for name, shape in IMAGES.items()},
    "smaller": ((3, 2, 11, 13), (4, 7), 0, {}),
    "larger": ((2, 1, 5, 6), (19, 40), 0, {"fill": 3.0}),
    "int_size": ((3, 2, 8, 9), 5, 3, {}),
    "reflect": ((4, 2, 8, 9), (8, 9), 7, {"padding_mode": "reflect"}),
    "replicate": ((4, 2, 8, 9), (10, 3), 30, {"padding_mode": "replicate"}),
    "circular": ((4, 2, 8, 9), (8, 9), 8, {"padding_mode": "circular"}),
    "fill": ((4, 3, 8, 9), (8, 9), 30, {"fill": 7.0}),
    "wide": ((2, 2, 3, 20000), (3, 20000), 9, {}),
}


def window(rng: Generator, values: Any, dtype: DTypeLike, row: Any) -> Any:
    shape, size, beyond, options = row
    n, p = shape[0], np.broadcast_to(size, 2)
    least, most = -beyond, np.maximum(np.array(shape[2:]) + beyond - p, -beyond)
    offsets = rng.integers(least, most + 1, (n, 2))
    flips = (np.arange(n)[:, None] >> np.arange(2)) & 1  # all four ways of turning
    return (values(rng, shape, dtype), offsets, flips, size), dict(options)


for _name, _row in WINDOWS.items():
    augment_bytes(
        "crop_flip_forward",
        _name,
        lambda rng, dtype, v, r=_row: window(rng, v, dtype, r),
        exact=True,
    )


# Resampling.
def turns(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Rotated by up to 40 degrees about the centre, scaled and moved."""
    n, _, h, w = shape
    angle, scale = rng.uniform(-0.7, 0.7, n), rng.uniform(0.8, 1.3, n)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
    centre = np.array([(w - 1) / 2, (h - 1) / 2])
    shift = centre - linear @ centre + rng.uniform(-2, 2, (n, 2))
    return np.concatenate([linear, shift[..., None]], axis=2).astype(dtype)


def eighths(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Matrices and positions that every dtype holds exactly, halfway between pixels at times."""
    linear = rng.integers(-8, 9, (shape[0], 2, 2)) / 8
    return np.concatenate([linear, rng.integers(-16, 65, (shape[0], 2, 1)) / 8], 2).astype(dtype)


for _name, _shape in IMAGES.items():
    augment(
        "warp_images_forward",
        _name,
        lambda rng, dtype, s=_shape: ((normal(rng, s, dtype), turns(rng, s, dtype)), {"fill": 0.5}),
    )
    augment(
        "warp_images_forward",
        f"{_name}_displaced",
        lambda rng, dtype, s=_shape: (
            (
                normal(rng, s, dtype),
                turns(rng, s, dtype),
                normal(rng, (s[0], 2, *s[2:]), dtype, 3.0),
            ),
            {},
        ),
    )
    augment(
        "warp_images_forward",
        f"{_name}_nearest",
        lambda rng, dtype, s=_shape: (
            (normal(rng, s, dtype), eighths(rng, s, dtype), None, "nearest", 2.0),
            {},
        ),
        exact=True,
    )


def astray(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Displacements that are infinite, or not numbers, among others."""
    d = normal(rng, (shape[0], 2, *shape[2:]), dtype)
    return np.where(rng.random(d.shape) < 0.3, rng.choice([np.inf, -np.inf, np.nan], d.shape), d)


IDENTITY = np.array([[1.0, 0, 0], [0, 1.0, 0]])
augment(
    "warp_images_forward",
    "astray",
    lambda rng, dtype: (
        (
            normal(rng, (2, 1, 9, 10), dtype),
            np.stack([IDENTITY] * 2).astype(dtype),
            astray(rng, (2, 1, 9, 10), dtype).astype(dtype),
        ),
        {"fill": 1.0},
    ),
)

# Blur.
for _name, _shape in IMAGES.items():
    for _mode in ("zeros", "reflect", "replicate", "circular"):
        _reach = min(3, *(n - 1 for n in _shape[2:])) if _mode == "reflect" else 1
        augment(
            "blur_images_forward",
            f"{_name}_{_mode}",
            lambda rng, dtype, s=_shape, r=2 * _reach + 1, m=_mode: (
                (normal(rng, s, dtype), normal(rng, (r,), dtype), m),
                {},
            ),
            length=2 * (2 * _reach + 1),
        )
augment(
    "blur_images_forward",
    "wider_than_the_image",
    lambda rng, dtype: ((normal(rng, (2, 2, 5, 7), dtype), normal(rng, (25,), dtype), "zeros"), {}),
    length=50,
)

# Colour. Factors of the four steps.
JITTER: dict[str, list[float]] = {
    "brightness": [1.4, 1, 1, 0],
    "contrast": [1, 0.3, 1, 0],
    "saturation": [1, 1, 1.8, 0],
    "hue": [1, 1, 1, 0.3],
    "hue_back": [1, 1, 1, -0.5],
    "grey": [1, 1, 0, 0.5],
    "all": [0.7, 1.2, 0.6, 0.1],
    "nothing": [1, 1, 1, 0],
}


def jitter(rng: Generator, x: np.ndarray, factors: list[float], dtype: DTypeLike) -> Any:
    n = len(x)
    order = np.array([rng.permutation(4) for _ in range(n)], np.int64).reshape(n, 4)
    return x, np.tile(np.asarray(factors, dtype), (n, 1)), order


for _name, _factors in JITTER.items():
    for _size, _shape in (
        ("colour", (3, 3, 9, 17)),
        ("grey", (3, 1, 9, 17)),
        ("large", (1, 3, 97, 103)),
        ("empty", (0, 3, 2, 2)),
    ):
        augment(
            "color_jitter_forward",
            f"{_name}_{_size}",
            lambda rng, dtype, s=_shape, f=_factors: (
                jitter(rng, shares(rng, s, dtype), f, dtype),
                {},
            ),
            length=_shape[2] * _shape[3],
        )
augment(
    "color_jitter_forward",
    "peak",
    lambda rng, dtype: (
        (*jitter(rng, 255 * shares(rng, (3, 3, 9, 17), dtype), JITTER["all"], dtype), 255.0),
        {},
    ),
    length=153,
)

# Arithmetic.
for _name, _shape in {**IMAGES, "several_blocks": (2, 2, 150, 151)}.items():
    augment_bytes(
        "normalize_images_forward",
        _name,
        lambda rng, dtype, v, s=_shape: (
            (
                v(rng, s, dtype),
                normal(rng, s[1:2], dtype, 50),
                (1 + rng.random(s[1])).astype(dtype),
            ),
            {},
        ),
    )
    augment(
        "mix_images_forward",
        _name,
        lambda rng, dtype, s=_shape: (
            (normal(rng, s, dtype), rng.permutation(s[0]), rng.random(s[0]).astype(dtype)),
            {},
        ),
    )
    augment(
        "standardize_images_forward",
        _name,
        lambda rng, dtype, s=_shape: ((3 + normal(rng, s, dtype),), {}),
        length=_shape[1] * _shape[2] * _shape[3],
    )
augment(
    "standardize_images_forward",
    "even",
    lambda rng, dtype: ((np.full((2, 1, 6, 7), 5, dtype),), {}),
    length=42,
)
