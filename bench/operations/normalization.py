"""Normalisation."""

from __future__ import annotations

from typing import Any

from gpu import LAYOUTS
from measure import Step
from operations.operand import Arrays, Op


def _batch_norm(P: Any, a: Arrays, training: bool) -> Step:
    x, weight, bias, statistics = _normalised(a)
    return lambda: P.batch_norm_forward(x, weight, bias, *statistics, training=training)[0]


def _batch_norm_torch(t: Any, a: Arrays, training: bool) -> Step:
    x, weight, bias, statistics = _normalised(a)
    forward = t.nn.functional.batch_norm
    return lambda: forward(x, *statistics, weight, bias, training=training)


def _batch_norm_backward(P: Any, a: Arrays) -> Step:
    x, weight, bias, _ = _normalised(a)
    dy = a.normal("planes")
    _, mean, invstd = P.batch_norm_forward(x, weight, bias, training=True)
    return lambda: P.batch_norm_backward(dy, x, weight, mean, invstd, training=True)


def _batch_norm_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    x, weight, bias, statistics = _normalised(a)
    dy = a.normal("planes")
    if x.is_cuda:  # the way of training, which chooses between PyTorch's own kernels and cuDNN's
        inputs = [array.requires_grad_() for array in (x, weight, bias)]
        with t.enable_grad():
            y = t.nn.functional.batch_norm(x, *statistics, weight, bias, training=True)
        return lambda: t.autograd.grad(y, inputs, dy, retain_graph=True)
    _, mean, invstd = t.native_batch_norm(x, weight, bias, *statistics, True, 0.1, 1e-5)
    backward, mask = t.ops.aten.native_batch_norm_backward, [True] * 3
    return lambda: backward(dy, x, weight, *statistics, mean, invstd, True, 1e-5, mask)


def _normalised(a: Arrays) -> tuple[Any, Any, Any, tuple[Any, Any]]:
    return a.normal("planes"), a.normal((64,)), a.normal((64,)), a.statistics()


OPS = {
    "batch_norm fwd": Op(
        "planes",
        2,
        lambda P, a: _batch_norm(P, a, True),
        lambda t, a, _: _batch_norm_torch(t, a, True),
        LAYOUTS,
    ),
    "batch_norm bwd": Op("planes", 3, _batch_norm_backward, _batch_norm_backward_torch, LAYOUTS),
    "batch_norm eval": Op(
        "planes",
        2,
        lambda P, a: _batch_norm(P, a, False),
        lambda t, a, _: _batch_norm_torch(t, a, False),
        LAYOUTS,
    ),
}
