"""Normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from convolith.nn.functional import normalization as functions
from convolith.onnx.export_graph import Array, Graph, Value, ints
from convolith.tensor import Function

Affine = Value | None


def _scale_and_shift(x: Value, weight: Affine, bias: Affine) -> tuple[Value | Array, Value | Array]:
    """Both, for operators that want them: ones and zeros for (C) where there are none."""
    channels = x.shape[1]
    return (
        np.ones(channels, x.dtype) if weight is None else weight,
        np.zeros(channels, x.dtype) if bias is None else bias,
    )


def batch_norm(
    g: Graph,
    x: Value,
    weight: Affine,
    bias: Affine,
    residual: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    *,
    training: bool,
    momentum: float,
    eps: float,
    activation: str,
) -> str:
    """A BatchNormalization; then residual and activation."""
    if training:
        raise ValueError(
            "export: BatchNorm without running statistics cannot be exported: "
            "ONNX normalises by the batch in training alone"
        )
    affine = _scale_and_shift(x, weight, bias)
    y = g.node("BatchNormalization", x, *affine, running_mean, running_var, epsilon=eps)
    if residual is not None:
        y = g.node("Add", y, residual)
    return g.node("Relu", y) if activation == "relu" else y


def layer_norm(
    g: Graph, x: Value, weight: Affine, bias: Affine, normalized_shape: tuple[int, ...], eps: float
) -> str:
    """A LayerNormalization."""
    scale = np.ones(normalized_shape, x.dtype) if weight is None else weight
    axis = -len(normalized_shape)
    return g.node("LayerNormalization", x, scale, bias, axis=axis, epsilon=eps)


def group_norm(
    g: Graph, x: Value, weight: Affine, bias: Affine, num_groups: int, eps: float
) -> str:
    """An InstanceNormalization of (N, G, *), each group one channel; then scale and shift."""
    groups = g.node("Reshape", x, ints((0, num_groups, -1)))
    ones, zeros = np.ones(num_groups, x.dtype), np.zeros(num_groups, x.dtype)
    y = g.node("InstanceNormalization", groups, ones, zeros, epsilon=eps)
    y = g.node("Reshape", y, ints((0, *x.shape[1:])))
    if weight is not None:
        y = g.node("Mul", y, per_channel(g, weight, x))
    return y if bias is None else g.node("Add", y, per_channel(g, bias, x))


def per_channel(g: Graph, vector: Value, x: Value) -> str:
    """(C) as (C, 1, ...), so that it broadcasts over x (N, C, *)."""
    return g.node("Reshape", vector, ints((-1, *[1] * (len(x.shape) - 2))))


def instance_norm(
    g: Graph, x: Value, weight: Affine, bias: Affine, *_: Any, momentum: float, eps: float
) -> str:
    """An InstanceNormalization."""
    affine = _scale_and_shift(x, weight, bias)
    return g.node("InstanceNormalization", x, *affine, epsilon=eps)


def local_response_norm(g: Graph, x: Value, size: int, alpha: float, beta: float, k: float) -> str:
    """An LRN, whose window of an even size lies otherwise."""
    if size % 2 == 0:
        raise ValueError(
            f"export: LocalResponseNorm of {size} channels, an even number, cannot be exported: "
            "ONNX has the window one channel further on"
        )
    return g.node("LRN", x, size=size, alpha=float(alpha), beta=float(beta), bias=float(k))


EXPORTERS: dict[type[Function], Any] = {
    functions.BatchNorm: batch_norm,
    functions.LayerNorm: layer_norm,
    functions.GroupNorm: group_norm,
    functions.InstanceNorm: instance_norm,
    functions.LocalResponseNorm: local_response_norm,
}
