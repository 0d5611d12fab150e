"""Callbacks that change gradients before a step, or average the weights after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convolith import nn, optim
from convolith.train.callbacks.base import Callback

if TYPE_CHECKING:
    from convolith.train.trainer import Trainer

AVERAGE = "average."


class ClipGradients(Callback):
    """Clip the gradients before every step: see `nn.utils`.

    Parameters
    ----------
    norm : float, optional
        Scale all gradients so that their norm together is at most this.
    value : float, optional
        Bound every element to this; before `norm`, if both are given.

    Raises
    ------
    ValueError
        If neither is given, or one is not positive.
    """

    def __init__(self, norm: float | None = None, value: float | None = None) -> None:
        if norm is None and value is None:
            raise ValueError("ClipGradients: expected norm or value, and neither is given")
        for name, bound in (("norm", norm), ("value", value)):
            if bound is not None and not bound > 0:
                raise ValueError(f"ClipGradients: {name} is {bound}, expected more than 0")
        self.norm = norm
        self.value = value

    def on_step_begin(self, trainer: Trainer) -> None:
        """Clip."""
        if self.value is not None:
            nn.utils.clip_grad_value_(trainer.model.parameters(), self.value)
        if self.norm is not None:
            nn.utils.clip_grad_norm_(trainer.model.parameters(), self.norm)


class AverageWeights(Callback):
    """Keep an exponential moving average of the weights, and use it for whatever is measured.

    The averages (`optim.EMA`) are updated after every step. They take the weights' place while
    `Trainer.evaluate` runs, and for good when training ends. Checkpoints have both:
    `Trainer.resume` goes on with the weights, `load_model` loads the averages. `EarlyStopping`
    comes before this.

    Parameters
    ----------
    model : Module
        That of the trainer.
    decay : float
        What is kept of the average at each step, 0 to 1.

    Raises
    ------
    ValueError
        If `decay` is out of range.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.average = optim.EMA(model, decay)
        self._names = [name for name, _ in model.named_parameters()]
        self._applied: Any = None

    def on_step_end(self, trainer: Trainer) -> None:
        """Update the averages."""
        self.average.update()

    def on_evaluate_begin(self, trainer: Trainer) -> None:
        """Put the averages in the weights' place."""
        self._applied = self.average.apply()
        self._applied.__enter__()

    def on_evaluate_end(self, trainer: Trainer) -> None:
        """Put the weights back."""
        self._applied.__exit__(None, None, None)

    def on_train_end(self, trainer: Trainer) -> None:
        """Leave the averages in the model."""
        self.average.copy_to()

    def state_dict(self) -> dict[str, Any]:
        """The averages by the names of their parameters."""
        state = self.average.state_dict()
        averages = zip(self._names, state.pop("averages"), strict=True)
        return {**state, **{f"{AVERAGE}{name}": array for name, array in averages}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        state = {k: value for k, value in state_dict.items() if not k.startswith(AVERAGE)}
        averages = [state_dict[f"{AVERAGE}{name}"] for name in self._names]
        self.average.load_state_dict({**state, "averages": averages})
