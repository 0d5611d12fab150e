"""Pooling: sliding, adaptive and global."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import Arguments, case, few_values, integers, normal, with_infinities, with_nan
from convolith import reference

# Pooling: x, kernel_size, options.
POOL2D: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "2x2": ((2, 3, 8, 10), 2, {}),
    "2x2_wide": ((2, 3, 6, 56), 2, {}),
    "2x2_wide_tail": ((2, 3, 5, 81), 2, {}),
    "3x3_stride1": ((2, 3, 7, 18), 3, {"stride": 1}),
    "2x2_tail": ((2, 3, 9, 11), 2, {}),
    "3x3_stride2_padding1": ((2, 5, 13, 11), 3, {"stride": 2, "padding": 1}),
    "3x3_stride1_padding1": ((1, 4, 9, 21), 3, {"stride": 1, "padding": 1}),
    "5x5_stride1_padding2": ((1, 2, 11, 13), 5, {"stride": 1, "padding": 2}),
    "overlapping_alexnet": ((1, 3, 15, 15), 3, {"stride": 2}),
    "ceil_mode": ((2, 2, 8, 7), 3, {"stride": 2, "ceil_mode": True}),
    "ceil_mode_padding": ((1, 2, 7, 8), 3, {"stride": 3, "padding": 1, "ceil_mode": True}),
    "ceil_mode_drops_window": ((1, 2, 3, 3), 2, {"stride": 4, "padding": 1, "ceil_mode": True}),
    "stride_over_kernel": ((1, 2, 10, 11), 2, {"stride": 3}),
    "stride_over_input": ((1, 2, 5, 6), 3, {"stride": (2, 2**62)}),
    "stride_over_input_ceil_mode": (
        (1, 2, 5, 6),
        3,
        {"stride": (2**62, 4), "padding": 1, "ceil_mode": True},
    ),
    "asymmetric_padding": ((2, 2, 8, 9), 3, {"stride": 2, "padding": (0, 1, 1, 0)}),
    "rectangular": ((2, 2, 9, 8), (3, 2), {"stride": (1, 2), "padding": (1, 0)}),
    "1x1": ((2, 3, 5, 6), 1, {}),
    "1x1_stride2": ((2, 3, 5, 6), 1, {"stride": 2}),
    "whole_plane": ((2, 3, 5, 6), (5, 6), {}),
    "one_pixel": ((2, 3, 1, 1), 1, {}),
    "one_pixel_padded": ((2, 3, 1, 1), 3, {"padding": 1}),
    "long_row": ((1, 1, 1, 301), (1, 3), {"stride": (1, 2)}),
    "tall": ((1, 1, 301, 1), (3, 1), {"stride": (1, 1), "padding": (1, 0)}),
    "many_planes": ((3, 37, 6, 6), 2, {}),
    "large": ((1, 4, 61, 67), 3, {"stride": 2, "padding": 1}),
    "empty_batch": ((0, 3, 8, 10), 2, {}),
}
POOL2D_DILATED: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "dilation2": ((1, 2, 12, 13), 3, {"stride": 1, "dilation": 2}),
    "dilation_uneven_padding": (
        (1, 2, 11, 12),
        3,
        {"stride": 2, "padding": 1, "dilation": (2, 3), "ceil_mode": True},
    ),
}


def _extreme_rows(kind: str, name: str, row: Any, values: Callable[..., np.ndarray]) -> None:
    shape, kernel, options = row
    forward = getattr(reference, f"{kind}_forward")

    def build(rng: Generator, dtype: DTypeLike) -> Arguments:
        return (values(rng, shape, dtype), *([kernel] if kernel else [])), dict(options)

    def build_backward(rng: Generator, dtype: DTypeLike, gradient: Any = normal) -> Arguments:
        args, kwargs = build(rng, dtype)
        indices = forward(*args, **kwargs)[1]
        return (gradient(rng, indices.shape, dtype), indices, shape), {}

    case(f"{kind}_forward", name, build, exact=True)
    window = prod(shape[2:])
    case(f"{kind}_backward", name, build_backward, window)
    case(
        f"{kind}_backward",
        name + "_exact",
        lambda rng, dtype: build_backward(rng, dtype, integers),
        window,
        exact=True,
    )


for _kind in ("max_pool2d", "min_pool2d"):
    for _name, _row in {**POOL2D, **POOL2D_DILATED}.items():
        _extreme_rows(_kind, _name, _row, normal)
    _padded = ((2, 3, 9, 10), 3, {"stride": 1, "padding": 1})
    _wide = ((1, 3, 9, 40), 2, {"stride": 2})
    for _name, _values in (
        ("ties", few_values),
        ("nan", with_nan),
        ("infinities", with_infinities),
    ):
        _extreme_rows(_kind, f"{_name}_padded", _padded, _values)
        _extreme_rows(_kind, f"{_name}_2x2", _wide, _values)

for _name, (_x, _kernel, _options) in {
    **POOL2D,
    "without_padding": ((2, 2, 9, 8), 3, {"padding": 1, "count_include_pad": False}),
    "without_padding_asymmetric": (
        (1, 2, 8, 9),
        4,
        {"stride": 3, "padding": (2, 0, 1, 2), "ceil_mode": True, "count_include_pad": False},
    ),
    "ceil_mode_asymmetric": (
        (1, 2, 8, 9),
        4,
        {"stride": 3, "padding": (2, 0, 1, 2), "ceil_mode": True},
    ),
    "divisor": ((2, 2, 9, 8), 3, {"padding": 1, "divisor_override": 5}),
}.items():
    _dy = reference.avg_pool2d_forward(np.zeros(_x), _kernel, **_options).shape
    for _exact, _values in ((False, normal), (True, integers)):
        if _exact and _name not in ("2x2", "2x2_tail", "1x1"):
            continue  # the division is exact for powers of two only
        case(
            "avg_pool2d_forward",
            _name + "_exact" * _exact,
            lambda rng, dtype, x=_x, k=_kernel, o=_options, v=_values: (
                (v(rng, x, dtype), k),
                dict(o),
            ),
            prod(_x[2:]),
            exact=_exact,
        )
        case(
            "avg_pool2d_backward",
            _name + "_exact" * _exact,
            lambda rng, dtype, dy=_dy, x=_x, k=_kernel, o=_options, v=_values: (
                (v(rng, dy, dtype), x, k),
                dict(o),
            ),
            prod(_x[2:]),
            exact=_exact,
        )

# Adaptive and global pooling: x, output_size.
ADAPTIVE: dict[str, tuple[tuple[int, ...], Any]] = {
    "divides": ((2, 3, 8, 12), (4, 3)),
    "overlapping": ((2, 3, 7, 9), (5, 4)),
    "more_than_input": ((1, 2, 3, 4), (7, 5)),
    "one": ((2, 3, 7, 9), 1),
    "keeps_height": ((2, 3, 7, 9), (None, 3)),
    "same_size": ((2, 3, 5, 4), (5, 4)),
    "many_planes": ((2, 67, 6, 5), 3),
    "empty_batch": ((0, 3, 7, 9), 2),
}
GLOBAL: dict[str, tuple[tuple[int, ...], Any]] = {
    "7x7": ((2, 37, 7, 7), ()),
    "one_pixel": ((3, 2, 1, 1), ()),
    "large": ((1, 3, 61, 67), ()),
    "long_row": ((1, 2, 1, 301), ()),
    "empty_batch": ((0, 3, 7, 9), ()),
}
for _kind, _rows in (("adaptive", ADAPTIVE), ("global", GLOBAL)):
    for _name, (_x, _size) in _rows.items():
        _extreme_rows(f"{_kind}_max_pool2d", _name, (_x, _size, {}), normal)
        _args = (_size,) if _kind == "adaptive" else ()
        _dy = getattr(reference, f"{_kind}_avg_pool2d_forward")(np.zeros(_x), *_args).shape
        case(
            f"{_kind}_avg_pool2d_forward",
            _name,
            lambda rng, dtype, x=_x, args=_args: ((normal(rng, x, dtype), *args), {}),
            prod(_x[2:]),
        )
        case(
            f"{_kind}_avg_pool2d_backward",
            _name,
            lambda rng, dtype, x=_x, dy=_dy: ((normal(rng, dy, dtype), x), {}),
            prod(_x[2:]),
        )
    for _name, _values in (
        ("ties", few_values),
        ("nan", with_nan),
        ("infinities", with_infinities),
    ):
        _row = ((2, 3, 9, 17), (4, 5) if _kind == "adaptive" else (), {})
        _extreme_rows(f"{_kind}_max_pool2d", _name, _row, _values)

# Unpooling: indices of windows that touch, of windows that overlap, and any at all.
UNPOOL: dict[str, tuple[tuple[int, ...], Any, dict[str, Any]]] = {
    "2x2": ((2, 3, 8, 10), 2, {}),
    "2x2_tail": ((2, 5, 9, 11), 2, {}),
    "overlapping": ((2, 3, 7, 9), 3, {"stride": 1, "padding": 1}),
    "many_planes": ((3, 37, 6, 6), 2, {}),
    "one_pixel": ((2, 3, 1, 1), 1, {}),
    "empty_batch": ((0, 3, 8, 10), 2, {}),
}
for _name, (_x, _kernel, _options) in UNPOOL.items():

    def _unpooled(
        rng: Generator,
        dtype: DTypeLike,
        forward: bool,
        row: Any = (_x, _kernel, _options),
        values: Callable[..., np.ndarray] = integers,
    ) -> Arguments:
        shape, kernel, options = row
        indices = reference.max_pool2d_forward(normal(rng, shape, dtype), kernel, **options)[1]
        if forward:
            return (values(rng, indices.shape, dtype), indices, shape), {}
        return (normal(rng, shape, dtype), indices), {}

    for _exact, _values in ((False, normal), (True, integers)):
        case(
            "max_unpool2d_forward",
            _name + "_exact" * _exact,
            lambda rng, dtype, f=_unpooled, v=_values: f(rng, dtype, True, values=v),
            9,
            exact=_exact,
        )
    case(
        "max_unpool2d_backward",
        _name,
        lambda rng, dtype, f=_unpooled: f(rng, dtype, False),
        exact=True,
    )


def positive(rng: Generator, shape: Any, dtype: DTypeLike) -> np.ndarray:
    """Far enough from 0 for powers of them to keep their digits."""
    return np.asarray(rng.uniform(0.5, 2, shape)).astype(dtype)


def with_zeros(rng: Generator, shape: Any, dtype: DTypeLike) -> np.ndarray:
    """Whole windows of zeros."""
    x = positive(rng, shape, dtype)
    x[..., : shape[3] // 2] = 0
    return x


# Power-average pooling: values, x, norm, kernel size, options.
LP_POOL2D: dict[str, tuple[Callable[..., np.ndarray], tuple[int, ...], float, Any, Any]] = {
    "2x2": (normal, (2, 3, 8, 10), 2, 2, {}),
    "3x3_stride2": (normal, (2, 4, 9, 11), 2.0, 3, {"stride": 2}),
    "sum": (normal, (2, 3, 7, 8), 1, (2, 3), {"stride": 1}),
    "cubes": (positive, (1, 5, 6, 9), 3, 3, {"stride": (2, 1)}),
    "root": (positive, (1, 3, 6, 9), 1.5, 2, {}),
    "ceil_mode": (normal, (2, 2, 8, 7), 2, 3, {"stride": 2, "ceil_mode": True}),
    "zeros": (with_zeros, (2, 3, 6, 12), 2, 2, {}),
    "cubes_of_zeros": (with_zeros, (2, 3, 6, 12), 3, 2, {}),
    "many_planes": (normal, (2, 37, 4, 6), 2, 2, {}),
    "large": (normal, (1, 4, 33, 35), 2, 3, {"stride": 2}),
    "empty_batch": (normal, (0, 3, 8, 10), 2, 2, {}),
}
for _name, (_values, _x, _norm, _kernel, _options) in LP_POOL2D.items():

    def _pooled(
        rng: Generator,
        dtype: DTypeLike,
        row: Any = (_values, _x, _norm, _kernel, _options),
    ) -> Arguments:
        values, shape, norm, kernel, options = row
        x = values(rng, shape, dtype)
        y = np.asarray(reference.lp_pool2d_forward(x, norm, kernel, **options)).astype(dtype)
        return (normal(rng, y.shape, dtype), x, y, norm, kernel), dict(options)

    case(
        "lp_pool2d_forward",
        _name,
        lambda rng, dtype, v=_values, x=_x, n=_norm, k=_kernel, o=_options: (
            (v(rng, x, dtype), n, k),
            dict(o),
        ),
        prod(_x[2:]),
    )
    case("lp_pool2d_backward", _name, _pooled, prod(_x[2:]))
