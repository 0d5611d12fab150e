"""How training goes: gradients from layer to layer, and the search for a learning rate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from convolith.train.callbacks.gradients import GRADIENT_NORM
from convolith.train.lr_finder import LRCurve
from convolith.viz._pictures import new_figure
from convolith.viz.grid import finish


def gradient_flow(
    history: Sequence[dict[str, Any]], path: str | os.PathLike[str] | None = None
) -> Any:
    """Draw the norm of the gradients from the first layer to the last, a line for each epoch.

    A line that rises to the right says that gradients vanish on their way back, one that falls
    that they explode.

    Parameters
    ----------
    history : sequence of dict
        `Trainer.history` of a run with the callback `GradientNorm`.
    path : path, optional
        Where to write it as a PNG file.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are no norms in the history.
    ImportError
        If matplotlib is missing.
    """
    prefix = f"{GRADIENT_NORM}."
    layers = [key for key in (history[0] if history else ()) if key.startswith(prefix)]
    if not layers:
        raise ValueError("gradient_flow: the history has no norms; train with GradientNorm()")
    figure = new_figure("pictures", (2 + 0.6 * len(layers), 4.5))
    from matplotlib import colormaps

    axes = figure.subplots()
    for number, row in enumerate(history):
        color = colormaps["viridis"](number / max(1, len(history) - 1))
        ends = number in (0, len(history) - 1)
        label = f"epoch {row['epoch']}" if ends else None
        axes.plot([row[layer] for layer in layers], color=color, marker="o", label=label)
    axes.set_yscale("log")
    names = [layer.removeprefix(prefix) for layer in layers]
    axes.set_xticks(range(len(layers)), names, rotation=45, ha="right")
    axes.set_ylabel("norm of the gradient")
    axes.grid(axis="y", color="#dddddd")
    axes.legend(frameon=False)
    finish(figure, path)
    return figure


def lr_curve(curve: LRCurve, path: str | os.PathLike[str] | None = None) -> Any:
    """Draw what `train.lr_find` found: the loss over the learning rate, and the suggestion.

    Parameters
    ----------
    curve : LRCurve
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
    figure = new_figure("pictures", (6, 4))
    axes = figure.subplots()
    axes.plot(curve.lrs, curve.losses, color="#cccccc", label="loss")
    axes.plot(curve.lrs, curve.smoothed, color="#3b6ea8", linewidth=2, label="smoothed")
    axes.axvline(curve.suggestion, color="#d9822b", label=f"suggestion: {curve.suggestion:.2g}")
    axes.set_xscale("log")
    low = float(np.nanmin(curve.smoothed))
    axes.set_ylim(min(0.0, low), max(2 * curve.smoothed[0], 2 * low))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.legend(frameon=False)
    finish(figure, path)
    return figure
