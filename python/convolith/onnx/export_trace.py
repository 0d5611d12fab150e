"""Which functions a forward applies, told apart by running it twice.

What is the same in both runs is constant; a dimension that grew with the batch is dynamic; and an
array that no function made and that differs was computed from the input behind the tape's back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convolith.nn import Module
from convolith.nn.functional.conv import Conv2d
from convolith.tensor import Function, Tensor, no_grad, recorded


@dataclass(frozen=True)
class Call:
    """One application of a function: the arguments of `Function.outputs`, and what it returned."""

    function: type[Function]
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Trace:
    """One run of a forward: its inputs, what it applied, in order, and its outputs."""

    inputs: tuple[Tensor, ...]
    calls: list[Call]
    outputs: tuple[Tensor, ...]


def trace(model: Module, inputs: tuple[Tensor, ...]) -> Trace:
    """Run ``model(*inputs)`` and write down what it applies.

    Raises
    ------
    TypeError
        If the model returns anything but a tensor, or a tuple or list of tensors.
    """
    calls: list[Call] = []

    def record(
        function: type[Function],
        args: tuple[Any, ...],
        options: Mapping[str, Any],
        outputs: tuple[Tensor, ...],
    ) -> None:
        if function is Conv2d:
            args = args[:-1]  # without the prepared weight: how it is computed, not what
        calls.append(Call(function, args, options, outputs))

    with no_grad(), recorded(record):
        result = model(*inputs)
    outputs = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    for output in outputs:
        if not isinstance(output, Tensor):
            raise TypeError(
                f"export: {type(model).__name__} returns {type(output).__name__}, "
                "expected a tensor, or a tuple or list of tensors"
            )
    return Trace(inputs, calls, outputs)


def other_inputs(inputs: tuple[Tensor, ...], dynamic_batch: bool) -> tuple[Tensor, ...]:
    """Other values, and one more sample where the batch is dynamic: what the second run gets."""
    rng = np.random.default_rng(0)
    batch = inputs[0].shape[:1]

    def other(x: Tensor) -> Tensor:
        array = x.numpy()
        if dynamic_batch and batch and x.shape[:1] == batch:
            array = np.concatenate([array, array[:1]])
        if array.dtype.kind == "f":
            array = array + rng.standard_normal(array.shape).astype(array.dtype)
        return Tensor(array).to(x.device)

    return tuple(map(other, inputs))
