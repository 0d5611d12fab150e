"""Convolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from invalid.table import F64, I64, a, read_only, types, values


def conv(**options: Any) -> Callable[[], Any]:
    return lambda: (a(2, 3, 8, 9), a(4, 3, 3, 3), options)


values(
    "conv2d_forward",
    {
        "channels": (
            lambda: (a(8, 3, 32, 32), a(16, 4, 3, 3)),
            *("3 channels", "4 per group", "1 group", "(8, 3, 32, 32)", "(16, 4, 3, 3)"),
        ),
        "rank_of_x": (lambda: (a(3, 8, 8), a(4, 3, 3, 3)), "x", "(3, 8, 8)"),
        "rank_of_w": (lambda: (a(2, 3, 8, 8), a(4, 27)), "w", "(4, 27)"),
        "bias_length": (lambda: (a(2, 3, 8, 8), a(4, 3, 3, 3), a(3)), "bias", "(4,)", "(3,)"),
        "bias_rank": (lambda: (a(2, 3, 8, 8), a(4, 3, 3, 3), a(1, 4)), "bias", "(1, 4)"),
        "no_rows": (lambda: (a(2, 3, 0, 8), a(4, 3, 3, 3)), "x", "(2, 3, 0, 8)"),
        "no_channels": (lambda: (a(2, 0, 8, 8), a(4, 0, 3, 3)), "(2, 0, 8, 8)"),
        "no_taps": (lambda: (a(2, 3, 8, 8), a(4, 3, 0, 3)), "w", "(4, 3, 0, 3)"),
        "kernel_too_large": (lambda: (a(2, 3, 4, 4), a(4, 3, 7, 7), {"padding": 1}), "7", "6"),
        "dilated_kernel_too_large": (lambda: (a(1, 1, 4, 4), a(1, 1, 3, 3), {"dilation": 2}), "5"),
        "stride_zero": (conv(stride=0), "stride", "0"),
        "stride_negative": (conv(stride=(1, -2)), "stride", "-2"),
        "dilation_zero": (conv(dilation=0), "dilation", "0"),
        "dilation_negative": (conv(dilation=-1), "dilation", "-1"),
        "padding_negative": (conv(padding=-1), "padding", "-1"),
        "padding_negative_side": (conv(padding=(0, 0, 0, -3)), "padding", "-3"),
        "padding_name": (conv(padding="full"), "padding", "full", "same", "valid"),
        "padding_mode": (conv(padding=1, padding_mode="mirror"), "padding_mode", "mirror"),
        "reflect_too_far": (conv(padding=(8, 0), padding_mode="reflect"), "reflect", "8"),
        "circular_too_far": (conv(padding=(0, 10), padding_mode="circular"), "circular", "10"),
        "groups_zero": (conv(groups=0), "groups", "0"),
        "groups_negative": (conv(groups=-1), "groups", "-1"),
        "groups_and_C": (lambda: (a(2, 5, 8, 8), a(4, 2, 3, 3), {"groups": 2}), "2", "5"),
        "groups_and_K": (lambda: (a(2, 4, 8, 8), a(5, 2, 3, 3), {"groups": 2}), "2", "5"),
        "algo": (conv(algo="fft"), "algo", "fft", "winograd"),
        "algo_gemm": (conv(algo="gemm"), "gemm", "1x1"),
        "algo_depthwise": (
            conv(algo="depthwise"),
            "depthwise",
            "one input channel and one filter per group",
        ),
        "winograd_stride": (conv(algo="winograd", stride=2), "winograd", "stride 1"),
        "winograd_dilation": (conv(algo="winograd", dilation=2), "winograd", "dilation 1"),
        "winograd_kernel": (
            lambda: (a(2, 3, 8, 9), a(4, 3, 5, 3), {"algo": "winograd"}),
            *("winograd", "3x3", "(2, 3, 8, 9)", "(4, 3, 5, 3)"),
        ),
        "winograd_groups": (
            lambda: (a(2, 4, 8, 9), a(4, 2, 3, 3), {"algo": "winograd", "groups": 2}),
            *("winograd", "groups = 1"),
        ),
        "activation": (conv(activation="swish"), "activation", "swish", "relu"),
        "residual_shape": (
            conv(residual=a(2, 4, 6, 6)),
            "residual",
            "(2, 4, 6, 6)",
            "(2, 4, 6, 7)",
        ),
        "out_shape": (conv(out=a(2, 4, 6, 6)), "out", "(2, 4, 6, 7)", "(2, 4, 6, 6)"),
        "out_not_contiguous": (conv(out=a(2, 4, 7, 6).swapaxes(2, 3)), "out", "contiguous"),
        "out_read_only": (conv(out=read_only(a(2, 4, 6, 7))), "out", "read-only"),
    },
)
types(
    "conv2d_forward",
    {
        "list": (lambda: ([[1.0]], a(4, 3, 3, 3)), "x", "list"),
        "algo": (conv(algo=1), "algo", "str", "1"),
        "residual_dtype": (conv(residual=a(2, 4, 6, 7, dtype=np.float64)), "residual", "float64"),
        "none": (lambda: (a(2, 3, 8, 8), None), "w", "None"),
        "int32": (lambda: (a(2, 3, 8, 8, dtype=np.int32), a(4, 3, 3, 3)), "x", "int32"),
        "int64": (lambda: (a(2, 3, 8, 8, dtype=I64), a(4, 3, 3, 3)), "x", "int64"),
        "float16": (lambda: (a(2, 3, 8, 8), a(4, 3, 3, 3, dtype=np.float16)), "w", "float16"),
        "complex": (lambda: (a(2, 3, 8, 8, dtype=np.complex64), a(4, 3, 3, 3)), "x", "complex64"),
        "big_endian": (lambda: (a(2, 3, 8, 8, dtype=">f4"), a(4, 3, 3, 3)), "x", ">f4"),
        "mixed": (
            lambda: (a(2, 3, 8, 8), a(4, 3, 3, 3, dtype=F64)),
            *("x", "w", "float32", "float64"),
        ),
        "mixed_bias": (
            lambda: (a(2, 3, 8, 8), a(4, 3, 3, 3), a(4, dtype=F64)),
            *("bias", "float32", "float64"),
        ),
        "stride_float": (conv(stride=1.5), "stride", "1.5"),
        "stride_triple": (conv(stride=(1, 1, 1)), "stride"),
        "padding_triple": (conv(padding=(1, 1, 1)), "padding"),
        "padding_none": (conv(padding=None), "padding", "None"),
        "groups_float": (conv(groups=1.0), "groups", "1.0"),
        "padding_mode_int": (conv(padding_mode=0), "padding_mode", "0"),
        "out_dtype": (conv(out=a(2, 4, 6, 7, dtype=F64)), "out", "float32", "float64"),
        "out_list": (conv(out=[1.0]), "out", "list"),
    },
)
values(
    "conv2d_backward_input",
    {
        "winograd_padding": (
            lambda: (
                a(1, 4, 12, 12),
                a(4, 3, 3, 3),
                (1, 3, 8, 8),
                {"algo": "winograd", "padding": 3},
            ),
            *("winograd", "at most 2"),
        ),
        "winograd_padding_mode": (
            lambda: (
                *(a(1, 4, 8, 8), a(4, 3, 3, 3), (1, 3, 8, 8)),
                {"algo": "winograd", "padding": 1, "padding_mode": "reflect"},
            ),
            *("winograd", "zeros"),
        ),
        "dy_shape": (
            lambda: (a(2, 4, 5, 7), a(4, 3, 3, 3), (2, 3, 8, 9)),
            *("dy", "(2, 4, 5, 7)", "(2, 4, 6, 7)"),
        ),
        "dy_channels": (lambda: (a(2, 5, 6, 7), a(4, 3, 3, 3), (2, 3, 8, 9)), "dy", "(2, 5, 6, 7)"),
        "batch": (lambda: (a(3, 4, 6, 7), a(4, 3, 3, 3), (2, 3, 8, 9)), "dy", "(3, 4, 6, 7)"),
        "input_shape_rank": (lambda: (a(2, 4, 6, 7), a(4, 3, 3, 3), (3, 8, 9)), "input_shape"),
        "input_channels": (lambda: (a(2, 4, 6, 7), a(4, 3, 3, 3), (2, 5, 8, 9)), "5", "3"),
        "negative_batch": (lambda: (a(2, 4, 6, 7), a(4, 3, 3, 3), (-2, 3, 8, 9)), "input_shape"),
    },
)
values(
    "conv2d_backward_weight",
    {
        "dy_shape": (
            lambda: (a(2, 4, 5, 7), a(2, 3, 8, 9), (4, 3, 3, 3)),
            *("dy", "(2, 4, 5, 7)", "(2, 4, 6, 7)"),
        ),
        "weight_shape_rank": (lambda: (a(2, 4, 6, 7), a(2, 3, 8, 9), (4, 3, 9)), "weight_shape"),
        "weight_channels": (lambda: (a(2, 4, 6, 7), a(2, 3, 8, 9), (4, 5, 3, 3)), "5", "3"),
        "weight_filters": (lambda: (a(2, 4, 6, 7), a(2, 3, 8, 9), (5, 3, 3, 3)), "(2, 4, 6, 7)"),
    },
)
types(
    "conv2d_backward_weight",
    {
        "mixed": (
            lambda: (a(1, 1, 1, 1), a(1, 1, 1, 1, dtype=F64), (1, 1, 1, 1)),
            "float32",
            "float64",
        )
    },
)
values("conv2d_backward_bias", {"rank": (lambda: (a(4, 5),), "dy", "(4, 5)")})
