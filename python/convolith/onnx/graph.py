"""A module that runs the nodes of an ONNX graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from convolith.algorithms import HALVES
from convolith.device import Array
from convolith.nn import Buffer, Module, Parameter
from convolith.onnx.operators import OPERATORS, Node
from convolith.onnx.operators.table import Value
from convolith.tensor import Tensor


class Initializers(Module):
    """The constants of a graph, as attributes of the names that they have there.

    A name that modules need for themselves gets an underscore.
    """

    def __init__(self, tensors: dict[str, Parameter | Buffer]) -> None:
        self._attributes: dict[str, str] = {}
        for name, tensor in tensors.items():
            attribute = name
            while hasattr(self, attribute):
                attribute += "_"
            setattr(self, attribute, tensor)
            self._attributes[name] = attribute

    def operands(self) -> dict[str, Value]:
        """As operators take them: floats as tensors, the rest as arrays."""
        tensors = {name: vars(self)[own] for name, own in self._attributes.items()}
        return {name: _operand(tensor) for name, tensor in tensors.items()}


class Graph(Module):
    """What `load` makes of an ONNX file.

    ``state_dict`` has the file's names of initializers, and of constants. In training mode batch
    norm goes by the batch and dropout drops, as in other networks; else by what the file says.

    Parameters
    ----------
    name : str
        Of the file.
    nodes : sequence of Node
        In an order in which each can be computed.
    tensors : dict of str to Parameter or Buffer
        The initializers.
    input_names, output_names : sequence of str

    Attributes
    ----------
    input_names, output_names : tuple of str
        What ``forward`` takes, one by one, and returns: a tensor, or a tuple if there are several.
    nodes : tuple of Node
    """

    def __init__(
        self,
        name: str,
        nodes: Sequence[Node],
        tensors: dict[str, Parameter | Buffer],
        input_names: Sequence[str],
        output_names: Sequence[str],
    ) -> None:
        self.name = name
        self.nodes = tuple(nodes)
        self.input_names, self.output_names = tuple(input_names), tuple(output_names)
        self._initializers = Initializers(tensors)
        self._plan_release()

    def _plan_release(self) -> None:
        """Find, for each node, the values that are not read again."""
        kept = {*self.output_names, *self._initializers.operands()}
        for node in reversed(self.nodes):
            names = dict.fromkeys((*node.inputs, *node.outputs))
            node.last = tuple(name for name in names if name and name not in kept)
            kept.update(node.last)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This one, and under the same name its initializers, whose names are the file's."""
        yield prefix, self
        yield prefix, self._initializers

    def forward(self, *inputs: Any) -> Any:
        """Compute the outputs; values that no later node reads are let go of.

        Parameters
        ----------
        *inputs : Tensor or array
            One for each of `input_names`; float16 arrays of the CPU become float32.

        Returns
        -------
        Tensor, or tuple of Tensor

        Raises
        ------
        ValueError, TypeError
            Naming the node that cannot be computed.
        """
        if len(inputs) != len(self.input_names):
            names = ", ".join(self.input_names)
            raise ValueError(
                f"onnx: {self.name} takes {len(self.input_names)} inputs ({names}), "
                f"got {len(inputs)}"
            )
        values = self._initializers.operands()
        values.update(zip(self.input_names, map(_operand, inputs), strict=True))
        with np.errstate(all="ignore"):
            for node in self.nodes:
                node.training = self.training
                given = [values[name] if name else None for name in node.inputs]
                results = self._compute(node, given)
                values.update(zip(node.outputs, results, strict=False))
                for name in node.last:
                    values.pop(name, None)
        outputs = tuple(_tensor(values[name]) for name in self.output_names)
        return outputs if len(outputs) > 1 else outputs[0]

    def _compute(self, node: Node, inputs: list[Value | None]) -> tuple[Value, ...]:
        try:
            result = OPERATORS[node.operator].compute(node, *inputs)
        except (TypeError, AttributeError) as error:  # the latter of an array for a tensor
            raise TypeError(f"onnx: {self.name}: {node}: {error}") from error
        except (ValueError, ArithmeticError, LookupError, MemoryError) as error:
            raise ValueError(f"onnx: {self.name}: {node}: {error}") from error
        results = result if isinstance(result, tuple) else (result,)
        if any(node.makes(position) for position in range(len(results), len(node.outputs))):
            raise ValueError(
                f"onnx: {self.name}: {node}: of its outputs only the first {len(results)} are there"
            )
        return tuple(v if isinstance(v, Tensor) else np.asarray(v) for v in results)

    def __repr__(self) -> str:
        counts = Counter(node.operator for node in self.nodes)
        nodes = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        learned = sum(int(np.prod(p.shape)) for p in self.parameters())
        return (
            f"Graph({self.name}: {', '.join(self.input_names)} -> {', '.join(self.output_names)}, "
            f"{learned} parameters; {nodes})"
        )


def _operand(value: Any) -> Value:
    """A tensor if it holds floats, else an array."""
    if isinstance(value, Tensor):
        if value.dtype.kind == "f":
            return value.to(np.float32) if _is_narrow(value._array) else value
        return value._array
    array = np.asarray(value)
    if _is_narrow(array):
        array = array.astype(np.float32)
    return Tensor(array) if array.dtype.kind == "f" else array


def _is_narrow(array: Array) -> bool:
    """Whether the CPU has no kernels for such floats."""
    return isinstance(array, np.ndarray) and array.dtype.name in HALVES


def _tensor(value: Value) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor(np.asarray(value, order="C"))
