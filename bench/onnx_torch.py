"""An ONNX file of ours in PyTorch: each node is a call of the function that PyTorch has for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, fx, nn

Ints = list[int]
# Whose results are no views: an activation may overwrite them, as it does in PyTorch's own zoo.
FRESH = {"Conv", "BatchNormalization", "Add", "Gemm", "Concat"}


def padded(x: Tensor, pads: Ints, value: float = 0.0) -> Tensor:
    """Images with the border that pads say."""
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


def ceil_mode(x: Tensor, kernel: Ints, strides: Ints, pads: Ints, dilations: Ints) -> bool | None:
    """What gives PyTorch, which pads both ends alike, the same windows; None if nothing does."""
    if pads[:2] == pads[2:]:
        return False
    axes = zip(x.shape[2:], kernel, strides, dilations, pads[:2], pads[2:], strict=True)
    for size, length, step, apart, before, after in axes:
        span = size + before - apart * (length - 1) - 1
        most = -(-(span + before) // step) + 1
        most -= (most - 1) * step >= size + before
        if most != (span + after) // step + 1:
            return None
    return True


def conv(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    *,
    kernel_shape: Ints,
    strides: Ints,
    pads: Ints,
    dilations: Ints,
    group: int,
) -> Tensor:
    """Conv of images."""
    if pads[:2] != pads[2:]:
        x, pads = padded(x, pads), [0, 0]
    return F.conv2d(x, w, bias, strides, pads[:2], dilations, group)


def max_pool(
    x: Tensor, *, kernel_shape: Ints, strides: Ints, pads: Ints, dilations: Ints
) -> Tensor:
    """MaxPool of images."""
    ceil = ceil_mode(x, kernel_shape, strides, pads, dilations)
    if ceil is None:
        x, pads = padded(x, pads, -torch.inf), [0, 0]
    return F.max_pool2d(x, kernel_shape, strides, pads[:2], dilations, bool(ceil))


def average_pool(
    x: Tensor,
    *,
    kernel_shape: Ints,
    strides: Ints,
    pads: Ints | None = None,
    count_include_pad: int = 0,
) -> Tensor:
    """AveragePool of images."""
    pads = pads or [0, 0, 0, 0]
    include = bool(count_include_pad)
    ceil = ceil_mode(x, kernel_shape, strides, pads, [1, 1])
    if include and ceil is not False:
        x, pads, ceil = padded(x, pads), [0, 0], False
    if ceil is None:
        raise ValueError(f"average_pool: pads are {pads} and do not count, which PyTorch lacks")
    return F.avg_pool2d(x, kernel_shape, strides, pads[:2], ceil, include)


def global_average_pool(x: Tensor) -> Tensor:
    """GlobalAveragePool."""
    return F.adaptive_avg_pool2d(x, 1)


def batch_norm(
    x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, var: Tensor, *, epsilon: float
) -> Tensor:
    """BatchNormalization."""
    return F.batch_norm(x, mean, var, scale, shift, eps=epsilon)


def local_response_norm(x: Tensor, *, size: int, alpha: float, beta: float, bias: float) -> Tensor:
    """LRN."""
    return F.local_response_norm(x, size, alpha, beta, bias)


def gemm(x: Tensor, w: Tensor, bias: Tensor | None = None, *, transB: int) -> Tensor:
    """Gemm, as linear layers have it."""
    return F.linear(x, w, bias) if transB else F.linear(x, w.T, bias)


def concat(*xs: Tensor, axis: int) -> Tensor:
    """Concat."""
    return torch.cat(xs, axis)


def reshape(x: Tensor, shape: Ints) -> Tensor:
    """Reshape; 0 keeps a dimension."""
    return x.reshape([n or x.shape[axis] for axis, n in enumerate(shape)])


def transpose(x: Tensor, *, perm: Ints) -> Tensor:
    """Transpose."""
    return x.permute(perm)


def reduce_mean(x: Tensor, *, axes: Ints, keepdims: int) -> Tensor:
    """ReduceMean up to opset 17."""
    return x.mean(axes, bool(keepdims))


def global_max_pool(x: Tensor) -> Tensor:
    """GlobalMaxPool."""
    return F.adaptive_max_pool2d(x, 1)


def silu_(x: Tensor) -> Tensor:
    """Silu, in place."""
    return F.silu(x, inplace=True)


def softmax(x: Tensor, *, axis: int) -> Tensor:
    """Softmax."""
    return F.softmax(x, axis)


def leaky_relu(x: Tensor, *, alpha: float) -> Tensor:
    """LeakyRelu."""
    return F.leaky_relu(x, alpha)


def hard_sigmoid(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """HardSigmoid, of which PyTorch has one with 1/6 and 0.5."""
    return F.hardsigmoid(x)


OPERATORS: dict[str, Any] = {
    "Add": torch.add,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Clip": torch.clamp,
    "Concat": concat,
    "Conv": conv,
    "Div": torch.div,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": F.hardswish,
    "LRN": local_response_norm,
    "LeakyRelu": leaky_relu,
    "MatMul": torch.matmul,
    "MaxPool": max_pool,
    "Mul": torch.mul,
    "ReduceMean": reduce_mean,
    "Relu": torch.relu,
    "Reshape": reshape,
    "Sigmoid": torch.sigmoid,
    "Silu": F.silu,  # see `joined`
    "Softmax": softmax,
    "Sub": torch.sub,
    "Tanh": torch.tanh,
    "Transpose": transpose,
}
IN_PLACE: dict[str, Any] = {"Clip": torch.clamp_, "Relu": torch.relu_, "Silu": silu_}


def joined(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes, with one Silu for each ``x * sigmoid(x)``: PyTorch has a function for it."""
    uses = Counter(name for node in nodes for name in node.input)
    sigmoids = {node.output[0]: node.input[0] for node in nodes if node.op_type == "Sigmoid"}
    kept, gone = [], set()
    for node in nodes:
        x, *others = node.input
        gate = others[0] if node.op_type == "Mul" else ""
        if sigmoids.get(gate) == x and uses[gate] == 1:
            gone.add(gate)
            node = onnx.helper.make_node("Silu", [x], node.output)
        kept.append(node)
    return [node for node in kept if node.output[0] not in gone]


