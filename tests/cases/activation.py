"""Activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.elementwise import ELEMENTWISE
from cases.table import Arguments, case, few_values, normal, specials, with_nan

Options = dict[str, Any]

# What the element-wise ones are tried with; of several, each case takes one in turn.
ACTIVATIONS: dict[str, list[Options]] = {
    "relu": [{}],
    "relu6": [{}],
    "leaky_relu": [{}, {"negative_slope": 0.2}, {"negative_slope": 0}],
    "hardtanh": [{}, {"min_val": -0.3, "max_val": 2}],
    "hardsigmoid": [{}],
    "hardswish": [{}],
    "step": [{}, {"values": 0.5}],
    "elu": [{}, {"alpha": 0.3}],
    "selu": [{}],
    "sigmoid": [{}],
    "logsigmoid": [{}],
    "tanh": [{}],
    "softsign": [{}],
    "softplus": [{}, {"beta": 2.5, "threshold": 4}],
    "silu": [{}, {"beta": 1.702}],
    "mish": [{}],
    "gelu": [{}, {"approximate": "tanh"}],
}
# No rounding beyond that of the result.
EXACT = ("relu", "relu6", "hardtanh", "step")
# Whose backward takes the output.
_OUTPUT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": lambda x: 0.5 + 0.5 * np.tanh(x / 2),  # of a half, too, without overflow
    "tanh": np.tanh,
}


def _large(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Where exponentials overflow or vanish, and the way there."""
    ends = np.asarray([1e4, -1e4, 100, -100, 20, -20, 6, -6, 3, -3, 1, -1], dtype)
    return np.resize(ends, shape)


def _elementwise(name: str, options: list[Options]) -> None:
    exact, output = name in EXACT, _OUTPUT.get(name)

    def forward(case_name: str, fill: Callable[..., np.ndarray], shape: Any, o: Options) -> None:
        case(
            f"{name}_forward",
            case_name,
            lambda rng, dtype: ((fill(rng, shape, dtype),), dict(o)),
            exact=exact,
        )

    def backward(case_name: str, fill: Callable[..., np.ndarray], shape: Any, o: Options) -> None:
        def build(rng: Generator, dtype: DTypeLike) -> Arguments:
            x = fill(rng, shape, dtype)
            kept = x if output is None else np.asarray(output(x), dtype)
            return (normal(rng, shape, dtype), kept), dict(o)

        case(f"{name}_backward", case_name, build, exact=exact)

    for i, (case_name, shape) in enumerate(ELEMENTWISE.items()):
        for direction in (forward, backward):
            direction(
                case_name,
                lambda rng, s, dtype: normal(rng, s, dtype, 3),
                shape,
                options[i % len(options)],
            )
    for i, o in enumerate(options):
        forward(f"specials{i or ''}", specials, (29,), o)
        if output is None or name == "relu":
            backward(f"specials{i or ''}", specials, (29,), o)
            backward(f"large{i or ''}", _large, (31,), o)
        forward(f"large{i or ''}", _large, (31,), o)


for _name, _options in ACTIVATIONS.items():
    _elementwise(_name, _options)

# PReLU: x, slopes, how x is filled.
PRELU: dict[str, tuple[tuple[int, ...], int, Callable[..., np.ndarray]]] = {
    **{name: (shape, 1, normal) for name, shape in ELEMENTWISE.items()},
    "one_of_nchw": ((2, 3, 5, 7), 1, normal),
    "channels": ((2, 3, 5, 7), 3, normal),
    "channels_rank2": ((5, 37), 37, normal),
    "channels_rank2_several_blocks": ((2100, 19), 19, normal),
    "channels_rank3": ((3, 8, 11), 8, normal),
    "channels_rank5": ((2, 3, 2, 3, 2), 3, normal),
    "several_blocks_of_images": ((300, 2, 7, 11), 2, normal),
    "several_pieces": ((2, 2, 130, 131), 2, normal),
    "vectors_of_channels": ((3, 16, 5, 7), 16, normal),
    "one_channel": ((4, 1, 9), 1, normal),
    "channels_empty_batch": ((0, 3, 4), 3, normal),
    "zeros_of_both_signs": ((2, 3, 5, 7), 3, few_values),
    "nan": ((2, 3, 5, 7), 3, with_nan),
}


def _prelu(name: str) -> None:
    shape, slopes, fill = PRELU[name]

    def build(rng: Generator, dtype: DTypeLike) -> Arguments:
        return (fill(rng, shape, dtype), normal(rng, (slopes,), dtype)), {}

    def build_backward(rng: Generator, dtype: DTypeLike) -> Arguments:
        arguments, _ = build(rng, dtype)
        return (normal(rng, shape, dtype), *arguments), {}

    case("prelu_forward", name, build)
    case("prelu_backward", name, build_backward, int(np.prod(shape)) // slopes)


for _name in PRELU:
    _prelu(_name)

# Maxout: x, pieces, how x is filled.
MAXOUT: dict[str, tuple[tuple[int, ...], int, Callable[..., np.ndarray]]] = {
    "rank2": ((5, 6), 2, normal),
    "rank2_many": ((37, 700), 5, normal),
    "rank3": ((2, 6, 37), 3, normal),
    "nchw": ((2, 12, 5, 7), 4, normal),
    "one_piece": ((2, 3, 5), 1, normal),
    "one_output": ((3, 7, 17), 7, normal),
    "large_planes": ((2, 4, 61, 67), 2, normal),
    "ties": ((2, 12, 5, 7), 3, few_values),
    "ties_rank2": ((19, 12), 4, few_values),
    "nan": ((2, 12, 5, 7), 3, with_nan),
    "nan_rank2": ((19, 12), 4, with_nan),
    "empty_batch": ((0, 4, 5), 2, normal),
    "empty_plane": ((2, 4, 0), 2, normal),
}


def _maxout(name: str) -> None:
    shape, pieces, fill = MAXOUT[name]
    output = (shape[0], shape[1] // pieces, *shape[2:])
    case(
        "maxout_forward",
        name,
        lambda rng, dtype: ((fill(rng, shape, dtype), pieces), {}),
        exact=True,
    )
    case(
        "maxout_backward",
        name,
        lambda rng, dtype: ((normal(rng, output, dtype), fill(rng, shape, dtype), pieces), {}),
        exact=True,
    )


for _name in MAXOUT:
    _maxout(_name)
