"""Averages of the parameters along the way, which often generalise better than the last ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from convolith import _C, primitives
from convolith.device import Array, assign, device_of
from convolith.nn import Module
from convolith.tensor import Tensor


class EMA:
    """Exponential moving average of parameters: average = decay * average + (1 - decay) * param.

    ::

        ema = optim.EMA(model, decay=0.999)
        for ...:
            optimizer.step()
            ema.update()
        with ema.apply():
            evaluate(model)

    Parameters
    ----------
    params : Module, or iterable of Parameter
        Their values now are what the averages begin with. Buffers are not averaged: running
        statistics are averages already.
    decay : float in [0, 1]

    Attributes
    ----------
    updates : int
        How often `update` was called.

    Raises
    ------
    ValueError
        If there are no parameters, or `decay` is out of range.
    """

    def __init__(self, params: Module | Iterable[Tensor], decay: float = 0.999) -> None:
        name = type(self).__name__
        if not 0 <= decay <= 1:
            raise ValueError(f"{name}: decay is {decay}, expected 0 to 1")
        self._params = list(params.parameters() if isinstance(params, Module) else params)
        if not self._params:
            raise ValueError(f"{name}: there are no parameters to average")
        self.decay = decay
        self.updates = 0
        self._averages = [_copy(param._array) for param in self._params]

    def _weight(self) -> float:
        """Of the old average, in the next update."""
        return self.decay

    def update(self) -> None:
        """Take the parameters into the averages; after every step of the optimizer."""
        for average, param in zip(self._averages, self._params, strict=True):
            primitives.ema_step(average, param._array, decay=self._weight())
        self.updates += 1

    @contextmanager
    def apply(self) -> Iterator[None]:
        """Have the averages in the parameters' place: ``with ema.apply(): ...``.

        Afterwards the parameters are what they were before, bit by bit.
        """
        kept = [_copy(param._array) for param in self._params]
        self.copy_to()
        try:
            yield
        finally:
            for param, array in zip(self._params, kept, strict=True):
                assign(param._array, array)

    def copy_to(self) -> None:
        """Write the averages to the parameters, for good."""
        for param, average in zip(self._params, self._averages, strict=True):
            assign(param._array, average)

    def state_dict(self) -> dict[str, Any]:
        """Averages and options; the arrays are shared, not copied."""
        return {"decay": self.decay, "updates": self.updates, "averages": list(self._averages)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; the arrays are copied.

        Raises
        ------
        ValueError
            If the shapes differ; then nothing is changed.
        """
        averages = state_dict["averages"]
        own = [average.shape for average in self._averages]
        given = [average.shape for average in averages]
        if own != given:
            raise ValueError(f"{type(self).__name__}: the averages are {given}, expected {own}")
        self.decay, self.updates = state_dict["decay"], state_dict["updates"]
        self._averages = [
            _C.to_device(array, param.device)
            for array, param in zip(averages, self._params, strict=True)
        ]


class SWA(EMA):
    """The plain mean of the parameters at every `update` (Izmailov et al. 2018).

    Call `update` once an epoch near the end of the training. With batch norm, run the training
    images through the model once more within `apply`, in training mode, before evaluating.

    Parameters
    ----------
    params : Module, or iterable of Parameter
        See `EMA`.

    Raises
    ------
    ValueError
        If there are no parameters.
    """

    def __init__(self, params: Module | Iterable[Tensor]) -> None:
        super().__init__(params)

    def _weight(self) -> float:
        return self.updates / (self.updates + 1)


def _copy(array: Array) -> Array:
    copy: Array = _C.to_device(array, device_of(array))
    return copy
