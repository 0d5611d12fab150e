"""Softmax and the loss that ends in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from measure import Step
from operations.operand import Arrays, Op, rows


def _cross_entropy(P: Any, a: Arrays) -> Step:
    x, labels = a.normal("rows"), a.labels()
    return lambda: P.softmax_cross_entropy_forward(x, labels)[0]


def _cross_entropy_torch(t: Any, a: Arrays, _: str) -> Step:
    x, labels = a.normal("rows"), a.labels()
    return lambda: t.nn.functional.cross_entropy(x, labels)


def _cross_entropy_backward(P: Any, a: Arrays) -> Step:
    x, labels = a.normal("rows"), a.labels()
    loss, probs = P.softmax_cross_entropy_forward(x, labels)
    dloss = a.convert(np.ones(loss.shape, np.float32))
    return lambda: P.softmax_cross_entropy_backward(dloss, probs, labels)


def _cross_entropy_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    x, labels = a.normal("rows"), a.labels()
    logs, aten = t.log_softmax(x, 1), t.ops.aten
    loss, weight = aten.nll_loss_forward(logs, labels, None, 1, -100)

    def step() -> Any:
        dlogs = aten.nll_loss_backward(t.ones_like(loss), logs, labels, None, 1, -100, weight)
        return aten._log_softmax_backward_data(dlogs, logs, 1, t.float32)

    return step


OPS = {
    "softmax fwd": rows(2, 1, lambda P, x: P.softmax_forward(x), lambda t, x: t.softmax(x, 1)),
    "softmax bwd": rows(
        3,
        2,
        lambda P, dy, y: P.softmax_backward(dy, y),
        lambda t, dy, y: t.ops.aten._softmax_backward_data(dy, y, 1, t.float32),
    ),
    "log_softmax fwd": rows(
        2, 1, lambda P, x: P.log_softmax_forward(x), lambda t, x: t.log_softmax(x, 1)
    ),
    "log_softmax bwd": rows(
        3,
        2,
        lambda P, dy, y: P.log_softmax_backward(dy, y),
        lambda t, dy, y: t.ops.aten._log_softmax_backward_data(dy, y, 1, t.float32),
    ),
    "cross_entropy fwd": Op("rows", 2, _cross_entropy, _cross_entropy_torch),
    "cross_entropy bwd": Op("rows", 2, _cross_entropy_backward, _cross_entropy_backward_torch),
}
