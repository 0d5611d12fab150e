"""Callbacks that look at gradients and activations: where they vanish, explode or die."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convolith import nn
from convolith.tensor import Tensor
from convolith.train.callbacks.base import Callback, Row

if TYPE_CHECKING:
    from convolith.data import DataLoader
    from convolith.train.trainer import Trainer

GRADIENT_NORM = "grad_norm"
DEAD_RELU = "dead_relu"


class GradientNorm(Callback):
    """The Euclidean norm of the gradients, of all and of each layer, into the history.

    A row gets "grad_norm", and "grad_norm.LAYER" for every module with parameters of its own: the
    mean over the steps of the epoch. Norms that shrink from the last layer to the first are
    gradients that vanish, norms that grow are gradients that explode (Glorot and Bengio 2010).
    To see them before they are clipped, this comes before `ClipGradients`.

    Parameters
    ----------
    every : int
        Look at one step in so many.

    Raises
    ------
    ValueError
        If `every` is below 1.
    """

    def __init__(self, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"GradientNorm: every is {every}, expected at least 1")
        self.every = every

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Begin anew."""
        self._steps = 0
        self._norms: list[dict[str, float]] = []

    def on_step_begin(self, trainer: Trainer) -> None:
        """Measure."""
        if self._steps % self.every == 0:
            self._norms.append(gradient_norms(trainer.model))
        self._steps += 1

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """Write the means."""
        for name in self._norms[0] if self._norms else ():
            key = f"{GRADIENT_NORM}.{name}" if name else GRADIENT_NORM
            row[key] = float(np.mean([norms[name] for norms in self._norms]))


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """The norm of the gradient of each layer that has one, and of all under the empty name."""
    squares: dict[str, float] = {"": 0.0}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            gradient = parameter.grad.numpy().ravel().astype(np.float64)
            layer, square = name.rpartition(".")[0], float(gradient @ gradient)
            squares[""] += square
            if layer:
                squares[layer] = squares.get(layer, 0.0) + square
    return {name: square**0.5 for name, square in squares.items()}


class DeadReLU(Callback):
    """The share of dead units behind each ReLU, into the history.

    A unit (a channel of (N, C, H, W), a feature of (N, C)) is dead in an epoch if no image of it
    made the unit positive; then it has no gradient and does not come back by itself (Lu et al.
    2020, "Dying ReLU and initialization"). A row gets "dead_relu.LAYER" for every layer, 0 to 1.
    """

    def on_train_begin(self, trainer: Trainer, loader: DataLoader, epochs: int) -> None:
        """Watch every ReLU."""
        names = {m: name for name, m in trainer.model.named_modules()}
        self._alive: dict[str, npt.NDArray[np.bool_]] = {}

        def watch(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
            if module.training:
                values = output.numpy()
                now = np.asarray((values > 0).any(axis=(0, *range(2, values.ndim))))
                self._alive[names[module]] = now | self._alive.get(names[module], np.False_)

        relus = [module for module in names if isinstance(module, nn.ReLU)]
        self._handles = [module.register_forward_hook(watch) for module in relus]

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Begin anew."""
        self._alive.clear()

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """Write the shares."""
        for name, alive in self._alive.items():
            row[f"{DEAD_RELU}.{name}"] = float(1 - alive.mean())

    def on_train_end(self, trainer: Trainer) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()
