"""What is passed, which error comes, which words must be in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from convolith import _C, reference

F32, F64, I64 = np.float32, np.float64, np.int64


def a(*shape: int, dtype: Any = F32) -> np.ndarray:
    return np.ones(shape, dtype=dtype)


def labels(*values: Any) -> np.ndarray:
    return np.array(values, dtype=I64)


def read_only(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


def nan(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, dtype=F32)


@dataclass(frozen=True)
class Invalid:
    primitive: str
    name: str
    build: Callable[[], tuple[Any, ...]]  # positional arguments; a dict at the end is keywords
    error: type[Exception]
    words: tuple[str, ...]


INVALID: list[Invalid] = []
X = (2, 3, 8, 9)
NAN = float("nan")


def invalid(
    primitive: str, name: str, build: Callable[[], Any], error: type[Exception], *words: str
) -> None:
    INVALID.append(Invalid(primitive, name, build, error, words))


def values(primitive: str, rows: dict[str, tuple[Any, ...]]) -> None:
    for name, (build, *words) in rows.items():
        invalid(primitive, name, build, ValueError, *words)


def types(primitive: str, rows: dict[str, tuple[Any, ...]]) -> None:
    for name, (build, *words) in rows.items():
        invalid(primitive, name, build, TypeError, *words)


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

values(
    "linear_forward",
    {
        "features": (lambda: (a(4, 5), a(3, 6)), "5", "6", "(4, 5)", "(3, 6)"),
        "rank_of_w": (lambda: (a(4, 5), a(5)), "w", "(5,)"),
        "bias": (lambda: (a(4, 5), a(3, 5), a(5)), "bias", "(3,)", "(5,)"),
        "no_features": (lambda: (a(4, 0), a(3, 0)), "(4, 0)"),
        "scalar": (lambda: (a(), a(3, 5)), "x"),
        "out_shape": (lambda: (a(4, 5), a(3, 5), {"out": a(3, 4)}), "out", "(4, 3)", "(3, 4)"),
    },
)
types("linear_forward", {"mixed": (lambda: (a(4, 5), a(3, 5, dtype=F64)), "float32", "float64")})
values("linear_backward_input", {"features": (lambda: (a(4, 5), a(3, 6)), "5", "3")})
values("linear_backward_bias", {"scalar": (lambda: (a(),), "dy")})
values("linear_backward_weight", {"rows": (lambda: (a(4, 5), a(3, 5)), "(4, 5)", "(3, 5)")})

for _pool in ("max_pool2d_forward", "min_pool2d_forward", "avg_pool2d_forward"):
    values(
        _pool,
        {
            "rank": (lambda: (a(3, 8, 9), 2), "x", "(3, 8, 9)"),
            "no_rows": (lambda: (a(2, 3, 0, 9), 2), "x", "(2, 3, 0, 9)"),
            "kernel_zero": (lambda: (a(*X), 0), "kernel_size", "0"),
            "kernel_too_large": (lambda: (a(*X), 10), "10", "8"),
            "stride_zero": (lambda: (a(*X), 2, {"stride": 0}), "stride", "0"),
            "padding_negative": (lambda: (a(*X), 2, {"padding": -1}), "padding", "-1"),
            "padding_over_half": (lambda: (a(*X), 3, {"padding": 2}), "padding", "half", "2", "3"),
            "padding_over_half_side": (lambda: (a(*X), 3, {"padding": (0, 0, 0, 2)}), "padding"),
        },
    )
    types(
        _pool,
        {
            "int64": (lambda: (a(*X, dtype=I64), 2), "x", "int64"),
            "kernel_float": (lambda: (a(*X), 2.0), "kernel_size", "2.0"),
            "padding_name": (lambda: (a(*X), 2, {"padding": "same"}), "padding", "same"),
        },
    )
for _pool in ("max_pool2d_forward", "min_pool2d_forward"):
    values(_pool, {"dilation_zero": (lambda: (a(*X), 2, {"dilation": 0}), "dilation", "0")})
    types(_pool, {"out_is_one_array": (lambda: (a(*X), 2, {"out": a(2, 3, 4, 4)}), "out")})
    types(
        _pool,
        {
            "indices_int32": (
                lambda: (a(*X), 2, {"out": (a(2, 3, 4, 4), a(2, 3, 4, 4, dtype=np.int32))}),
                *("int64", "int32"),
            )
        },
    )
values(
    "avg_pool2d_forward",
    {"divisor_zero": (lambda: (a(*X), 2, {"divisor_override": 0}), "divisor_override", "0")},
)
values(
    "avg_pool2d_backward",
    {
        "dy_shape": (lambda: (a(2, 3, 3, 4), X, 2), "dy", "(2, 3, 3, 4)", "(2, 3, 4, 4)"),
        "input_shape": (lambda: (a(2, 3, 4, 4), (3, 8, 9), 2), "input_shape"),
    },
)
for _pool in ("max", "min", "adaptive_max", "global_max"):
    _P = 1 if _pool == "global_max" else 4
    values(
        f"{_pool}_pool2d_backward",
        {
            "index_too_large": (
                lambda P=_P: (a(2, 3, P, P), np.full((2, 3, P, P), 72, I64), X),
                *("72",),
            ),
            "index_negative": (
                lambda P=_P: (a(2, 3, P, P), np.full((2, 3, P, P), -1, I64), X),
                *("-1",),
            ),
            "indices_shape": (
                lambda P=_P: (a(2, 3, P, P), a(2, 3, P, P + 1, dtype=I64), X),
                *("indices",),
            ),
            "planes": (
                lambda P=_P: (a(2, 3, P, P), a(2, 3, P, P, dtype=I64), (2, 4, 8, 9)),
                *("(2, 4, 8, 9)",),
            ),
        },
    )
    types(
        f"{_pool}_pool2d_backward",
        {"indices_float": (lambda P=_P: (a(2, 3, P, P), a(2, 3, P, P), X), "indices", "float32")},
    )
for _pool in ("adaptive_avg_pool2d_forward", "adaptive_max_pool2d_forward"):
    values(
        _pool,
        {
            "rank": (lambda: (a(3, 8, 9), 2), "x", "(3, 8, 9)"),
            "size_zero": (lambda: (a(*X), 0), "output_size", "0"),
            "size_negative": (lambda: (a(*X), (2, -1)), "output_size", "-1"),
        },
    )
    types(_pool, {"size_float": (lambda: (a(*X), 2.5), "output_size", "2.5")})
values("adaptive_avg_pool2d_backward", {"planes": (lambda: (a(2, 4, 3, 3), X), "(2, 4, 3, 3)")})
values("global_avg_pool2d_forward", {"rank": (lambda: (a(3, 8, 9),), "x", "(3, 8, 9)")})
values("global_avg_pool2d_backward", {"dy": (lambda: (a(2, 3, 2, 2), X), "dy", "(2, 3, 2, 2)")})
values("global_max_pool2d_forward", {"rank": (lambda: (a(8, 9),), "x", "(8, 9)")})

TRAIN = {"training": True}
values(
    "batch_norm_forward",
    {
        "rank": (lambda: (a(5), TRAIN), "x", "(5,)"),
        "one_value": (lambda: (a(1, 3, 1, 1), TRAIN), "(1, 3, 1, 1)"),
        "no_statistics": (lambda: (a(4, 3),), "running_mean"),
        "no_running_var": (lambda: (a(4, 3), None, None, a(3)), "running_var"),
        "weight": (lambda: (a(4, 3), a(4), TRAIN), "weight", "(3,)", "(4,)"),
        "bias": (lambda: (a(4, 3), a(3), a(2), TRAIN), "bias", "(3,)", "(2,)"),
        "running_mean": (lambda: (a(4, 3), None, None, a(4), a(3)), "running_mean", "(3,)"),
        "running_read_only": (
            lambda: (a(4, 3), None, None, read_only(a(3)), a(3), TRAIN),
            *("running_mean", "read-only"),
        ),
        "eps_negative": (lambda: (a(4, 3), {**TRAIN, "eps": -1e-5}), "eps"),
        "eps_nan": (lambda: (a(4, 3), {**TRAIN, "eps": NAN}), "eps", "nan"),
        "momentum_nan": (lambda: (a(4, 3), {**TRAIN, "momentum": NAN}), "momentum", "nan"),
        "residual": (
            lambda: (a(4, 3), *[None] * 4, a(4, 1), TRAIN),
            *("residual", "(4, 1)", "(4, 3)"),
        ),
        "activation": (
            lambda: (a(4, 3), {**TRAIN, "activation": "elu"}),
            *("activation", "'identity' or 'relu'", "'elu'"),
        ),
    },
)
types(
    "batch_norm_forward",
    {
        "mixed": (lambda: (a(4, 3), a(3, dtype=F64), TRAIN), "weight", "float32", "float64"),
        "mixed_running": (
            lambda: (a(4, 3), None, None, a(3, dtype=F64), a(3), TRAIN),
            *("running_mean", "float64"),
        ),
        "mixed_residual": (
            lambda: (a(4, 3), *[None] * 4, a(4, 3, dtype=F64), TRAIN),
            *("residual", "float64", "float32"),
        ),
        "training_string": (lambda: (a(4, 3), {"training": "yes"}), "training", "yes"),
        "activation_type": (lambda: (a(4, 3), {**TRAIN, "activation": 1}), "activation", "a str"),
    },
)
values(
    "batch_norm_backward",
    {
        "dy": (lambda: (a(4, 2), a(4, 3), None, a(3), a(3)), "dy", "(4, 2)", "(4, 3)"),
        "mean": (lambda: (a(4, 3), a(4, 3), None, a(4), a(3)), "mean", "(3,)", "(4,)"),
        "bias": (lambda: (a(4, 3), a(4, 3), None, a(3), a(3), a(2)), "bias", "(3,)", "(2,)"),
        "y": (
            lambda: (a(4, 3), a(4, 3), None, a(3), a(3), None, a(3, 4), {"activation": "relu"}),
            *("y", "(3, 4)", "(4, 3)"),
        ),
        "y_without_activation": (
            lambda: (a(4, 3), a(4, 3), None, a(3), a(3), None, a(4, 3)),
            *("y is for an activation", "dy itself"),
        ),
    },
)

for _f in ("relu", "leaky_relu", "sigmoid", "tanh"):
    types(
        f"{_f}_forward",
        {
            "list": (lambda: ([1.0, 2.0],), "x", "list"),
            "int32": (lambda: (a(3, dtype=np.int32),), "x", "int32"),
            "out_dtype": (lambda: (a(3), {"out": a(3, dtype=F64)}), "out", "float32", "float64"),
        },
    )
    values(f"{_f}_forward", {"out": (lambda: (a(3), {"out": a(4)}), "out", "(3,)", "(4,)")})
    values(f"{_f}_backward", {"shapes": (lambda: (a(3), a(4)), "(3,)", "(4,)")})
    types(f"{_f}_backward", {"mixed": (lambda: (a(3), a(3, dtype=F64)), "float32", "float64")})
values("leaky_relu_forward", {"slope_nan": (lambda: (a(3), NAN), "negative_slope", "nan")})

for _f in ("softmax", "log_softmax"):
    values(
        f"{_f}_forward",
        {
            "dim": (lambda: (a(3, 4), 2), "dim", "2"),
            "dim_negative": (lambda: (a(3, 4), -3), "dim", "-3"),
        },
    )
    types(f"{_f}_forward", {"dim_float": (lambda: (a(3, 4), 1.0), "dim", "1.0")})
    values(f"{_f}_backward", {"shapes": (lambda: (a(3, 4), a(3, 5)), "(3, 4)", "(3, 5)")})


def cross_entropy(**options: Any) -> Callable[[], Any]:
    return lambda: (a(1, 4), labels(0), options)


values(
    "softmax_cross_entropy_forward",
    {
        "rank": (lambda: (a(4), labels(0)), "x", "(4,)"),
        "label_too_large": (lambda: (a(3, 4), labels(0, 4, 1)), "4", "1", "[0, 4)"),
        "label_negative": (lambda: (a(3, 4), labels(0, 1, -1)), "-1", "2", "[0, 4)"),
        "label_is_not_ignored": (lambda: (a(1, 4), labels(-100), {"ignore_index": 0}), "-100"),
        "target_length": (lambda: (a(3, 4), labels(0, 1)), "target", "(3,)", "(2,)"),
        "target_rank": (lambda: (a(3, 4), a(3, 1, dtype=I64)), "target", "(3, 1)"),
        "float_labels": (lambda: (a(3, 4), a(3)), "target", "(3,)"),
        "nan_probability": (lambda: (a(3, 4), nan(3, 4)), "target", "NaN"),
        "reduction": (cross_entropy(reduction="avg"), "reduction", "avg", "mean"),
        "smoothing": (cross_entropy(label_smoothing=1.5), "label_smoothing", "1.5"),
        "no_classes": (lambda: (a(3, 0), labels(0, 0, 0)), "(3, 0)"),
    },
)
types(
    "softmax_cross_entropy_forward",
    {
        "int32": (lambda: (a(2, 4), a(2, dtype=np.int32)), "target", "int32"),
        "list": (lambda: (a(2, 4), [0, 1]), "target", "list"),
        "mixed": (lambda: (a(2, 4), a(2, 4, dtype=F64)), "float32", "float64"),
        "ignore_index": (cross_entropy(ignore_index=0.5), "ignore_index", "0.5"),
    },
)
values(
    "softmax_cross_entropy_backward",
    {
        "dloss": (lambda: (a(2), a(2, 4), labels(0, 1)), "dloss", "(2,)"),
        "dloss_none": (
            lambda: (a(), a(2, 4), labels(0, 1), {"reduction": "none"}),
            *("dloss", "(2,)"),
        ),
        "label": (lambda: (a(), a(2, 4), labels(0, 7)), "7", "[0, 4)"),
    },
)

for _f in ("dropout_forward", "dropout_backward"):
    values(
        _f,
        {
            "p_large": (lambda: (a(3), 1.5), "p", "1.5"),
            "p_negative": (lambda: (a(3), -0.1), "p", "-0.1"),
            "p_nan": (lambda: (a(3), NAN), "p", "nan"),
        },
    )
    types(_f, {"seed_float": (lambda: (a(3), 0.5, {"seed": 1.5}), "seed", "1.5")})

values(
    "flatten_forward",
    {
        "dim": (lambda: (a(2, 3), 2), "start_dim", "2"),
        "end_dim": (lambda: (a(2, 3), 0, -3), "end_dim", "-3"),
        "order": (lambda: (a(2, 3, 4), 2, 1), "start_dim", "end_dim"),
    },
)
values("flatten_backward", {"size": (lambda: (a(2, 12), (2, 3, 5)), "(2, 12)", "(2, 3, 5)")})
values(
    "add_forward",
    {
        "shapes": (lambda: (a(2, 3), a(3)), "(2, 3)", "(3,)"),
        "out": (lambda: (a(2, 3), a(2, 3), {"out": a(3, 2)}), "out", "(3, 2)"),
    },
)
types("add_forward", {"mixed": (lambda: (a(3), a(3, dtype=F64)), "float32", "float64")})
values(
    "concat_forward",
    {
        "none": (lambda: ([],), "xs"),
        "shapes": (lambda: ([a(2, 3, 4), a(2, 3, 5)],), "(2, 3, 4)", "(2, 3, 5)"),
        "ranks": (lambda: ([a(2, 3), a(2, 3, 1)],), "(2, 3)", "(2, 3, 1)"),
        "dim": (lambda: ([a(2, 3), a(2, 3)], 2), "dim", "2"),
    },
)
types(
    "concat_forward",
    {
        "mixed": (lambda: ([a(2, 3), a(2, 3, dtype=F64)],), "float32", "float64"),
        "list": (lambda: ([a(2, 3), [1.0]],), "list"),
    },
)
values(
    "concat_backward",
    {
        "sizes": (lambda: (a(2, 7), [3, 3]), "7", "6"),
        "negative": (lambda: (a(2, 7), [9, -2]), "-2"),
        "out": (lambda: (a(2, 7), [3, 4], {"out": [a(2, 3)]}), "out"),
    },
)

values(
    "scale_forward",
    {
        "factor_shape": (lambda: (a(3), a(3)), "factor", "()", "(3,)"),
        "found_shape": (lambda: (a(3), a(), a(1)), "found_inf", "()", "(1,)"),
        "found_is_factor": (lambda: (a(3), *2 * (a(),)), "found_inf", "factor"),
        "found_read_only": (lambda: (a(3), a(), read_only(a())), "found_inf", "read-only"),
        "out_shape": (lambda: (a(3), a(), {"out": a(4)}), "out", "(3,)", "(4,)"),
    },
)
types(
    "scale_forward",
    {
        "mixed": (lambda: (a(3), a(dtype=F64)), "float32", "float64"),
        "found_mixed": (lambda: (a(3), a(), a(dtype=F64)), "found_inf", "float32", "float64"),
        "number": (lambda: (a(3), 2.0), "factor", "a float"),
    },
)

SGD = {"lr": 0.1, "momentum": 0.9}
values(
    "sgd_step",
    {
        "shapes": (lambda: (a(3), a(4)), "grad", "(3,)", "(4,)"),
        "no_velocity": (lambda: (a(3), a(3), SGD), "velocity", "momentum"),
        "velocity_shape": (lambda: (a(3), a(3), a(4), SGD), "velocity", "(3,)", "(4,)"),
        "nesterov": (lambda: (a(3), a(3), {"nesterov": True}), "nesterov", "momentum"),
        "nesterov_dampening": (
            lambda: (a(3), a(3), a(3), {**SGD, "nesterov": True, "dampening": 0.5}),
            *("nesterov", "dampening"),
        ),
        "lr_nan": (lambda: (a(3), a(3), {"lr": NAN}), "lr", "nan"),
        "lr_negative": (lambda: (a(3), a(3), {"lr": -0.1}), "lr", "-0.1"),
        "momentum_negative": (lambda: (a(3), a(3), a(3), {"momentum": -0.5}), "momentum", "-0.5"),
        "decay_negative": (lambda: (a(3), a(3), {"weight_decay": -1.0}), "weight_decay", "-1"),
        "velocity_alone": (lambda: (a(3), a(3), a(3)), "velocity", "momentum"),
        "read_only": (lambda: (read_only(a(3)), a(3)), "param", "read-only"),
        "not_contiguous": (lambda: (a(6)[::2], a(3)), "param", "contiguous"),
    },
)
types("sgd_step", {"mixed": (lambda: (a(3), a(3, dtype=F64)), "float32", "float64")})


def adam(**options: Any) -> Callable[[], Any]:
    return lambda: (a(3), a(3), a(3), a(3), {"step": 1, **options})


values(
    "adam_step",
    {
        "shapes": (lambda: (a(3), a(3), a(4), a(3), {"step": 1}), "exp_avg", "(3,)", "(4,)"),
        "step_zero": (adam(step=0), "step", "0"),
        "lr_nan": (adam(lr=NAN), "lr", "nan"),
        "beta1": (adam(beta1=1.0), "beta1", "1"),
        "beta2": (adam(beta2=-0.1), "beta2", "-0.1"),
        "eps": (adam(eps=-1.0), "eps", "-1"),
        "weight_decay": (adam(weight_decay=-1.0), "weight_decay", "-1"),
    },
)
types("adam_step", {"step_float": (adam(step=1.5), "step", "1.5")})


def family(primitive: str) -> str:
    return re.sub(r"_(forward|backward.*|step)$", "", primitive)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{row.primitive}-{row.name}") for row in INVALID]
)
def test_error_says_what_came_and_what_was_expected(row: Invalid) -> None:
    args = row.build()
    args, options = (args[:-1], args[-1]) if isinstance(args[-1], dict) else (args, {})
    arrays = [v for v in (*args, *options.values()) if isinstance(v, np.ndarray)]
    before = [v.copy() for v in arrays]
    with pytest.raises(row.error) as raised:
        getattr(_C, row.primitive)(*args, **options)
    message = str(raised.value)
    assert message.startswith(family(row.primitive) + ": ")
    assert "\n" not in message
    for word in row.words:
        assert word in message
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("primitive", ["conv2d_forward", "linear_forward", "max_pool2d_forward"])
def test_out_may_not_overlap_an_input(primitive: str) -> None:
    """Kernels read their inputs after they have begun to write."""
    x = a(1, 1, 4, 4)
    args, out = {
        "conv2d_forward": ((x, a(1, 1, 1, 1)), x),
        "linear_forward": ((x, a(4, 4)), x),
        "max_pool2d_forward": ((x, 1), (x, a(1, 1, 4, 4, dtype=I64))),
    }[primitive]
    with pytest.raises(ValueError, match=rf"^{family(primitive)}: .*shares memory"):
        getattr(_C, primitive)(*args, out=out)


def test_every_primitive_refuses_something() -> None:
    missing = set(reference.__all__) - {row.primitive for row in INVALID}
    assert not missing
