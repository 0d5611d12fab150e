"""How far a result may be from the reference: the one place where that is decided."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolith import reference
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
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32 if dtype is bfloat16 else dtype)
    if dtype is not bfloat16:
        return rounded.astype(np.float32) if dtype == np.float16 else rounded
    bits = np.asarray(rounded).view(np.uint32)
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
    y = spread * scale + largest(a["bias"]) + largest(a.get("residual"))
    running_mean = largest(a.get("running_mean"), a["x"])
    running_var = largest(a.get("running_var")) + spread**2 / invstd**2 if invstd else 0
    all_five = [y, largest(a["x"]), invstd * spread, running_mean, running_var]
    return all_five[: len(results)]


def _batch_norm_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    xhat = 1 + 2 * largest(a["x"], a["mean"]) * largest(a["invstd"])
    scale = largest(a["invstd"]) * (1.0 if a["weight"] is None else largest(a["weight"]))
    dy = largest(a["dy"])
    total = dy * (a["x"].size // results[1].size)
    return [scale * dy * (2 + xhat**2), total * xhat, total, dy][: len(results)]


def _local_response_norm_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # alpha / size x_c x_j <= s_j: of `size` windows none adds more than 2 beta dy k**-beta.
    return [largest(a["dy"]) * a["k"] ** -a["beta"] * (1 + 2 * a["beta"] * a["size"])]


def _log_softmax_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # x - max x is as large as the logits; the logarithm of the sum is at most log(size).
    return [2 * largest(a["x"]) + np.log1p(a["x"].size)]


def _cross_entropy_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    per_position = 2 * largest(a["x"]) + np.log1p(a["x"].size)
    if a["target"].dtype.kind == "f":
        per_position *= np.abs(a["target"]).sum(axis=1).max(initial=1.0)
    per_position *= _class_weights(a)
    return [per_position * (a["target"].size if a["reduction"] == "sum" else 1), 1.0]


def _cross_entropy_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    total = np.abs(a["target"]).sum(axis=1).max(initial=1.0) if a["target"].dtype.kind == "f" else 1
    return [largest(a["dloss"]) * (1 + total) * _class_weights(a)]


def _class_weights(a: Arguments) -> float:
    """By how much weights may make a loss larger: a mean divides by them, too."""
    if a["weight"] is None:
        return 1.0
    return float(a["weight"].max() * max(1.0, 1 / a["weight"].min()))


def _of_the_result(a: Arguments, results: Sequence[Array]) -> list[Any]:
    """Its terms have one sign, and what is subtracted in them are arguments, which are exact."""
    return [np.abs(results[0])]


def _reduced(a: Arguments, terms: Array) -> Any:
    divisors = {"mean": terms.size, "batchmean": len(np.atleast_1d(terms))}
    if a["reduction"] == "none":
        return terms
    return terms.sum() / max(divisors.get(a["reduction"], 1), 1)


def _logits_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    weight, pos_weight = (1.0 if a[w] is None else a[w] for w in ("weight", "pos_weight"))
    count = a["x"].size if a["reduction"] == "mean" else 1
    return [np.abs(a["dloss"]) * weight * np.maximum(1, pos_weight * a["target"]) / count]


def _kl_div_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    if a["log_target"]:
        return [_reduced(a, np.exp(a["target"]) * np.abs(a["target"] - a["x"]))]
    entropy = np.log(np.where(a["target"] == 0, 1, a["target"]))
    return [_reduced(a, a["target"] * (np.abs(entropy) + np.abs(a["x"])))]


def _hinge_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    return [_reduced(a, (1 + np.abs(a["target"] * a["x"])) ** (1 + a["squared"]))]


def _hinge_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    missing = 2 * (1 + np.abs(a["target"] * a["x"])) if a["squared"] else 1
    count = a["x"].size if a["reduction"] == "mean" else 1
    return [np.abs(a["dloss"] * a["target"] * missing) / count]


def _multi_margin_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # What other scores miss, at most, and all of them in each of the rows.
    row = (a["margin"] + 2 * largest(a["x"])) ** a["p"] * (largest(a["weight"]) or 1.0)
    return [row * (len(a["x"]) if a["reduction"] == "sum" else 1)]


def _multi_margin_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    missing = 2 * (a["margin"] + 2 * largest(a["x"])) if a["p"] == 2 else 1.0
    return [largest(a["dloss"]) * missing * (largest(a["weight"]) or 1.0)]


def _sum_along_dim(a: Arguments, results: Sequence[Array]) -> list[Any]:
    return [largest(a["dy"]) + largest(np.abs(a["dy"]).sum(axis=a["dim"]))]


def _warp_images_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # A position is rounded, and the value changes by up to 2 largest(x) from pixel to pixel.
    h, w = a["x"].shape[2:]
    reach = largest(a["displacement"])
    positions = np.abs(a["matrices"]) @ np.array([w + reach, h + reach, 1.0])
    return [(1 + 4 * largest(positions)) * max(largest(a["x"]), abs(a["fill"]))]


def _color_jitter_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # A blend is as exact as its terms; turning the hue magnifies what was off by at most 4.
    blends = np.abs(a["factors"]) + np.abs(1 - a["factors"])
    return [4 * max(largest(a["x"]), a["peak"]) * blends[:, :3].prod(axis=1).max(initial=1.0)]


def _normalize_images_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    mean, std = (np.abs(a[name]).reshape(1, -1, 1, 1) for name in ("mean", "std"))
    return [(np.abs(a["x"]) + mean) / std]


def _standardize_images_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # x - mean cancels; what was rounded is as large as x, then divided.
    least = a["x"][0].size ** -0.5 if a["x"].size else 1.0
    deviation = max(least, a["x"].std((1, 2, 3)).min(initial=np.inf))
    return [np.abs(results[0]) + 2 * largest(a["x"]) / deviation]


def _mix_images_forward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    x = np.abs(a["x"].astype(np.float64))
    return [x + x[a["partners"]]]


def _prelu_backward(a: Arguments, results: Sequence[Array]) -> list[Any]:
    # Slopes have their part below 0.
    dx, dweight = reference.prelu_backward(np.abs(a["dy"]), -np.abs(a["x"]), np.abs(a["weight"]))
    return [dx + np.abs(a["dy"]), largest(dweight)]


# Where cancellation hides in the formula. Elsewhere the reference, given absolute values, adds up
# the absolute terms by itself.
_MAGNITUDES: dict[str, Callable[[Arguments, Sequence[Array]], list[Any]]] = {
    "batch_norm_forward": _batch_norm_forward,
    "batch_norm_backward": _batch_norm_backward,
    "group_norm_forward": _batch_norm_forward,
    "group_norm_backward": _batch_norm_backward,
    "instance_norm_forward": _batch_norm_forward,
    "instance_norm_backward": _batch_norm_backward,
    "layer_norm_forward": _batch_norm_forward,
    "layer_norm_backward": _batch_norm_backward,
    "local_response_norm_backward": _local_response_norm_backward,
    "log_softmax_forward": _log_softmax_forward,
    "softmax_backward": _sum_along_dim,
    "log_softmax_backward": _sum_along_dim,
    "softmax_forward": lambda a, results: [1.0],
    "softmax_cross_entropy_forward": _cross_entropy_forward,
    "softmax_cross_entropy_backward": _cross_entropy_backward,
    **{
        f"{loss}_{direction}": _of_the_result
        for loss in (
            *("mse_loss", "rmse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"),
            *("binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"),
            *("hinge_embedding_loss", "clamped_log"),
        )
        for direction in ("forward", "backward")
    },
    "binary_cross_entropy_with_logits_backward": _logits_backward,
    "kl_div_forward": _kl_div_forward,
    "hinge_loss_forward": _hinge_forward,
    "hinge_loss_backward": _hinge_backward,
    "multi_margin_loss_forward": _multi_margin_forward,
    "multi_margin_loss_backward": _multi_margin_backward,
    "warp_images_forward": _warp_images_forward,
    "color_jitter_forward": _color_jitter_forward,
    "normalize_images_forward": _normalize_images_forward,
    "standardize_images_forward": _standardize_images_forward,
    "mix_images_forward": _mix_images_forward,
    "tanh_backward": lambda a, results: [np.abs(a["dy"]) * (1 + a["y"] ** 2)],
    "logsigmoid_forward": lambda a, results: [1 + np.abs(a["x"])],  # of -|x| it is the larger one
    "logsigmoid_backward": lambda a, results: [np.abs(a["dy"])],
    "prelu_backward": _prelu_backward,
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
    if arguments.get("maximize"):
        arguments["maximize"] = False
    absolute = run(function, arguments)
    if _may_be_winograd(bound.arguments):
        absolute = [_winograd_amplification() * a for a in absolute]
    if function.__name__.endswith("_step"):  # |update| <= |param| + |param - update|
        # Absolute terms have larger norms, by which a trust ratio divides.
        pairs = zip(absolute, results, strict=True)
        param, *state = [np.maximum(np.abs(a), np.abs(r)) for a, r in pairs]
        return [2 * np.abs(bound.arguments["param"]) + param, *state]
    return [np.abs(r) if length == 1 else largest(r) for r in absolute]
