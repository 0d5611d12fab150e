"""How far a result may be from the reference: the one place where that is decided."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolith.device import bfloat16

Array = NDArray[Any]
Arguments = Mapping[str, Any]


def largest(*arrays: Array | None) -> float:
    """The largest finite absolute value in any of the arrays."""
    finite = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays if a is not None]
    return float(max(finite, default=0.0))


# TF32 keeps 10 bits of the mantissa: half a unit in the last place of each of a product's inputs.
TF32_ROUNDING = 2 * 2.0**-11


def tolerance(epsilon: float, length: int, magnitude: Any, inputs: float = 0.0) -> Any:
    """(epsilon * (16 + 4 sqrt(length)) + inputs) * magnitude.

    Rounding errors of a sum of `length` terms grow as sqrt(length): with a factor of 4 the bound
    of Higham & Mary (2019, "A new approach to probabilistic rounding error analysis", theorem 2.4)
    fails with a probability below 1e-3 in theory and never in practice, for it assumes one long
    chain and kernels sum in many lanes. 16 stands for the few operations beside the sum: bias,
    division, exponential, a transform. `magnitude` is the sum of the absolute terms, and `inputs`
    bounds what rounding does to a term before it is added.
    """
    return (epsilon * (16 + 4 * np.sqrt(max(length, 1))) + inputs) * magnitude


def training_tolerance(dtype: Any, layers: int) -> float:
    """How far losses of a network computed in a half may be from float32's, relative to the first.

    Of every layer input, parameters and output are rounded to the half in forward, dy, dx and dw in
    backward: 6 roundings of up to half an epsilon each, relative to what is rounded. They are
    independent, so their squares add, and a factor of 4 bounds the sum as in `tolerance`. A step
    goes astray by this share of itself; no share of all steps together is larger, and the losses
    are no further apart than by that share of the loss itself.
    """
    return float(4 * np.sqrt(6 * layers) * rounding(dtype) / 2)


# What NumPy's finfo would say of it.
BFLOAT16_EPS, BFLOAT16_TINY = 2.0**-7, 2.0**-126


def rounding(dtype: Any) -> float:
    return BFLOAT16_EPS if dtype is bfloat16 else float(np.finfo(dtype).eps)


def is_half(dtype: Any) -> bool:
    return dtype is bfloat16 or dtype == np.float16


def smallest_normal(dtype: Any) -> float:
    return BFLOAT16_TINY if dtype is bfloat16 else float(np.finfo(dtype).tiny)


def rounded_to(values: Array, dtype: Any) -> Array:
    """`values` as numbers of `dtype`, infinite where it overflows; of a half as float32."""
    if dtype is not bfloat16:
        with np.errstate(over="ignore"):
            rounded = values.astype(dtype)
        return rounded.astype(np.float32) if dtype == np.float16 else rounded
    with np.errstate(over="ignore"):
        bits = np.asarray(values, np.float32).view(np.uint32)
    even = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    return np.where(np.isnan(values), np.float32(np.nan), even.view(np.float32))


# Central differences with this step have an error of about step**2: half truncation, half rounding.
DIFFERENCE_STEP = rounding(np.float64) ** (1 / 3)
DIFFERENCE_ERROR = DIFFERENCE_STEP**2


def _absolute(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.asarray(np.abs(value))  # NumPy makes scalars of 0-d results
    return [_absolute(v) for v in value] if isinstance(value, list) else value


def _batch_norm_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # x - mean cancels: what was rounded is as large as x, then scaled by invstd.
    invstd = largest(results[2])
    spread = 1 + 2 * largest(a["x"], results[1]) * invstd
    scale = 1.0 if a["weight"] is None else largest(a["weight"])
    y = spread * scale + largest(a["bias"]) + largest(a["residual"])
    running_mean = largest(a["running_mean"], a["x"])
    running_var = largest(a["running_var"]) + spread**2 / invstd**2
    all_five = [y, largest(a["x"]), invstd * spread, running_mean, running_var]
    return all_five[: len(results)]


def _batch_norm_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    xhat = 1 + 2 * largest(a["x"], a["mean"]) * largest(a["invstd"])
    scale = largest(a["invstd"]) * (1.0 if a["weight"] is None else largest(a["weight"]))
    dy = largest(a["dy"])
    total = dy * (a["x"].size // a["x"].shape[1])
    return [scale * dy * (2 + xhat**2), total * xhat, total, dy][: len(results)]


def _log_softmax_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # x - max x is as large as the logits; the logarithm of the sum is at most log(size).
    return [2 * largest(a["x"]) + np.log1p(a["x"].size)]


def _cross_entropy_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    per_position = 2 * largest(a["x"]) + np.log1p(a["x"].size)
    if a["target"].dtype.kind == "f":
        per_position *= np.abs(a["target"]).sum(axis=1).max(initial=1.0)
    return [per_position * (a["target"].size if a["reduction"] == "sum" else 1), 1.0]


def _cross_entropy_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    total = np.abs(a["target"]).sum(axis=1).max(initial=1.0) if a["target"].dtype.kind == "f" else 1
    return [largest(a["dloss"]) * (1 + total)]


def _sum_along_dim(a: Arguments, results: Sequence[Array]) -> list[Any]:
    return [largest(a["dy"]) + largest(np.abs(a["dy"]).sum(axis=a["dim"]))]


# Where cancellation hides in the formula. Elsewhere the reference, given absolute values, adds up
# the absolute terms by itself.
_MAGNITUDES: dict[str, Callable[[Arguments, Sequence[Array]], list[Any]]] = {
    "batch_norm_forward": _batch_norm_forward,
    "batch_norm_backward": _batch_norm_backward,
    "log_softmax_forward": _log_softmax_forward,
    "softmax_backward": _sum_along_dim,
    "log_softmax_backward": _sum_along_dim,
    "softmax_forward": lambda a, results: [1.0],
    "softmax_cross_entropy_forward": _cross_entropy_forward,
    "softmax_cross_entropy_backward": _cross_entropy_backward,
    "tanh_backward": lambda a, results: [np.abs(a["dy"]) * (1 + a["y"] ** 2)],
}


# Winograd's F(4, 3) in one dimension: y = A [(G g) * (B d)], points 0, 1, -1, 2, -2, infinity.
_WINOGRAD_B = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_WINOGRAD_G = (
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
)
_WINOGRAD_A = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


def _winograd_amplification() -> float:
    """How much larger Winograd's rounding errors are than a plain sum's, for random data.

    Each of the 36 products has an error in proportion to its own size, which the inverse transform
    scales and adds up: independent errors, so squares add. The plain sum of three products has
    magnitude sqrt(3). Two dimensions square the ratio (Barabasz et al. 2020, "Error analysis and
    improving the accuracy of Winograd convolution"). The three directions are one trilinear form,
    of which another factor is the output; the largest of the three counts.
    """
    factors = [np.square(m) for m in (_WINOGRAD_A.T, _WINOGRAD_B, _WINOGRAD_G)]
    worst = 0.0
    for i, out in enumerate(factors):
        first, second = (f.sum(axis=1) for j, f in enumerate(factors) if j != i)
        worst = max(worst, float((out.T @ (first * second)).max()) / 3)
    return worst


def _may_be_winograd(a: Arguments) -> bool:
    if a.get("algo") != "auto":
        return a.get("algo") == "winograd"
    return tuple(a["weight_shape"] if "weight_shape" in a else a["w"].shape)[2:] == (3, 3)


def magnitudes(
    function: Callable[..., Any],
    bound: inspect.BoundArguments,
    results: Sequence[Array],
    length: int,
    run: Callable[..., list[Array]],
) -> list[Any]:
    """The `magnitude` of each result of a reference function.

    Without a reduction (length 1) it is known element by element; with one the largest counts,
    for an algorithm may mix neighbouring outputs (Winograd).
    """
    special = _MAGNITUDES.get(function.__name__)
    if special:
        return special(bound.arguments, results)
    arguments = {name: _absolute(value) for name, value in bound.arguments.items()}
    absolute = run(function, arguments)
    if _may_be_winograd(bound.arguments):
        absolute = [_winograd_amplification() * a for a in absolute]
    if function.__name__.endswith("_step"):  # |update| <= |param| + |param - update|
        param, *state = map(np.abs, absolute)
        return [2 * np.abs(bound.arguments["param"]) + param, *state]
    return [np.abs(r) if length == 1 else largest(r) for r in absolute]
