"""Pooling."""

from __future__ import annotations

import numpy as np

from invalid.table import I64, X, a, types, values

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
values(
    "max_unpool2d_forward",
    {
        "index": (
            lambda: (a(2, 3, 4, 4), np.full((2, 3, 4, 4), 72, I64), X),
            *("indices", "72"),
        ),
        "indices_shape": (
            lambda: (a(2, 3, 4, 4), a(2, 3, 4, 5, dtype=I64), X),
            *("x", "indices", "(2, 3, 4, 5)"),
        ),
        "planes": (
            lambda: (a(2, 3, 4, 4), a(2, 3, 4, 4, dtype=I64), (2, 4, 8, 9)),
            *("output_shape", "(2, 4, 8, 9)"),
        ),
        "shape": (lambda: (a(2, 3, 4, 4), a(2, 3, 4, 4, dtype=I64), (8, 9)), "output_shape"),
    },
)
values(
    "max_unpool2d_backward",
    {
        "index": (lambda: (a(*X), np.full((2, 3, 4, 4), -1, I64)), "indices", "-1"),
        "planes": (lambda: (a(*X), a(2, 4, 4, 4, dtype=I64)), "indices", "(2, 4, 4, 4)"),
    },
)
types(
    "max_unpool2d_backward",
    {"indices_float": (lambda: (a(*X), a(2, 3, 4, 4)), "indices", "float32")},
)
values(
    "lp_pool2d_forward",
    {
        "rank": (lambda: (a(3, 8, 9), 2, 2), "x", "(3, 8, 9)"),
        "norm_zero": (lambda: (a(*X), 0, 2), "norm_type", "0"),
        "norm_infinite": (lambda: (a(*X), float("inf"), 2), "norm_type", "inf"),
        "kernel_too_large": (lambda: (a(*X), 2, 10), "10", "8"),
        "stride_zero": (lambda: (a(*X), 2, 2, {"stride": 0}), "stride", "0"),
    },
)
values(
    "lp_pool2d_backward",
    {
        "dy": (lambda: (a(2, 3, 3, 4), a(*X), a(2, 3, 4, 4), 2, 2), "dy", "(2, 3, 4, 4)"),
        "y": (lambda: (a(2, 3, 4, 4), a(*X), a(2, 3, 3, 4), 2, 2), "y", "(2, 3, 4, 4)"),
    },
)
