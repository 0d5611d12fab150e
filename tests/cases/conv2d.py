"""Convolution."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import Arguments, case, integers, normal
from convolith import reference

# Convolution: x (N, C, H, W), w (K, C/G, R, S), options.
CONV2D: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "3x3": ((2, 5, 11, 13), (7, 5, 3, 3), {"padding": 1}),
    "3x3_stride2_tail": ((2, 4, 12, 9), (6, 4, 3, 3), {"stride": 2, "padding": 1}),
    "3x3_few_channels": ((1, 3, 17, 19), (21, 3, 3, 3), {"padding": 1}),
    "3x3_small_images": ((7, 8, 7, 7), (9, 8, 3, 3), {"padding": 1}),
    "1x1": ((2, 9, 7, 6), (5, 9, 1, 1), {}),
    "1x1_stride2": ((2, 9, 7, 6), (5, 9, 1, 1), {"stride": 2}),
    "1x1_deep": ((2, 300, 5, 5), (40, 300, 1, 1), {}),
    "1x1_many": ((5, 20, 14, 15), (70, 20, 1, 1), {}),
    "1x1_padded": ((1, 3, 4, 5), (2, 3, 1, 1), {"padding": (1, 2)}),
    "2x2_patches": ((2, 3, 8, 10), (5, 3, 2, 2), {"stride": 2}),
    "5x5_lenet": ((3, 1, 28, 28), (6, 1, 5, 5), {}),
    "7x7_stride2_stem": ((1, 3, 32, 31), (16, 3, 7, 7), {"stride": 2, "padding": 3}),
    "6x6_stride18_sixteen_channels": ((1, 16, 25, 24), (2, 16, 6, 6), {"stride": 18}),
    "11x11_stride4": ((1, 3, 35, 35), (8, 3, 11, 11), {"stride": 4, "padding": 2}),
    "1x7": ((2, 4, 6, 17), (3, 4, 1, 7), {"padding": (0, 3)}),
    "7x1": ((2, 4, 17, 6), (3, 4, 7, 1), {"padding": (3, 0)}),
    "stride_uneven": ((2, 3, 13, 14), (4, 3, 3, 2), {"stride": (2, 3), "padding": (1, 0)}),
    "stride_over_kernel": ((2, 3, 11, 12), (4, 3, 2, 2), {"stride": 3}),
    "depthwise": ((2, 19, 9, 10), (19, 1, 3, 3), {"padding": 1, "groups": 19}),
    "depthwise_stride2": ((2, 5, 9, 12), (5, 1, 3, 3), {"stride": 2, "padding": 1, "groups": 5}),
    "depthwise_multiplier2": ((2, 6, 9, 8), (12, 1, 3, 3), {"padding": 1, "groups": 6}),
    "depthwise_5x5_dilated": (
        (1, 7, 12, 37),
        (7, 1, 5, 5),
        {"padding": 4, "dilation": 2, "groups": 7},
    ),
    "depthwise_5x5": ((2, 3, 14, 14), (3, 1, 5, 5), {"padding": 2, "groups": 3}),
    "depthwise_7x7": ((1, 3, 15, 18), (3, 1, 7, 7), {"padding": 3, "groups": 3}),
    "depthwise_7x7_stride2": (
        (2, 3, 16, 15),
        (3, 1, 7, 7),
        {"stride": 2, "padding": 3, "groups": 3},
    ),
    # Small images stand side by side; the last group of them is not full.
    "depthwise_small_images": ((3, 4, 7, 7), (4, 1, 3, 3), {"padding": 1, "groups": 4}),
    "depthwise_5x5_small_images": ((5, 2, 7, 7), (2, 1, 5, 5), {"padding": 2, "groups": 2}),
    "depthwise_tiny_images": ((9, 2, 2, 3), (2, 1, 3, 3), {"padding": 1, "groups": 2}),
    "depthwise_stride2_small_images": (
        (3, 4, 14, 13),
        (4, 1, 3, 3),
        {"stride": 2, "padding": 1, "groups": 4},
    ),
    "depthwise_5x5_stride2": (
        (3, 3, 28, 27),
        (3, 1, 5, 5),
        {"stride": 2, "padding": 2, "groups": 3},
    ),
    "depthwise_5x5_stride2_odd_padding": (
        (2, 3, 9, 33),
        (3, 1, 5, 5),
        {"stride": 2, "padding": (3, 1), "groups": 3},
    ),
    "depthwise_same_stride2": (
        (2, 3, 16, 14),
        (3, 1, 3, 3),
        {"stride": 2, "padding": "same", "groups": 3},
    ),
    "depthwise_asymmetric_padding": (
        (2, 3, 9, 7),
        (3, 1, 3, 3),
        {"padding": (2, 0, 0, 4), "groups": 3},
    ),
    "depthwise_padding_over_kernel": (
        (2, 2, 4, 5),
        (2, 1, 3, 3),
        {"padding": 4, "groups": 2},
    ),
    "depthwise_valid": ((2, 2, 8, 21), (2, 1, 5, 5), {"groups": 2}),
    "depthwise_one_output": ((2, 3, 3, 3), (3, 1, 3, 3), {"groups": 3}),
    "depthwise_stride2_one_output": ((2, 3, 4, 4), (3, 1, 3, 3), {"stride": 2, "groups": 3}),
    "depthwise_multiplier2_stride2": (
        (2, 3, 9, 19),
        (6, 1, 3, 3),
        {"stride": 2, "padding": 1, "groups": 3},
    ),
    "depthwise_multiplier3": ((2, 2, 9, 8), (6, 1, 3, 3), {"padding": 1, "groups": 2}),
    "depthwise_3x5": ((2, 3, 9, 10), (3, 1, 3, 5), {"padding": (1, 2), "groups": 3}),
    "depthwise_stride_uneven": (
        (2, 3, 9, 10),
        (3, 1, 3, 3),
        {"stride": (2, 1), "padding": 1, "groups": 3},
    ),
    "depthwise_bands": ((1, 2, 61, 130), (2, 1, 3, 3), {"padding": 1, "groups": 2}),
    "depthwise_bands_stride2": (
        (1, 2, 123, 131),
        (2, 1, 5, 5),
        {"stride": 2, "padding": 2, "groups": 2},
    ),
    "depthwise_empty_batch": ((0, 3, 8, 9), (3, 1, 3, 3), {"padding": 1, "groups": 3}),
    "groups2": ((2, 6, 8, 9), (10, 3, 3, 3), {"padding": 1, "groups": 2}),
    "groups3_1x1": ((2, 27, 5, 7), (21, 9, 1, 1), {"groups": 3}),
    "groups2_fours": ((2, 8, 9, 10), (16, 4, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
    "groups2_stride2": ((1, 8, 9, 9), (6, 4, 3, 3), {"stride": 2, "groups": 2}),
    "dilation2": ((2, 4, 12, 13), (5, 4, 3, 3), {"padding": 2, "dilation": 2}),
    "dilation_uneven_stride": (
        (1, 3, 15, 16),
        (4, 3, 3, 3),
        {"stride": (2, 1), "padding": (1, 3), "dilation": (1, 3)},
    ),
    "asymmetric_padding": ((2, 3, 8, 9), (4, 3, 3, 3), {"padding": (2, 0, 1, 3)}),
    "asymmetric_padding_stride2": (
        (2, 3, 8, 9),
        (4, 3, 4, 3),
        {"stride": 2, "padding": (0, 1, 2, 1)},
    ),
    "padding_over_kernel": ((1, 2, 5, 6), (3, 2, 3, 3), {"padding": 4}),
    "valid": ((2, 3, 8, 9), (4, 3, 3, 3), {"padding": "valid"}),
    "same": ((2, 3, 8, 9), (4, 3, 5, 3), {"padding": "same"}),
    "same_even_kernel": ((2, 3, 8, 9), (4, 3, 4, 2), {"padding": "same"}),
    "same_stride2": ((2, 3, 8, 9), (4, 3, 3, 3), {"padding": "same", "stride": 2}),
    "same_stride3_dilated": (
        (1, 2, 13, 10),
        (3, 2, 3, 2),
        {"padding": "same", "stride": 3, "dilation": 2},
    ),
    "same_1x1_stride2": ((1, 2, 6, 7), (3, 2, 1, 1), {"padding": "same", "stride": 2}),
    "reflect": ((2, 3, 8, 9), (4, 3, 5, 5), {"padding": 2, "padding_mode": "reflect"}),
    "reflect_most": ((1, 2, 4, 5), (3, 2, 3, 3), {"padding": (3, 4), "padding_mode": "reflect"}),
    "replicate": ((2, 3, 8, 9), (4, 3, 5, 5), {"padding": 2, "padding_mode": "replicate"}),
    "replicate_far": ((1, 2, 3, 4), (3, 2, 3, 3), {"padding": 6, "padding_mode": "replicate"}),
    "circular": ((2, 3, 8, 9), (4, 3, 5, 5), {"padding": 2, "padding_mode": "circular"}),
    "circular_most": ((1, 2, 4, 5), (3, 2, 3, 3), {"padding": (4, 5), "padding_mode": "circular"}),
    "reflect_asymmetric_stride2": (
        (2, 4, 9, 8),
        (6, 2, 3, 3),
        {"stride": 2, "padding": (2, 1, 0, 3), "groups": 2, "padding_mode": "reflect"},
    ),
    "replicate_same_stride2": (
        (1, 3, 9, 8),
        (4, 3, 4, 4),
        {"stride": 2, "padding": "same", "padding_mode": "replicate"},
    ),
    "circular_depthwise_dilated": (
        (2, 5, 9, 8),
        (5, 1, 3, 3),
        {"padding": 2, "dilation": 2, "groups": 5, "padding_mode": "circular"},
    ),
    "reflect_1x1": ((1, 3, 4, 5), (2, 3, 1, 1), {"padding": 1, "padding_mode": "reflect"}),
    "kernel_larger_than_input_but_fits_padded": ((1, 2, 2, 2), (3, 2, 5, 5), {"padding": 2}),
    "kernel_is_input": ((3, 2, 5, 4), (3, 2, 5, 4), {}),
    "one_pixel": ((2, 3, 1, 1), (4, 3, 1, 1), {}),
    "one_pixel_3x3": ((2, 3, 1, 1), (4, 3, 3, 3), {"padding": 1}),
    "long_row": ((1, 2, 1, 300), (3, 2, 1, 3), {"padding": (0, 1)}),
    "tall": ((1, 2, 300, 1), (3, 2, 3, 1), {"padding": (1, 0)}),
    "many_channels": ((1, 70, 8, 8), (37, 70, 3, 3), {"padding": 1}),
    "many_filters": ((1, 3, 6, 7), (130, 3, 3, 3), {}),
    "few": ((1, 1, 3, 3), (1, 1, 2, 2), {}),
    "empty_batch": ((0, 3, 8, 9), (4, 3, 3, 3), {"padding": 1}),
    "tiles": ((1, 8, 56, 57), (16, 8, 3, 3), {"padding": 1}),
    "many_tiles": ((5, 20, 30, 31), (70, 20, 3, 3), {"padding": 1}),
    "stride_uneven_rows_apart": (
        (1, 1, 13, 2),
        (2, 1, 3, 2),
        {"stride": (2, 1), "padding": (0, 2), "dilation": 2},
    ),
    "many_taps_stride2": ((3, 20, 13, 12), (37, 20, 3, 3), {"stride": 2, "padding": 1}),
    "many_taps_small_images": ((4, 20, 5, 5), (70, 20, 3, 3), {"padding": 1}),
    "many_taps_stride_over_kernel": ((1, 20, 9, 10), (24, 20, 2, 2), {"stride": 3}),
    "many_taps_groups_dilated": (
        (2, 36, 11, 10),
        (66, 18, 3, 2),
        {"stride": (2, 1), "padding": (0, 2), "dilation": 2, "groups": 2},
    ),
    "many_taps_circular": (
        (2, 17, 9, 8),
        (18, 17, 5, 4),
        {"stride": 2, "padding": 2, "padding_mode": "circular"},
    ),
    "eights_stride2": ((2, 24, 9, 10), (40, 24, 3, 3), {"stride": 2, "padding": 1}),
    "eights_groups_dilated": (
        (2, 32, 7, 8),
        (48, 16, 3, 3),
        {"padding": 1, "dilation": 2, "groups": 2},
    ),
    "eights_1x1": ((1, 264, 6, 5), (136, 264, 1, 1), {}),
    "eights_reflect": ((2, 8, 9, 8), (16, 8, 5, 5), {"padding": 2, "padding_mode": "reflect"}),
    "eights_uneven": (
        (3, 72, 7, 6),
        (80, 72, 3, 2),
        {"stride": (2, 3), "padding": (2, 0, 1, 3), "dilation": (1, 2)},
    ),
    "eights_stride3_over_kernel": ((2, 40, 8, 9), (24, 40, 1, 2), {"stride": 3}),
    "eights_many_steps": ((2, 136, 5, 5), (72, 136, 3, 3), {"padding": 1}),
    "sixty_fours_groups": ((1, 128, 6, 7), (128, 64, 3, 3), {"padding": 1, "groups": 2}),
    "blocks": ((3, 130, 14, 15), (35, 130, 3, 3), {"stride": 2, "padding": 1}),
}
# What takes wgmma to its larger tiles, forward and for the input's gradient.
WGMMA_TILES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "tall": ((2, 64, 92, 93), (64, 64, 1, 1), {}),
    "large": ((1, 128, 92, 93), (128, 128, 1, 1), {}),
    "huge": ((2, 128, 93, 95), (128, 128, 2, 3), {}),
}
_WITHOUT_BIAS = {"1x1", "valid", "few", "groups2"}
_EXACT_TOO = {
    "3x3",
    "3x3_stride2_tail",
    "1x1",
    "1x1_deep",
    "depthwise",
    "depthwise_5x5_small_images",
    "depthwise_5x5_stride2",
    "depthwise_bands",
    "groups2",
    "dilation2",
    "same_stride2",
    "reflect",
    "many_channels",
    "many_taps_stride2",
    "tiles",
}


# Depthwise convolutions that the kernels for them leave to the packed one.
_NOT_DEPTHWISE = {
    "depthwise_5x5_dilated",
    "depthwise_multiplier2",
    "depthwise_multiplier2_stride2",
    "depthwise_multiplier3",
    "depthwise_3x5",
    "depthwise_stride_uneven",
    "depthwise_padding_over_kernel",
}
# Beside the packed kernel, which takes them all: which other algorithm is asked for by name.
_ALGORITHMS = {
    "winograd": [
        "3x3",
        "3x3_few_channels",
        "3x3_small_images",
        "asymmetric_padding",
        "valid",
        "many_channels",
        "many_filters",
        "padding_over_kernel",
        "one_pixel_3x3",
        "reflect_most",
        "replicate_far",
        "circular_most",
        "empty_batch",
        "tiles",
        "many_tiles",
    ],
    "depthwise": [
        name for name in CONV2D if name.startswith("depthwise") and name not in _NOT_DEPTHWISE
    ],
    "gemm": ["kernel_is_input", "one_pixel", "1x1", "1x1_stride2", "1x1_deep", "1x1_many"],
    "tensor_core": [
        name
        for name, (x, w, options) in CONV2D.items()
        if w[1] % 4 == 0 and w[0] // options.get("groups", 1) % 4 == 0
    ],
    "mma": ["eights_uneven", "sixty_fours_groups"],  # which tensor_core gives to wgmma
    "wgmma": [
        *(name for name in CONV2D if name.startswith("eights") and "groups" not in name),
        "sixty_fours_groups",
        *WGMMA_TILES,
    ],
}


def _takes_halves(algo: str, filters: int, per_group: int) -> bool:
    """Tensor cores take pieces of 16 bytes: four floats, or eight halves."""
    return algo != "tensor_core" or (filters % 8 == 0 and per_group % 8 == 0)


def _takes_floats(algo: str) -> bool:
    return algo != "wgmma"


def _serves(algo: str, column: str, options: dict[str, Any], multiplies: bool) -> bool:
    """Winograd's input gradient takes zero padding up to two, depthwise's no multiplier."""
    far = any(n > 2 for n in np.ravel(options.get("padding", 0)) if not isinstance(n, str))
    mode = options.get("padding_mode", "zeros")
    if column != "backward_input":
        return True
    return not (algo == "winograd" and (far or mode != "zeros")) and not (
        algo == "depthwise" and multiplies
    )


def _conv2d_rows(
    name: str, values: Callable[..., np.ndarray], algo: str, suffix: str = "", exact: bool = False
) -> None:
    x, w, options = (CONV2D | WGMMA_TILES)[name]
    one_channel = {key: value for key, value in options.items() if key != "groups"}
    plane = reference.conv2d_forward(
        np.zeros((1, 1, *x[2:])), np.zeros((1, 1, *w[2:])), **one_channel
    )
    dy = (x[0], w[0], *plane.shape[2:])
    bias = None if name in _WITHOUT_BIAS else w[:1]
    halves = _takes_halves(algo, w[0] // options.get("groups", 1), w[1])
    per_group, positions = w[0] // options.get("groups", 1), prod((dy[0], *dy[2:]))
    columns: dict[str, tuple[int, Callable[..., tuple[Any, ...]]]] = {
        "forward": (prod(w[1:]), lambda v: (v(x), v(w), *([v(bias)] if bias else []))),
        "backward_input": (per_group * prod(w[2:]), lambda v: (v(dy), v(w), x)),
        "backward_weight": (positions, lambda v: (v(dy), v(x), w)),
        "backward_bias": (positions, lambda v: (v(dy),)),
    }
    for column, (length, arguments) in columns.items():

        def build(
            rng: Generator, dtype: DTypeLike, column: str = column, arguments: Any = arguments
        ) -> Arguments:
            given = arguments(lambda shape: values(rng, shape, dtype))
            return given, {} if column == "backward_bias" else {**options, "algo": algo}

        once = column != "backward_bias" or algo == "direct"
        if once and _serves(algo, column, options, w[0] > x[1]):
            case(
                "conv2d_" + column,
                name + suffix,
                build,
                length,
                exact=exact,
                algo=algo,
                halves=halves,
                floats=_takes_floats(algo),
            )


for _name in CONV2D:
    _conv2d_rows(_name, normal, "direct")
    _conv2d_rows(_name, normal, "auto", "_auto")
for _name in sorted(_EXACT_TOO):
    _conv2d_rows(_name, integers, "direct", "_exact", exact=True)
for _algo, _names in _ALGORITHMS.items():
    for _name in _names:
        _conv2d_rows(_name, normal, _algo, "_" + _algo)


def _epilogue_rows(name: str, algo: str) -> None:
    """What may follow the sum: a residual, an activation, both."""
    x, w, options = CONV2D[name]
    y = reference.conv2d_forward(np.zeros(x), np.zeros(w), **options).shape
    for has_residual, activation in [(True, "identity"), (False, "relu"), (True, "relu")]:

        def build(
            rng: Generator,
            dtype: DTypeLike,
            has_residual: bool = has_residual,
            activation: str = activation,
        ) -> Arguments:
            residual = normal(rng, y, dtype) if has_residual else None
            arguments = normal(rng, x, dtype), normal(rng, w, dtype), normal(rng, w[:1], dtype)
            more = {"residual": residual, "activation": activation, "algo": algo}
            return arguments, {**options, **more}

        row = "_".join([name, algo, activation] + ["residual"] * has_residual)
        floats = _takes_floats(algo)
        case("conv2d_forward", row, build, prod(w[1:]), algo=algo, floats=floats)


for _name, _algo in [
    ("3x3_stride2_tail", "direct"),
    ("groups2", "direct"),
    ("tiles", "winograd"),
    ("3x3_small_images", "winograd"),
    ("kernel_is_input", "gemm"),
    ("1x1", "gemm"),
    ("1x1_stride2", "gemm"),
    ("depthwise_small_images", "depthwise"),
    ("depthwise_bands", "depthwise"),
    ("tiles", "tensor_core"),
    ("eights_uneven", "wgmma"),
]:
    _epilogue_rows(_name, _algo)
