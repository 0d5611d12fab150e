"""From onnx's messages to arrays, nodes and names, refusing what is broken."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, numpy_helper

from convolith.device import Array
from convolith.onnx.operators import OPERATORS, Node
from convolith.onnx.operators.sources import FLOATS, INTEGERS, type_name

OPSETS = range(7, onnx.defs.onnx_opset_version() + 1)


def read_model(path: str | os.PathLike[str]) -> ModelProto:
    """The file, and the weights that lie in files beside it.

    Raises
    ------
    ValueError
        If it is no ONNX file, or its weights are not below its own folder.
    """
    path = Path(path)
    model = ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"onnx: {path.name} is no ONNX file, or a part of one") from error
    check_model(model, path.name, path)
    _check_places(model, path)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise ValueError(f"onnx: {path.name}: {_sentence(error)}") from error
    return model


def _check_places(model: ModelProto, path: Path) -> None:
    """No link and no dots may lead out of the folder."""
    folder = path.parent.resolve()
    nodes = model.graph.node
    constants = [a.t for node in nodes for a in node.attribute if a.type == AttributeProto.TENSOR]
    for tensor in (*model.graph.initializer, *constants):
        for entry in tensor.external_data:
            if entry.key == "location" and not (folder / entry.value).resolve().is_relative_to(
                folder
            ):
                raise ValueError(
                    f"onnx: {path.name}: the numbers of {tensor.name!r} lie outside its folder, "
                    f"in {entry.value}"
                )


def check_model(model: ModelProto, label: str, path: Path | None = None) -> None:
    """Raise ValueError if the model cannot be run, or breaks onnx's own rules.

    With its path these are looked at as well: where the files of its weights may lie.
    """
    check_operators(model, label)
    check_wiring(model, label)
    try:
        onnx.checker.check_model(model if path is None else str(path))
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ValueError(f"onnx: {label}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def opset_of(model: ModelProto, label: str) -> int:
    """The version of the operators' definitions."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    version = int(versions.get("", versions.get("ai.onnx", 1)))
    if version not in OPSETS:
        raise ValueError(f"onnx: {label} has opset {version}, expected {OPSETS[0]} to {OPSETS[-1]}")
    return version


def check_operators(model: ModelProto, label: str) -> None:
    """Name everything that is not supported at once."""
    opset = opset_of(model, label)
    faults: dict[str, None] = {}
    for proto in model.graph.node:
        node = read_node(proto, opset, values=False)
        if proto.domain not in ("", "ai.onnx"):
            faults[f"{proto.domain}:{node}"] = None
        elif node.operator not in OPERATORS:
            faults[str(node)] = None
        elif reason := _reason(node):
            kind, place = str(node).split(" ", 1)
            faults[f"{kind} {reason} {place}"] = None
    if faults:
        raise ValueError(f"onnx: {label} needs {', '.join(faults)}: not supported")


def _reason(node: Node) -> str | None:
    """Why a node of a supported operator is not supported."""
    try:
        return OPERATORS[node.operator].refuses(node)
    except TypeError:
        return None  # an attribute of another type, which onnx's own check will name


def check_wiring(model: ModelProto, label: str) -> None:
    """Every value that is read has to be made before."""
    graph = model.graph
    if graph.sparse_initializer:
        raise ValueError(f"onnx: {label} has sparse initializers: not supported")
    _check_text(value.name for value in (*graph.input, *graph.output, *graph.initializer))
    if not graph.output:
        raise ValueError(f"onnx: {label} has no outputs")
    for value in graph.input:
        kind = value.type.tensor_type.elem_type  # 0 if it is no tensor
        if kind not in FLOATS and kind not in INTEGERS:
            what = f"of {type_name(kind)}" if kind else "no tensor"
            raise ValueError(f"onnx: {label}: its input {value.name!r} is {what}: not supported")
    made = {value.name for value in (*graph.input, *graph.initializer)}
    later = {name for node in graph.node for name in node.output}
    for proto in graph.node:
        for name in proto.input:
            if name and name not in made:
                fault = "only a later node makes (they form a cycle, or are not in order)"
                fault = fault if name in later else "nothing makes"
                node = read_node(proto, OPSETS[-1], values=False)
                raise ValueError(f"onnx: {label}: {node} reads {name!r}, which {fault}")
        made.update(proto.output)
    for output in graph.output:
        if output.name not in made:
            raise ValueError(f"onnx: {label}: nothing makes its output {output.name!r}")


def read_node(proto: NodeProto, opset: int, values: bool = True) -> Node:
    """The node with its attributes; without `values`, tensors among them are left out."""
    attributes = {
        attribute.name: _attribute(attribute) if values or not _holds_tensor(attribute) else None
        for attribute in proto.attribute
    }
    inputs, outputs = tuple(proto.input), tuple(proto.output)
    _check_text((proto.op_type, proto.name, *inputs, *outputs, *attributes))
    return Node(proto.op_type, proto.name, inputs, outputs, attributes, opset)


def _check_text(names: Iterable[Any]) -> None:
    """Broken text comes as bytes."""
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"onnx: a name is {name!r}, which is no text")


def _holds_tensor(attribute: AttributeProto) -> bool:
    return attribute.type not in (
        AttributeProto.FLOAT,
        AttributeProto.INT,
        AttributeProto.STRING,
        AttributeProto.FLOATS,
        AttributeProto.INTS,
        AttributeProto.STRINGS,
    )


def _attribute(proto: AttributeProto) -> Any:
    if proto.type == AttributeProto.TENSOR:
        return read_array(proto.t, proto.name)
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return list(value) if proto.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value


def read_array(proto: TensorProto, name: str) -> Array:
    """A copy of the numbers; of 16-bit floats in float32.

    Raises
    ------
    ValueError
        If their type has no place here, or they are not as many as the shape says.
    """
    if proto.data_type not in FLOATS and proto.data_type not in INTEGERS:
        raise ValueError(f"onnx: {name!r} is of {type_name(proto.data_type)}: not supported")
    if proto.data_location == TensorProto.EXTERNAL:
        raise ValueError(
            f"onnx: the numbers of {name!r} are in another file; load the model by its path"
        )
    dims = tuple(proto.dims)
    try:
        array = numpy_helper.to_array(proto)
    except (ValueError, TypeError) as error:
        raise ValueError(f"onnx: {name!r} has not the numbers of its shape {dims}") from error
    if array.shape != dims or array.size != math.prod(dims):
        raise ValueError(f"onnx: {name!r} has not the numbers of its shape {dims}")
    copy: Array = array.astype((FLOATS | INTEGERS)[proto.data_type])
    return copy
