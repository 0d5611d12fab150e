"""Pooling."""

from __future__ import annotations

from typing import Any

from gpu import LAYOUTS
from measure import Step
from operations.operand import Arrays, Op, planes

WINDOW = {"stride": 2, "padding": 1}


def _max_pool_backward(P: Any, a: Arrays) -> Step:
    x, dy = a.normal("planes"), a.normal("quarters")
    _, indices = P.max_pool2d_forward(x, 3, stride=2, padding=1)
    return lambda: P.max_pool2d_backward(dy, indices, x.shape)


def _max_pool_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    x, dy = a.normal("planes"), a.normal("quarters")
    _, indices = t.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True)
    window = [3, 3], [2, 2], [1, 1], [1, 1], False
    backward = t.ops.aten.max_pool2d_with_indices_backward
    return lambda: backward(dy, x, *window, indices)


def _avg_pool_backward(P: Any, a: Arrays) -> Step:
    dy, shape = a.normal("quarters"), a.shape("planes")
    return lambda: P.avg_pool2d_backward(dy, shape, 2)


def _avg_pool_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    dy, x = a.normal("quarters"), a.normal("planes")
    backward = t.ops.aten.avg_pool2d_backward
    return lambda: backward(dy, x, [2, 2], [2, 2], [0, 0], False, True, None)


OPS = {
    "max_pool2d fwd": planes(
        1.75,  # a quarter of the values, and indices of twice their size
        "planes",
        lambda P, x: P.max_pool2d_forward(x, 3, **WINDOW),
        lambda t, x: t.nn.functional.max_pool2d(x, 3, **WINDOW, return_indices=True),
    ),
    "max_pool2d bwd": Op("planes", 1.75, _max_pool_backward, _max_pool_backward_torch, LAYOUTS),
    "avg_pool2d fwd": planes(
        1.25,
        "planes",
        lambda P, x: P.avg_pool2d_forward(x, 2),
        lambda t, x: t.nn.functional.avg_pool2d(x, 2),
    ),
    "avg_pool2d bwd": Op("planes", 1.25, _avg_pool_backward, _avg_pool_backward_torch, LAYOUTS),
    "global_avg_pool2d fwd": planes(
        1,
        "planes",
        lambda P, x: P.global_avg_pool2d_forward(x),
        lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, 1),
    ),
}
