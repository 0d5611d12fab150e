"""A network written as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import onnx

from convolith.nn import Module
from convolith.nn.utils import evaluating
from convolith.onnx.export_trace import Trace, other_inputs, trace
from convolith.onnx.export_writer import Writer
from convolith.tensor import Tensor
from convolith.train.files import write_atomically

OLDEST_OPSET = 17  # the first with LayerNormalization
Example = Tensor | npt.NDArray[Any]


def export(
    model: Module,
    example: Example | tuple[Example, ...],
    path: str | os.PathLike[str] | None,
    *,
    input_names: Sequence[str] = ("input",),
    output_names: Sequence[str] = ("output",),
    opset: int = OLDEST_OPSET,
    dynamic_batch: bool = True,
) -> Any:
    """Write a network, in evaluation mode, as an ONNX file that other runtimes read.

    The forward runs on `example` and once more on other values: what it applies becomes the graph,
    whatever Python stands around it, so that a branch that the example does not take is not there.
    Parameters and buffers keep their keys of `state_dict`. The file is checked by onnx, types and
    shapes, before it is written.

    Parameters
    ----------
    model : Module
        Stays as it is, its modes too.
    example : Tensor, array, or tuple of them
        What forward takes. Its shape is that of the file's input, but for the batch.
    path : path or None
        None returns the model and writes nothing.
    input_names, output_names : sequence of str
        A name for each.
    opset : int
        17 or later.
    dynamic_batch : bool
        Whether the file takes any number of samples, the first dimension of its inputs; else that
        of the example alone.

    Returns
    -------
    onnx.ModelProto or None

    Raises
    ------
    ValueError
        If the forward applies a function that ONNX has no operators for, or computes with NumPy
        what depends on its input, or the names or the opset do not fit.
    TypeError
        If the model returns anything but tensors, or is of a dtype that ONNX runtimes lack.
    """
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ValueError(f"export: opset is {opset}, expected {OLDEST_OPSET} to {newest}")
    examples = example if isinstance(example, tuple) else (example,)
    inputs = tuple(x if isinstance(x, Tensor) else Tensor(x) for x in examples)
    if not examples:
        raise ValueError("export: the example is empty, expected what forward takes")
    state, names = model.state_dict(), (*input_names, *output_names)
    _check_names("inputs", input_names, len(inputs))
    _check_distinct((*state, *names))
    _check_dtypes({**state, **dict(zip(input_names, inputs, strict=True))})
    with evaluating(model):
        first = trace(model, inputs)
        second = _second_trace(model, inputs, dynamic_batch)
    _check_names("outputs", output_names, len(first.outputs))
    writer = Writer(state, first, second, names, opset)
    proto = writer.write(type(model).__name__, input_names, output_names)
    onnx.checker.check_model(proto, full_check=True)
    if path is None:
        return proto
    write_atomically(path, proto.SerializeToString())
    return None


def _second_trace(model: Module, inputs: tuple[Tensor, ...], dynamic_batch: bool) -> Trace:
    try:
        return trace(model, other_inputs(inputs, dynamic_batch))
    except ValueError as error:
        if not dynamic_batch:
            raise
        raise ValueError(
            f"export: the model takes no other batch than the example's ({error}); "
            "dynamic_batch=False exports that one alone"
        ) from error


def _check_names(what: str, names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise ValueError(f"export: there are {count} {what}, and the names are {tuple(names)}")


def _check_distinct(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"export: {name!r} names two things among the inputs, outputs and state_dict keys"
            )


def _check_dtypes(tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if str(tensor.dtype) == "bfloat16":
            raise TypeError(f"export: {name} is bfloat16; call .float() or .half() on the model")
