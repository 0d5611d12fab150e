"""Truth values, and what is chosen by them. Comparisons have no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convolith.device import Array
from convolith.onnx.operators.arithmetic import where
from convolith.onnx.operators.table import Node, Value, bounded, operator

COMPARISONS: dict[str, Callable[..., Any]] = {
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}


def _comparison(function: Callable[..., Any]) -> Callable[..., Any]:
    def compute(node: Node, a: Value, b: Value) -> Array:
        bounded(np.broadcast_shapes(a.shape, b.shape))
        result: Array = function(np.asarray(a), np.asarray(b))
        return result

    return compute


for _name, _function in COMPARISONS.items():
    operator(_name)(_comparison(_function))


@operator("Not")
def negation(node: Node, x: Array) -> Array:
    """Element by element."""
    return ~x


@operator("Where")
def choose(node: Node, condition: Array, a: Value, b: Value) -> Value:
    """`a` where the condition holds, else `b`."""
    bounded(np.broadcast_shapes(condition.shape, a.shape, b.shape))
    return np.where(condition, a, b) if isinstance(a, np.ndarray) else where(condition, a, b)
