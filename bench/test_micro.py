"""Micro-benchmarks of every primitive, for changes from one commit to the next.

Plain `pytest` does not collect them.

Examples
--------
python -m pytest bench/test_micro.py --benchmark-autosave
python -m pytest bench/test_micro.py -k conv2d --benchmark-compare
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convolith import primitives
from convolith.reference.elementwise import ACTIVATIONS

CONV_X, CONV_W, CONV_Y = (8, 64, 28, 28), (64, 64, 3, 3), (8, 64, 28, 28)
PLANES, HALVED, PLANE_1 = (16, 64, 56, 56), (16, 64, 28, 28), (16, 64, 1, 1)
ROWS, FLAT = (256, 1000), (1_000_000,)
N, I, O = 64, 512, 1000
IMAGES = (256, 3, 32, 32)
LOCAL_X, LOCAL_W, LOCAL_Y = (16, 144, 64), (64, 32, 144), (16, 32, 64)


class Draw:
    """Arguments, the same at every call."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape, dtype=np.float32)

    def labels(self) -> np.ndarray:
        return self.rng.integers(ROWS[1], size=ROWS[0])

    def indices(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.integers(PLANES[2] * PLANES[3], size=shape)


Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def positional(*shapes: tuple[int, ...], **options: Any) -> Callable[[Draw], Arguments]:
    """Arrays of these shapes, and options."""
    return lambda draw: (tuple(draw(*shape) for shape in shapes), options)


def pool_backward(draw: Draw, shape: tuple[int, ...]) -> Arguments:
    return (draw(*shape), draw.indices(shape), PLANES), {}


def probabilities(draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    x, target = (1 / (1 + np.exp(-draw(*PLANES))) for _ in "xt")
    return x, target


LOSSES = (
    *("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div"),
    *("binary_cross_entropy_with_logits", "hinge_loss", "hinge_embedding_loss"),
)
CALLS: dict[str, Callable[[Draw], Arguments]] = {
    "conv2d_forward": positional(CONV_X, CONV_W, (64,), padding=1),
    "conv2d_backward_input": lambda draw: (
        (draw(*CONV_Y), draw(*CONV_W), CONV_X),
        {"padding": 1},
    ),
    "conv2d_backward_weight": lambda draw: (
        (draw(*CONV_Y), draw(*CONV_X), CONV_W),
        {"padding": 1},
    ),
    "conv2d_backward_bias": positional(CONV_Y),
    "conv_transpose2d_forward": positional(CONV_Y, CONV_W, padding=1),
    "linear_forward": positional((N, I), (O, I), (O,)),
    "linear_backward_input": positional((N, O), (O, I)),
    "linear_backward_weight": positional((N, O), (N, I)),
    "linear_backward_bias": positional((N, O)),
    **{f"{name}_forward": positional(PLANES) for name in ACTIVATIONS},
    **{f"{name}_backward": positional(PLANES, PLANES) for name in ACTIVATIONS},
    "prelu_forward": positional(PLANES, (64,)),
    "prelu_backward": positional(PLANES, PLANES, (64,)),
    "maxout_forward": lambda draw: ((draw(*PLANES), 2), {}),
    "maxout_backward": lambda draw: ((draw(16, 32, 56, 56), draw(*PLANES), 2), {}),
    "add_forward": positional(PLANES, PLANES),
    "add_backward": lambda draw: ((draw(*PLANES), PLANE_1), {}),
    "subtract_forward": positional(PLANES, PLANES),
    "subtract_backward_b": lambda draw: ((draw(*PLANES), PLANE_1), {}),
    "multiply_forward": positional(PLANES, PLANE_1),
    "multiply_backward": lambda draw: ((draw(*PLANES), draw(*PLANES), PLANE_1), {}),
    "divide_forward": positional(PLANES, PLANE_1),
    "divide_backward_a": lambda draw: ((draw(*PLANES), draw(*PLANE_1), PLANES), {}),
    "divide_backward_b": positional(PLANES, PLANES, PLANE_1),
    "power_forward": lambda draw: ((draw(*PLANES), 2), {}),
    "power_backward": lambda draw: ((draw(*PLANES), draw(*PLANES), 2), {}),
    "sum_forward": positional(PLANES),
    "sum_backward": lambda draw: ((draw(), PLANES), {}),
    "mean_forward": lambda draw: ((draw(*PLANES), (2, 3)), {}),
    "mean_backward": lambda draw: ((draw(*PLANES[:2]), PLANES, (2, 3)), {}),
    "concat_forward": lambda draw: (([draw(*HALVED), draw(*HALVED)],), {}),
    "concat_backward": lambda draw: ((draw(*HALVED), [32, 32]), {}),
    "flatten_forward": positional(PLANES),
    "flatten_backward": lambda draw: ((draw(PLANES[0], 64 * 56 * 56), PLANES), {}),
    "pad2d_forward": lambda draw: ((draw(*PLANES), 1), {}),
    "pad2d_backward": lambda draw: ((draw(16, 64, 58, 58), PLANES, 1), {}),
    "interpolate2d_forward": lambda draw: ((draw(*HALVED), (56, 56)), {"mode": "bilinear"}),
    "interpolate2d_backward": lambda draw: (
        (draw(*PLANES), HALVED, (56, 56)),
        {"mode": "bilinear"},
    ),
    "unfold_forward": lambda draw: ((draw(*CONV_X), 3), {"padding": 1}),
    "fold_forward": lambda draw: ((draw(8, 64 * 9, 28 * 28), (28, 28), 3), {"padding": 1}),
    "local_linear_forward": positional(LOCAL_X, LOCAL_W),
    "local_linear_backward_input": positional(LOCAL_Y, LOCAL_W),
    "local_linear_backward_weight": positional(LOCAL_Y, LOCAL_X),
    "local_linear_backward_bias": positional(LOCAL_Y),
    "dropout_forward": positional(PLANES),
    "dropout_backward": positional(PLANES),
    "alpha_dropout_forward": positional(PLANES),
    "alpha_dropout_backward": positional(PLANES),
    "dropout_slices_forward": positional(PLANES),
    "dropout_slices_backward": positional(PLANES),
    "max_pool2d_forward": lambda draw: ((draw(*PLANES), 3), {"stride": 2, "padding": 1}),
    "max_pool2d_backward": lambda draw: pool_backward(draw, HALVED),
    "min_pool2d_forward": lambda draw: ((draw(*PLANES), 3), {"stride": 2, "padding": 1}),
    "min_pool2d_backward": lambda draw: pool_backward(draw, HALVED),
    "avg_pool2d_forward": lambda draw: ((draw(*PLANES), 2), {}),
    "avg_pool2d_backward": lambda draw: ((draw(*HALVED), PLANES, 2), {}),
    "adaptive_avg_pool2d_forward": lambda draw: ((draw(*PLANES), 7), {}),
    "adaptive_avg_pool2d_backward": lambda draw: ((draw(16, 64, 7, 7), PLANES), {}),
    "adaptive_max_pool2d_forward": lambda draw: ((draw(*PLANES), 7), {}),
    "adaptive_max_pool2d_backward": lambda draw: pool_backward(draw, (16, 64, 7, 7)),
    "global_avg_pool2d_forward": positional(PLANES),
    "global_avg_pool2d_backward": lambda draw: ((draw(*PLANE_1), PLANES), {}),
    "global_max_pool2d_forward": positional(PLANES),
    "global_max_pool2d_backward": lambda draw: pool_backward(draw, PLANE_1),
    "max_unpool2d_forward": lambda draw: pool_backward(draw, HALVED),
    "max_unpool2d_backward": lambda draw: ((draw(*PLANES), draw.indices(HALVED)), {}),
    "lp_pool2d_forward": lambda draw: ((abs(draw(*PLANES)), 2, 2), {}),
    "lp_pool2d_backward": lambda draw: (
        (draw(*HALVED), abs(draw(*PLANES)), abs(draw(*HALVED)), 2, 2),
        {},
    ),
    "batch_norm_forward": positional(PLANES, (64,), (64,), training=True),
    "batch_norm_backward": positional(PLANES, PLANES, (64,), (64,), (64,)),
    "layer_norm_forward": lambda draw: ((draw(*ROWS), (1000,), draw(1000), draw(1000)), {}),
    "layer_norm_backward": lambda draw: (
        (draw(*ROWS), draw(*ROWS), (1000,), draw(1000), draw(256), draw(256)),
        {},
    ),
    "group_norm_forward": lambda draw: ((draw(*PLANES), 32, draw(64), draw(64)), {}),
    "group_norm_backward": lambda draw: (
        (draw(*PLANES), draw(*PLANES), 32, draw(64), draw(16, 32), draw(16, 32)),
        {},
    ),
    "instance_norm_forward": positional(PLANES),
    "instance_norm_backward": lambda draw: (
        (draw(*PLANES), draw(*PLANES), None, draw(16, 64), draw(16, 64)),
        {},
    ),
    "local_response_norm_forward": lambda draw: ((draw(*PLANES), 5), {}),
    "local_response_norm_backward": lambda draw: ((draw(*PLANES), draw(*PLANES), 5), {}),
    "softmax_forward": positional(ROWS),
    "softmax_backward": positional(ROWS, ROWS),
    "log_softmax_forward": positional(ROWS),
    "log_softmax_backward": positional(ROWS, ROWS),
    "softmax_cross_entropy_forward": lambda draw: ((draw(*ROWS), draw.labels()), {}),
    "softmax_cross_entropy_backward": lambda draw: (
        (draw(), draw(*ROWS), draw.labels()),
        {},
    ),
    "clamped_log_forward": lambda draw: (probabilities(draw)[:1], {}),
    "clamped_log_backward": lambda draw: (probabilities(draw), {}),
    "nll_loss_forward": lambda draw: ((draw(*ROWS), draw.labels()), {}),
    "nll_loss_backward": lambda draw: ((draw(), draw(*ROWS), draw.labels()), {}),
    "multi_margin_loss_forward": lambda draw: ((draw(*ROWS), draw.labels()), {}),
    "multi_margin_loss_backward": lambda draw: ((draw(), draw(*ROWS), draw.labels()), {}),
    **{f"{loss}_forward": positional(PLANES, PLANES) for loss in LOSSES},
    **{f"{loss}_backward": positional((), PLANES, PLANES) for loss in LOSSES},
    "binary_cross_entropy_forward": lambda draw: (probabilities(draw), {}),
    "binary_cross_entropy_backward": lambda draw: ((draw(), *probabilities(draw)), {}),
    "rmse_loss_forward": positional(PLANES, PLANES),
    "rmse_loss_backward": positional((), (), PLANES, PLANES),
    "scale_forward": positional(FLAT, ()),
    "clip_forward": lambda draw: ((draw(*FLAT), 1.0), {}),
    "ema_step": positional(FLAT, FLAT),
    "sgd_step": positional(FLAT, FLAT, FLAT, momentum=0.9),
    "adam_step": lambda draw: ((*(draw(*FLAT) for _ in "pgm"), abs(draw(*FLAT))), {"step": 1}),
    "adadelta_step": lambda draw: (
        (*(draw(*FLAT) for _ in "pg"), *(abs(draw(*FLAT)) for _ in "sd")),
        {},
    ),
    "adagrad_step": lambda draw: ((*(draw(*FLAT) for _ in "pg"), abs(draw(*FLAT))), {}),
    "adamax_step": lambda draw: ((*(draw(*FLAT) for _ in "pgm"), abs(draw(*FLAT))), {"step": 1}),
    "nadam_step": lambda draw: (
        (*(draw(*FLAT) for _ in "pgm"), abs(draw(*FLAT))),
        {"step": 1, "mu": 0.9, "mu_next": 0.9, "mu_product": 0.9},
    ),
    "lars_step": positional(FLAT, FLAT, FLAT, momentum=0.9),
    "lamb_step": lambda draw: ((*(draw(*FLAT) for _ in "pgm"), abs(draw(*FLAT))), {"step": 1}),
    "rmsprop_step": lambda draw: ((*(draw(*FLAT) for _ in "pg"), abs(draw(*FLAT))), {}),
    "total_norm_forward": lambda draw: (([draw(*FLAT)],), {}),
    "crop_flip_forward": lambda draw: (
        (
            draw(*IMAGES),
            draw.rng.integers(-4, 5, (256, 2)),
            draw.rng.integers(2, size=(256, 2)),
            32,
        ),
        {},
    ),
    "warp_images_forward": positional(IMAGES, (256, 2, 3)),
    "blur_images_forward": positional(IMAGES, (9,)),
    "color_jitter_forward": lambda draw: (
        (abs(draw(*IMAGES)), abs(draw(256, 4)), np.tile(np.arange(4), (256, 1))),
        {},
    ),
    "normalize_images_forward": positional(IMAGES, (3,), (3,)),
    "standardize_images_forward": positional(IMAGES),
    "mix_images_forward": lambda draw: (
        (draw(*IMAGES), draw.rng.permutation(256), draw.rng.random(256, dtype=np.float32)),
        {},
    ),
}


@pytest.mark.parametrize("name", sorted(CALLS))
def test_primitive(benchmark: Any, name: str) -> None:
    args, kwargs = CALLS[name](Draw())
    benchmark(getattr(primitives, name), *args, **kwargs)
