"""The ONNX graph while it is written: names, nodes, constants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes
    ----------
    name : str
    shape : tuple of int
        -1 where the length depends on the batch.
    dtype : dtype
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def called(self, name: str) -> Value:
        """Another tensor of this shape and dtype."""
        return replace(self, name=name)

    def size(self) -> tuple[int, int]:
        """(H, W) of an image.

        Raises
        ------
        ValueError
            If they depend on the batch.
        """
        if -1 in self.shape[2:]:
            raise ValueError(
                "export: the size of an image depends on the batch; "
                "dynamic_batch=False exports the batch of the example alone"
            )
        h, w = self.shape[2:]
        return h, w


Operand = Value | Array | str | None  # None is an input that is left out


class Graph:
    """Nodes in order, and the arrays that they need.

    Parameters
    ----------
    opset : int
        Which operators there are, and what they take.
    taken : set of str
        Names that nodes must not have.

    Attributes
    ----------
    nodes : list of NodeProto
    initializers : dict of str to array
    shape : tuple of int
        Of what is exported just now: -1 where the length depends on the batch.
    """

    def __init__(self, opset: int, taken: set[str]) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {}
        self.shape: tuple[int, ...] = ()
        self._make_node = onnx.helper.make_node
        self._taken = taken
        self._made: set[str] = set()  # names of outputs of nodes
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(self, operator: str, *inputs: Operand, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        names = [self._name(operand) for operand in inputs]
        while names and not names[-1]:
            names.pop()
        output = self._free_name(operator.lower(), len(self.nodes))
        self.nodes.append(self._make_node(operator, names, [output], **attributes))
        self._made.add(output)
        return output

    def reduce(self, operator: str, x: Operand, axes: list[int], keepdims: bool) -> str:
        """A reduction: its axes are an attribute up to opset 17, an input from 18 on."""
        if self.opset < 18 and operator != "ReduceSum":
            return self.node(operator, x, axes=axes, keepdims=int(keepdims))
        return self.node(operator, x, ints(axes), keepdims=int(keepdims))

    def _name(self, operand: Operand) -> str:
        if operand is None:
            return ""
        if isinstance(operand, str):
            return operand
        return operand.name if isinstance(operand, Value) else self.constant(operand)

    def constant(self, array: Array) -> str:
        """The name of an initializer that holds `array`; equal ones are the same."""
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = self._free_name("constant", len(self._constants))
            self.initializers[name] = array
            self._constants[key] = name
        return self._constants[key]

    def name_output(self, value: str, name: str) -> None:
        """Make `name` an output of the graph that is `value`."""
        if value not in self._made:
            self.nodes.append(self._make_node("Identity", [value], [name]))
            return
        self._made.remove(value)  # the name is taken from here on
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if old == value else old for old in names]

    def _free_name(self, stem: str, number: int) -> str:
        name = f"{stem}_{number}"
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name


def ints(values: list[int] | tuple[int, ...]) -> Array:
    """A vector of int64, as shapes, axes and pads are given."""
    return np.array(values, np.int64)
