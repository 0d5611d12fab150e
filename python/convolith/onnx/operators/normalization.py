"""Normalisation. ONNX's momentum is the weight of the old value, its variances the population's."""

from __future__ import annotations

import math
from typing import Any

from convolith.device import full
from convolith.nn import functional as F
from convolith.onnx.operators.select import expand, reversed_channels
from convolith.onnx.operators.table import Node, bounded, operator
from convolith.tensor import Tensor


def _by_position(node: Node) -> str | None:
    return "with spatial 0" if node.get("spatial", 1) == 0 else None


@operator("BatchNormalization", fixed=(3, 4), refuses=_by_position)
def batch_norm(
    node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
) -> Any:
    """By the statistics of the batch where the file says so, or in training mode.

    The first gives new statistics as further outputs, the second writes them to the old ones.
    """
    eps = node.get("epsilon", 1e-5)
    asked = node.get("training_mode", int(node.opset < 14 and node.makes(1)))
    if not (asked or node.training):
        return F.batch_norm(x, mean, var, scale, bias, eps=eps)
    batch_mean, batch_var = (Tensor(full(s.shape, 0, s.dtype, s.device)) for s in (mean, var))
    y = F.batch_norm(x, batch_mean, batch_var, scale, bias, training=True, momentum=1.0, eps=eps)
    count = math.prod(x.shape) // x.shape[1]
    old = node.get("momentum", 0.9)
    new_mean = mean.detach() * old + batch_mean * (1 - old)
    new_var = var.detach() * old + batch_var * ((1 - old) * (count - 1) / count)
    if asked:
        return (y, new_mean, new_var)[: len(node.outputs)]
    mean.copy_(new_mean)
    var.copy_(new_var)
    return y


@operator("InstanceNormalization")
def instance_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Each channel of each sample."""
    return F.instance_norm(x, weight=scale, bias=bias, eps=node.get("epsilon", 1e-5))


@operator("GroupNormalization")
def group_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Before opset 21 there is a scale for each group, then for each channel."""
    groups, C = node.get("num_groups"), x.shape[1]
    if node.opset < 21 and scale.shape == (groups,) and C % groups == 0:
        scale, bias = (
            expand(v.reshape(groups, 1), (groups, C // groups)).reshape(C) for v in (scale, bias)
        )
    return F.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


@operator("LayerNormalization")
def layer_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Any:
    """From `axis` on; mean and inverse deviation are further outputs."""
    axis, eps = node.get("axis", -1) % (x.ndim or 1), node.get("epsilon", 1e-5)
    shape = x.shape[axis:]
    if scale.shape == shape and (bias is None or bias.shape == shape):
        y = F.layer_norm(x, shape, scale, bias, eps)
    else:
        y = F.layer_norm(x, shape, None, None, eps) * scale
        y = y if bias is None else y + bias
    if not (node.makes(1) or node.makes(2)):
        return y
    axes = tuple(range(axis, x.ndim))
    mean = x.mean(axes, keepdim=True)
    return y, mean, (((x - mean) ** 2).mean(axes, keepdim=True) + eps) ** -0.5


@operator("MeanVarianceNormalization")
def mean_variance_norm(node: Node, x: Tensor) -> Tensor:
    """The deviation, not the variance, has an epsilon: 1e-9."""
    axes = tuple(node.get("axes", (0, 2, 3)))
    centred = x - x.mean(axes, keepdim=True)
    return centred / ((centred**2).mean(axes, keepdim=True) ** 0.5 + 1e-9)


@operator("LRN")
def local_response_norm(node: Node, x: Tensor) -> Tensor:
    """An even window ends one channel later than it begins; ours is the mirror image of that."""
    size = node.get("size")
    bounded((x.shape[1] + size,))
    options = (size, node.get("alpha", 1e-4), node.get("beta", 0.75), node.get("bias", 1.0))
    if size % 2:
        return F.local_response_norm(x, *options)
    return reversed_channels(F.local_response_norm(reversed_channels(x), *options))
