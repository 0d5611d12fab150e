"""Augmentation of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from invalid.table import F64, I64, NAN, X, a, labels, read_only, types, values

U8 = np.uint8


def i(*shape: int) -> np.ndarray:
    return np.zeros(shape, I64)


def window(*size: Any, offsets: Any = None, **options: Any) -> tuple[Any, ...]:
    return (a(*X), i(2, 2) if offsets is None else offsets, i(2, 2), size or 4, options)


values(
    "crop_flip_forward",
    {
        "rank": (lambda: (a(3, 8, 9), i(3, 2), i(3, 2), 4), "x", "(N, C, H, W)", "(3, 8, 9)"),
        "empty_axis": (lambda: (a(2, 3, 0, 9), i(2, 2), i(2, 2), 4), "empty axis", "(2, 3, 0, 9)"),
        "offsets": (lambda: window(offsets=i(3, 2)), "offsets", "(2, 2)", "(3, 2)"),
        "flips": (lambda: (a(*X), i(2, 2), i(2, 1), 4), "flips", "(2, 2)", "(2, 1)"),
        "size": (lambda: window(0, 4), "size", "at least 1", "(0, 4)"),
        "mode": (lambda: window(padding_mode="edge"), "padding_mode", "'replicate'", "'edge'"),
        "fill": (lambda: window(fill=NAN), "fill", "nan"),
        "fill_of_bytes": (lambda: (a(*X, dtype=U8), i(2, 2), i(2, 2), 4, "zeros", 256.0), "256"),
        "reflect": (
            lambda: window(offsets=labels([0, 0], [-8, 0]), padding_mode="reflect"),
            "image 1",
            "(-8, 0)",
            "(8, 9)",
        ),
        "circular": (
            lambda: window(offsets=labels([0, 15], [0, 0]), padding_mode="circular"),
            "image 0",
            "(0, 15)",
            "too far",
        ),
        "absurd": (lambda: window(offsets=labels([0, 2**40], [0, 0])), "image 0", "too far"),
        "out": (lambda: window(out=a(*X)), "out", "(2, 3, 4, 4)", "(2, 3, 8, 9)"),
    },
)
types(
    "crop_flip_forward",
    {
        "dtype": (lambda: (a(*X, dtype=I64), i(2, 2), i(2, 2), 4), "uint8, float32", "int64"),
        "list": (lambda: ([1], i(2, 2), i(2, 2), 4), "x", "a list"),
        "offsets": (lambda: window(offsets=a(2, 2)), "offsets", "int64", "float32"),
        "out": (lambda: window(out=a(2, 3, 4, 4, dtype=U8)), "out", "float32", "uint8"),
    },
)

M = (2, 2, 3)
values(
    "warp_images_forward",
    {
        "matrices": (lambda: (a(*X), a(2, 3, 3)), "matrices", "(2, 2, 3)", "(2, 3, 3)"),
        "field": (lambda: (a(*X), a(*M), a(2, 2, 9, 8)), "displacement", "(2, 2, 8, 9)"),
        "interpolation": (lambda: (a(*X), a(*M), None, "cubic"), "'bilinear'", "'cubic'"),
        "fill": (lambda: (a(*X), a(*M), {"fill": NAN}), "fill", "nan"),
        "out": (lambda: (a(*X), a(*M), {"out": read_only(a(*X))}), "out", "read-only"),
    },
)
types(
    "warp_images_forward",
    {
        "mixed": (lambda: (a(*X), a(*M, dtype=F64)), "float32", "float64"),
        "mixed_field": (
            lambda: (a(*X), a(*M), a(2, 2, 8, 9, dtype=F64)),
            "displacement",
            "float64",
        ),
        "bytes": (lambda: (a(*X, dtype=U8), a(*M)), "x", "float32", "uint8"),
    },
)
values(
    "blur_images_forward",
    {
        "even": (lambda: (a(*X), a(4)), "weights", "odd", "4"),
        "none": (lambda: (a(*X), a(0)), "weights", "odd", "0"),
        "rank": (lambda: (a(*X), a(3, 3)), "weights", "(3, 3)"),
        "reflect": (lambda: (a(*X), a(17)), "17 weights", "(8, 9)"),
        "mode": (lambda: (a(*X), a(3), "same"), "padding_mode", "'same'"),
    },
)
types(
    "blur_images_forward",
    {
        "bytes": (lambda: (a(*X, dtype=U8), a(3)), "x", "float32", "uint8"),
        "mixed": (lambda: (a(*X), a(3, dtype=F64)), "float32", "float64"),
    },
)
values(
    "color_jitter_forward",
    {
        "channels": (lambda: (a(2, 4, 8, 9), a(2, 4), i(2, 4)), "1 or 3 channels", "(2, 4, 8, 9)"),
        "factors": (lambda: (a(*X), a(2, 3), i(2, 4)), "factors", "(2, 4)", "(2, 3)"),
        "order": (lambda: (a(*X), a(2, 4), i(2, 4) + 4), "order", "[0, 3]", "4"),
        "peak": (lambda: (a(*X), a(2, 4), i(2, 4), -1.0), "peak", "-1"),
    },
)
types("color_jitter_forward", {"order": (lambda: (a(*X), a(2, 4), a(2, 4)), "order", "int64")})
values(
    "normalize_images_forward",
    {
        "mean": (lambda: (a(*X), a(2), a(3)), "mean", "(3,)", "(2,)"),
        "std": (lambda: (a(*X), a(3), a(1)), "std", "(3,)", "(1,)"),
        "zero": (lambda: (a(*X), a(3), 0 * a(3)), "std of channel 0", "0"),
        "out": (lambda: (a(*X), a(3), a(3), {"out": a(2, 3)}), "out", "(2, 3)"),
    },
)
types(
    "normalize_images_forward",
    {
        "mixed": (lambda: (a(*X, dtype=U8), a(3), a(3, dtype=F64)), "mean", "std", "float64"),
        "tuple": (lambda: (a(*X), (0.5,), a(3)), "mean", "a tuple"),
    },
)
values("standardize_images_forward", {"rank": (lambda: (a(3, 4),), "x", "(3, 4)")})
types("standardize_images_forward", {"bytes": (lambda: (a(*X, dtype=U8),), "x", "uint8")})
values(
    "mix_images_forward",
    {
        "partners": (lambda: (a(*X), labels(0), a(2)), "partners", "(2,)", "(1,)"),
        "stranger": (lambda: (a(*X), labels(0, 2), a(2)), "partners", "[0, 1]", "2"),
        "weights": (lambda: (a(*X), labels(1, 0), a(3)), "weights", "(2,)", "(3,)"),
    },
)
types("mix_images_forward", {"partners": (lambda: (a(*X), a(2), a(2)), "partners", "int64")})
