"""Modules from ONNX files."""

from __future__ import annotations

import os

import numpy as np
from onnx import ModelProto

from convolith.device import Array
from convolith.nn import Buffer, Parameter
from convolith.onnx.graph import Graph
from convolith.onnx.operators import OPERATORS, Node
from convolith.onnx.operators.sources import constant
from convolith.onnx.reading import check_model, opset_of, read_array, read_model, read_node


def load(source: str | os.PathLike[str] | ModelProto) -> Graph:
    """Read an ONNX model, to run it or to train it further.

    Floats among the initializers become parameters, unless they are single numbers or stand where
    an operator learns nothing, such as the statistics of batch norm: those, and integers, become
    buffers. float16 and bfloat16 become float32, for which the CPU has kernels.

    Parameters
    ----------
    source : path or onnx.ModelProto
        Opset 7 or later. Weights may lie in files beside it, below its folder.

    Returns
    -------
    Graph
        In evaluation mode.

    Raises
    ------
    ValueError
        If it is broken, or needs something that is not supported: all of that is named.
    ImportError
        If onnx is missing.
    """
    if isinstance(source, ModelProto):
        label = source.graph.name or "the model"
        check_model(source, label)
        return _graph(source, label).eval()
    return _graph(read_model(source), os.path.basename(os.fspath(source))).eval()


def _graph(model: ModelProto, label: str) -> Graph:
    opset = opset_of(model, label)
    nodes = [read_node(proto, opset) for proto in model.graph.node]
    arrays = {proto.name: read_array(proto, proto.name) for proto in model.graph.initializer}
    learned = _learned(nodes)
    tensors: dict[str, Parameter | Buffer] = {
        name: Parameter(array) if _is_weight(array) and name in learned else Buffer(array)
        for name, array in arrays.items()
    }
    for node in nodes:
        if node.operator == "Constant":
            tensors[node.outputs[0]] = Buffer(np.asarray(constant(node)))
    return Graph(
        label,
        [node for node in nodes if node.operator != "Constant"],
        tensors,
        [value.name for value in model.graph.input if value.name not in arrays],
        [value.name for value in model.graph.output],
    )


def _learned(nodes: list[Node]) -> set[str]:
    """The values at inputs that may be learned."""
    return {
        name
        for node in nodes
        for position, name in enumerate(node.inputs)
        if position not in OPERATORS[node.operator].fixed
    }


def _is_weight(array: Array) -> bool:
    return array.dtype.kind == "f" and array.ndim > 0
