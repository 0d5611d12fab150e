"""Activations, and dropout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from convolith.nn import functional as F
from convolith.onnx.operators.arithmetic import where
from convolith.onnx.operators.table import Node, Value, number, operator
from convolith.tensor import Tensor

ALPHA, GAMMA = 1.6732632423543772, 1.0507009873554805  # of SELU
Activation = Callable[[Node, Tensor], Tensor]

SIMPLE: dict[str, Activation] = {
    "Relu": lambda node, x: F.relu(x),
    "LeakyRelu": lambda node, x: F.leaky_relu(x, node.get("alpha", 0.01)),
    "Elu": lambda node, x: F.elu(x, node.get("alpha", 1.0)),
    "Sigmoid": lambda node, x: F.sigmoid(x),
    "HardSwish": lambda node, x: F.hardswish(x),
    "Tanh": lambda node, x: F.tanh(x),
    "Softplus": lambda node, x: F.softplus(x),
    "Softsign": lambda node, x: F.softsign(x),
    "Gelu": lambda node, x: F.gelu(x, node.get("approximate", "none")),
    "Mish": lambda node, x: F.mish(x),
    "Swish": lambda node, x: F.silu(x, node.get("alpha", 1.0)),
}
for _name, _activation in SIMPLE.items():
    operator(_name)(_activation)


@operator("Selu")
def selu(node: Node, x: Tensor) -> Tensor:
    """Alpha and scale are attributes; ours are the paper's, which are the defaults."""
    alpha: float = node.get("alpha", ALPHA)
    gamma: float = node.get("gamma", GAMMA)
    if math.isclose(alpha, ALPHA, rel_tol=1e-6) and math.isclose(gamma, GAMMA, rel_tol=1e-6):
        return F.selu(x)
    return F.elu(x, alpha) * gamma


@operator("Celu")
def celu(node: Node, x: Tensor) -> Tensor:
    """ELU of a wider scale, continuous in its first derivative."""
    alpha: float = node.get("alpha", 1.0)
    return F.elu(x / alpha) * alpha


@operator("HardSigmoid")
def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    """PyTorch's is the one with alpha 1/6 and beta 1/2."""
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return F.hardsigmoid(x)
    return F.hardtanh(x * alpha + beta, 0.0, 1.0)


@operator("ThresholdedRelu")
def thresholded_relu(node: Node, x: Tensor) -> Tensor:
    """x where it is above alpha, else 0."""
    return where(np.asarray(x) > node.get("alpha", 1.0), x, Tensor(np.zeros((), x.dtype)))


@operator("PRelu")
def prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    """A slope for each channel has a kernel, one of any shape is put together."""
    channels = x.shape[1:2]
    if x.ndim > 1 and slope.shape == (*channels, *[1] * (x.ndim - 2)):
        return F.prelu(x, slope.reshape(*channels))
    return F.relu(x) - slope * F.relu(-x)


@operator("Clip", fixed=(1, 2))
def clip(node: Node, x: Value, low: Value | None = None, high: Value | None = None) -> Value:
    """Bounds are attributes before opset 11; the upper one wins where they cross."""
    least = node.get("min") if low is None else np.asarray(low).item()
    most = node.get("max") if high is None else np.asarray(high).item()
    if isinstance(x, np.ndarray):
        return x if least is None and most is None else np.clip(x, least, most)
    limits = np.finfo(x.dtype)
    least = float(limits.min) if least is None else max(least, float(limits.min))
    most = float(limits.max) if most is None else min(most, float(limits.max))
    return F.hardtanh(x, min(least, most), most)


@operator("Softmax", "LogSoftmax")
def softmax(node: Node, x: Tensor) -> Tensor:
    """Along an axis; before opset 13 over that axis and all that follow."""
    function = F.softmax if node.operator == "Softmax" else F.log_softmax
    if node.opset >= 13:
        return function(x, node.get("axis", -1))
    axis = node.get("axis", 1) % (x.ndim or 1)
    rows = math.prod(x.shape[:axis])
    return function(x.reshape(rows, math.prod(x.shape[axis:])), 1).reshape(x.shape)


@operator("Dropout", fixed=(1, 2))
def dropout(
    node: Node, x: Tensor, ratio: Value | None = None, training: Value | None = None
) -> Any:
    """Drops in training mode, or where the file says so; the mask is that of what was kept."""
    p = node.get("ratio", 0.5) if ratio is None else number(ratio)
    if not (node.training or (training is not None and number(training))):
        return (x, np.ones(x.shape, bool)) if node.makes(1) else x
    if not node.makes(1):
        return F.dropout(x, p)
    kept = F.dropout(Tensor(np.ones(x.shape, x.dtype)), p)
    return x * kept, kept.numpy() != 0
