"""The loss around a solution."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import nn
from convolith.viz._pictures import new_figure
from convolith.viz.grid import finish

Floats = npt.NDArray[np.float64]


def landscape(
    model: nn.Module,
    loss: Callable[[], float],
    extent: float = 1.0,
    steps: int = 15,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """The loss on a plane through the weights, along two random directions (Li et al. 2018).

    A direction is normal noise of which every filter (every first index of a weight) has the norm
    of the filter of the model that it is added to, so that pictures of different networks can be
    compared. Biases and the vectors of batch norm stay as they are.

    Parameters
    ----------
    model : Module
        Its weights are as before afterwards, bit by bit.
    loss : callable
        The loss of the model as it is, such as ``lambda: trainer.evaluate(loader)["loss"]``.
    extent : float
        How far to go in each direction, in norms of the filters.
    steps : int
        Points along each direction; of an odd number the middle one is the model itself.
    seed : int

    Returns
    -------
    axis, values : array, array
        (steps) from -extent to extent, and (steps, steps): rows along the second direction.
    """
    weights = [p for p in model.parameters() if p.ndim > 1]
    centres = [p.numpy().copy() for p in weights]
    generator = np.random.default_rng(seed)
    first, second = ([_direction(generator, c) for c in centres] for _ in range(2))
    axis = np.linspace(-extent, extent, steps)
    values = np.empty((steps, steps))
    try:
        for row, beta in enumerate(axis):
            for column, alpha in enumerate(axis):
                for p, centre, d1, d2 in zip(weights, centres, first, second, strict=True):
                    p.copy_((centre + alpha * d1 + beta * d2).astype(centre.dtype))
                values[row, column] = loss()
    finally:
        for p, centre in zip(weights, centres, strict=True):
            p.copy_(centre)
    return axis, values


def _direction(generator: np.random.Generator, weight: npt.NDArray[Any]) -> Floats:
    """Noise of the shape of `weight`, filter by filter of its norm."""
    noise = generator.standard_normal(weight.shape)
    axes = tuple(range(1, weight.ndim))
    own = np.sqrt((weight.astype(np.float64) ** 2).sum(axes, keepdims=True))
    drawn: Floats = noise * (own / np.sqrt((noise**2).sum(axes, keepdims=True)))
    return drawn


def loss_landscape(
    model: nn.Module,
    loss: Callable[[], float],
    extent: float = 1.0,
    steps: int = 15,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draw the loss around the weights of a model as contours; arguments as in `landscape`.

    Parameters
    ----------
    model, loss, extent, steps, seed
        As in `landscape`.
    path : path, optional
        Where to write it as a PNG file.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    figure = new_figure("pictures", (6, 5))
    axis, values = landscape(model, loss, extent, steps, seed)
    axes = figure.subplots()
    contours = axes.contourf(axis, axis, values, levels=20, cmap="viridis")
    figure.colorbar(contours, ax=axes, label="loss")
    axes.plot([0], [0], marker="x", color="white")
    axes.set_xlabel("first direction")
    axes.set_ylabel("second direction")
    axes.set_aspect("equal")
    finish(figure, path)
    return figure
