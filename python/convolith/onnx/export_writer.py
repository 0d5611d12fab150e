"""Two traces of a model become one ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

import convolith
from convolith.arithmetic import Reshape
from convolith.device import is_array, to_numpy
from convolith.onnx.export_graph import Array, Graph, Value, ints
from convolith.onnx.export_trace import Call, Trace
from convolith.onnx.exporters import EXPORTERS, REFUSED
from convolith.tensor import Tensor

Names = Sequence[str]


class Writer:
    """Writes a model down.

    Parameters
    ----------
    state : mapping of str to Tensor
        Parameters and buffers.
    first, second : Trace
        Of the same model and of different inputs.
    names : sequence of str
        What nodes must not be called.
    opset : int
    """

    def __init__(
        self, state: Mapping[str, Tensor], first: Trace, second: Trace, names: Names, opset: int
    ) -> None:
        self._first, self._second = first, second
        self._keys = {id(t._array): key for key, t in state.items()}
        self._values: dict[int, Value] = {}  # by the identity of an array of the first trace
        self._further: dict[int, str] = {}  # of those that have no name: which function made them
        self._graph = Graph(opset, {*state, *names})

    def write(self, name: str, input_names: Names, output_names: Names) -> Any:
        """The ModelProto of a graph called `name`, not yet checked."""
        graph = self._graph
        self._check_same_calls()
        inputs = list(zip(input_names, self._first.inputs, self._second.inputs, strict=True))
        for label, x, other in inputs:
            self._values[id(x._array)] = Value(label, _shape(x, other), x.dtype)
        for call, other_call in zip(self._first.calls, self._second.calls, strict=True):
            self._apply(call, other_call)
        outputs = list(zip(output_names, self._first.outputs, self._second.outputs, strict=True))
        for label, y, other in outputs:
            graph.name_output(self._value(y._array, other._array).name, label)
        opsets = [onnx.helper.make_opsetid("", graph.opset)]
        arrays = graph.initializers.items()
        return onnx.helper.make_model(
            onnx.helper.make_graph(
                graph.nodes,
                name,
                [self._describe(*each) for each in inputs],
                [self._describe(*each) for each in outputs],
                [onnx.numpy_helper.from_array(array, label) for label, array in arrays],
            ),
            opset_imports=opsets,
            ir_version=onnx.helper.find_min_ir_version_for(opsets),
            producer_name="convolith",
            producer_version=convolith.__version__,
        )

    def _check_same_calls(self) -> None:
        """Raise ValueError if the forward does not apply the same functions to every input."""
        first, second = ([call.function for call in t.calls] for t in (self._first, self._second))
        if first != second:
            raise ValueError(
                "export: forward applies other functions to another batch or to other values: "
                "a file has one graph for all"
            )

    def _apply(self, call: Call, other: Call) -> None:
        """Write one function."""
        name = call.function.__name__
        exporter = EXPORTERS.get(call.function)
        if exporter is None:
            reason = REFUSED.get(call.function, "no ONNX operators are known for it")
            raise ValueError(f"export: {name} cannot be exported: {reason}")
        args = [self._operand(name, *pair) for pair in zip(call.args, other.args, strict=True)]
        if call.function is not Reshape:  # which goes by the shapes
            for key, value in call.options.items():
                _check_same(name, value, other.options[key])
        y, other_y = call.outputs[0], other.outputs[0]
        self._graph.shape = _shape(y, other_y)
        label = exporter(self._graph, *args, **call.options)
        self._values[id(y._array)] = Value(label, self._graph.shape, y.dtype)
        self._further |= {id(further._array): name for further in call.outputs[1:]}

    def _operand(self, function: str, value: Any, other: Any) -> Any:
        """The Value of a tensor; whatever else a function takes stays what it is."""
        arrays = [x._array if isinstance(x, Tensor) else x for x in (value, other)]
        if all(map(is_array, arrays)):
            return self._value(*arrays)
        _check_same(function, value, other)
        return value

    def _value(self, array: Array, other: Array) -> Value:
        """The input, the result, the parameter or the constant that `array` is."""
        if id(array) in self._further:
            raise ValueError(
                f"export: the second output of {self._further[id(array)]}, indices, is used, "
                "and ONNX counts them otherwise"
            )
        if id(array) not in self._values:
            key = self._keys.get(id(array))
            self._values[id(array)] = self._constant(array, other, key)
        return self._values[id(array)]

    def _constant(self, array: Array, other: Array, key: str | None) -> Value:
        values, others = to_numpy(array), to_numpy(other)
        if key is not None:
            self._graph.initializers[key] = values
            return Value(key, values.shape, values.dtype)
        if np.array_equal(values, others):
            return Value(self._graph.constant(values), values.shape, values.dtype)
        return self._repeated(values, others)

    def _repeated(self, values: Array, others: Array) -> Value:
        """A constant that is the same for each sample, as often as there are samples."""
        one, shape = values[:1], _shape(values, others)
        if shape != (-1, *values.shape[1:]) or any((x != one).any() for x in (values, others)):
            raise ValueError(
                f"export: an array {values.shape} that no function of convolith made depends on "
                "the input; compute it with tensors and convolith.nn.functional"
            )
        samples = self._graph.node("Shape", self._first_input(), start=0, end=1)
        to = self._graph.node("Concat", samples, ints(shape[1:]), axis=0)
        return Value(self._graph.node("Expand", one, to), shape, values.dtype)

    def _first_input(self) -> Value:
        return self._values[id(self._first.inputs[0]._array)]

    def _describe(self, name: str, x: Tensor, other: Tensor) -> Any:
        """What the file says of an input or output."""
        helper = onnx.helper
        batch = [each.inputs[0].shape[:1] for each in (self._first, self._second)]
        lengths = zip(x.shape, other.shape, strict=True)
        shape = [
            m if m == n else "batch" if [(m,), (n,)] == batch else f"{name}_{axis}"
            for axis, (m, n) in enumerate(lengths)
        ]
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(x.dtype))
        return helper.make_tensor_value_info(name, kind, shape)


def _shape(x: Tensor | Array, other: Tensor | Array) -> tuple[int, ...]:
    """Its lengths, and -1 where those of the other run differ."""
    if len(x.shape) != len(other.shape):
        return ()
    return tuple(m if m == n else -1 for m, n in zip(x.shape, other.shape, strict=True))


def _check_same(function: str, value: Any, other: Any) -> None:
    if value != other:
        raise ValueError(
            f"export: an argument of {function} depends on the batch or on the input: "
            f"{value} and {other}"
        )
