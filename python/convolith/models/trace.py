"""What a network does with an input: its layers in order of use, and what flows between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from convolith import nn
from convolith.nn.utils import evaluating
from convolith.tensor import Node, Tensor, is_grad_enabled

Shape = tuple[int, ...]
Input = Sequence[int] | Tensor | npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Step:
    """A layer at work; or a function that joins what several layers made, such as a sum.

    Parameters
    ----------
    name : str
        Dotted; empty for a function.
    kind : str
        The layer's class, or the function.
    module : Module or None
    sources : tuple of Step
        Where its inputs come from.
    input : tuple of int
        Shape of its first input.
    outputs : tuple of tuple of int
        Shapes of its outputs; of a function one, or none where it is not known.
    nbytes : int
        Of the outputs; 0 where the input itself is returned.
    """

    name: str
    kind: str
    module: nn.Module | None
    sources: tuple[Step, ...]
    input: Shape
    outputs: tuple[Shape, ...]
    nbytes: int


def trace(model: nn.Module, input: Input) -> list[Step]:
    """Run `model` once in evaluation mode, and note each layer that has no parts of its own.

    Parameters
    ----------
    model : Module
        Left as it was.
    input : tuple of int, Tensor or array
        (N, C, H, W), or what has this shape: its dtype and device become the model's.

    Returns
    -------
    list of Step
        The input, then layers and functions, each behind its sources.

    Raises
    ------
    ValueError
        In a block of `no_grad`, for then the tape does not tell what is joined.
    """
    if not is_grad_enabled():
        raise ValueError("trace: it reads the tape: call it outside of no_grad")
    recorder = _Recorder(model)
    leaves = [module for module in recorder.names if not any(module.children())]
    handles = [module.register_forward_hook(recorder.note) for module in leaves]
    try:
        with evaluating(model):
            recorder.finish(model(recorder.begin(_tensor(model, input))))
    finally:
        for handle in handles:
            handle.remove()
    return recorder.steps


def _tensor(model: nn.Module, input: Input) -> Tensor:
    """`input`, zeros if it is a shape, as `model` takes it."""
    first = next(model.parameters(), Tensor(np.zeros(0, np.float32)))
    if not isinstance(input, Tensor):
        array = input if isinstance(input, np.ndarray) else np.zeros(tuple(input))
        wide = first.dtype == np.float64
        input = Tensor(array.astype(np.float64 if wide else np.float32))
    return input.detach().to(first.device).to(first.dtype)


class _Recorder:
    """Steps, found by a tape that begins anew behind each layer."""

    def __init__(self, model: nn.Module) -> None:
        self.names = {module: name for name, module in model.named_modules()}
        self.steps: list[Step] = []
        self._made_by: WeakKeyDictionary[Tensor, Step] = WeakKeyDictionary()
        self._joined: dict[Node, Step | None] = {}

    def begin(self, input: Tensor) -> Tensor:
        """The input of the network, to be followed."""
        step = Step("", "input", None, (), input.shape, (input.shape,), input._array.nbytes)
        self.steps.append(step)
        followed: Tensor = self._mark(input, step)
        return followed

    def note(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """A forward hook: note the layer, and begin the tape anew."""
        inputs = [value for value in args if isinstance(value, Tensor)]
        outputs = [value for value in _flat(output) if isinstance(value, Tensor)]
        step = Step(
            self.names[module],
            type(module).__name__,
            module,
            self._sources(inputs),
            inputs[0].shape if inputs else (),
            tuple(value.shape for value in outputs),
            sum(y._array.nbytes for y in outputs if all(y._array is not x._array for x in inputs)),
        )
        self.steps.append(step)
        return self._mark(output, step)

    def finish(self, output: Any) -> None:
        """Note what is joined behind the last layers."""
        self._sources([value for value in _flat(output) if isinstance(value, Tensor)])

    def _mark(self, value: Any, step: Step) -> Any:
        """`value` without its past, so that what is made of its tensors leads back to `step`."""
        if isinstance(value, tuple):
            parts = [self._mark(part, step) for part in value]
            return value._make(parts) if hasattr(value, "_make") else tuple(parts)
        if not isinstance(value, Tensor) or value.dtype.kind != "f":
            return value
        leaf = Tensor(value._array, requires_grad=True)
        self._made_by[leaf] = step
        return leaf

    def _sources(self, tensors: Sequence[Tensor]) -> tuple[Step, ...]:
        found = [self._behind(tensor._node or tensor, tensor.shape) for tensor in tensors]
        return tuple(dict.fromkeys(step for step in found if step is not None))

    def _behind(self, place: Node | Tensor, *shape: Shape) -> Step | None:
        """The step that this place of the tape comes from; a new one if it joins several."""
        if isinstance(place, Tensor):
            return self._made_by.get(place)
        if place not in self._joined:
            edges = [self._behind(edge) for edge in place.edges or () if edge is not None]
            sources = tuple(dict.fromkeys(step for step in edges if step is not None))
            step = sources[0] if sources else None
            if len(sources) > 1:
                step = Step("", place.function.__name__, None, sources, (), shape, 0)
                self.steps.append(step)
            self._joined[place] = step
        return self._joined[place]


def _flat(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)
