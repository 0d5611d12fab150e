"""The table of operators, and what an operator sees of its node."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Value = Any  # a Tensor of floats, or a NumPy array of integers or truth values
LARGEST = 2**28  # elements: 1 GiB of float32


@dataclass
class Node:
    """One operation of a graph.

    Attributes
    ----------
    operator, name : str
    inputs, outputs : tuple of str
        The values it reads and makes; '' stands for one that is left out.
    attributes : dict
        What the file says: numbers, strings, lists, arrays.
    opset : int
        The version of the operators' definitions.
    training : bool
        Whether the graph is in training mode.
    last : tuple of str
        Values that no later node reads.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int
    training: bool = False
    last: tuple[str, ...] = ()

    def get(self, attribute: str, default: Any = None) -> Any:
        """The value of an attribute."""
        return self.attributes.get(attribute, default)

    def makes(self, position: int) -> bool:
        """Whether that output is wanted."""
        return len(self.outputs) > position and self.outputs[position] != ""

    def __str__(self) -> str:
        which = f"node {self.name!r}" if self.name else f"making {', '.join(self.outputs)!r}"
        return f"{self.operator} ({which})"


@dataclass(frozen=True)
class Operator:
    """A line of the table.

    Attributes
    ----------
    compute : callable
        ``compute(node, *inputs)`` returns a value, or a tuple of them.
    fixed : tuple of int
        Inputs that are not learned: statistics, bounds, shapes.
    refuses : callable
        ``refuses(node)`` says which attribute is not supported, or returns None.
    """

    compute: Callable[..., Any]
    fixed: tuple[int, ...] = ()
    refuses: Callable[[Node], str | None] = lambda node: None


OPERATORS: dict[str, Operator] = {}
Compute = Callable[..., Any]


def operator(
    *names: str,
    fixed: tuple[int, ...] = (),
    refuses: Callable[[Node], str | None] = lambda node: None,
) -> Callable[[Compute], Compute]:
    """Enter the decorated function under these names."""

    def enter(compute: Compute) -> Compute:
        OPERATORS.update({name: Operator(compute, fixed, refuses) for name in names})
        return compute

    return enter


def ints(value: Value | Sequence[int]) -> list[int]:
    """Numbers of a shape, of axes ..., from an attribute or an input."""
    return [int(n) for n in np.ravel(value)]


def number(value: Value) -> float:
    """The only element of an input."""
    return float(np.asarray(value).item())


def bounded(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape itself; an error if an array of that shape should not be allocated."""
    if any(n < 0 for n in shape):
        raise ValueError(f"a shape cannot be {tuple(shape)}")
    if math.prod(shape) > LARGEST:
        raise ValueError(
            f"a value of shape {tuple(shape)} would have more than {LARGEST} elements, "
            "the most that a graph may ask for"
        )
    return tuple(shape)


def axes_of(node: Node, given: Value | None) -> list[int] | None:
    """The axes: an input since opset 13 or 18, before that an attribute."""
    axes = node.get("axes") if given is None else given
    return None if axes is None else ints(axes)