def load(file: Path) -> fx.GraphModule:
    """The network in `file`, for evaluation.

    Raises
    ------
    ValueError
        If it has an operator that is not in `OPERATORS`.
    """
    graph = onnx.load(file).graph
    root, traced = nn.Module(), fx.Graph()
    values: dict[str, Any] = {x.name: traced.placeholder(x.name) for x in graph.input}
    for i, initializer in enumerate(graph.initializer):
        array = numpy_helper.to_array(initializer)
        if array.dtype.kind == "i" or not array.ndim:
            values[initializer.name] = array.tolist()
        else:
            weight = torch.from_numpy(array.copy())
            root.register_parameter(f"w{i}", nn.Parameter(weight, requires_grad=False))
            values[initializer.name] = traced.get_attr(f"w{i}")
    nodes = joined(list(graph.node))
    uses = Counter(name for node in nodes for name in node.input)
    made = {name: node.op_type for node in nodes for name in node.output}
    for node in nodes:
        if node.op_type not in OPERATORS:
            raise ValueError(f"{file}: PyTorch is not told what {node.op_type} is")
        function = OPERATORS[node.op_type]
        if uses[node.input[0]] == 1 and made.get(node.input[0]) in FRESH:
            function = IN_PLACE.get(node.op_type, function)
        inputs = tuple(values[name] if name else None for name in node.input)
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = traced.call_function(function, inputs, attributes)
    traced.output(values[graph.output[0].name])
    return fx.GraphModule(root, traced).eval()
