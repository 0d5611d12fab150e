"""Learning curves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from convolith.viz._pictures import new_figure, save

_TRAINING, _VALIDATION = "#3b6ea8", "#d9822b"


def curves(history: Sequence[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Draw loss and accuracy over the epochs, training and validation, as a PNG file.

    Parameters
    ----------
    history : sequence of dict
        `Trainer.history`.
    path : path

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    figure = new_figure("curves", (10, 4))
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    panels = (("loss", "mean loss", 1), ("accuracy", "accuracy, %", 100))
    for axes, (key, label, unit) in zip(figure.subplots(1, 2), panels, strict=True):
        for prefix, name, color in (
            ("", "training", _TRAINING),
            ("val_", "validation", _VALIDATION),
        ):
            if all(prefix + key in row for row in history):
                values = [row[prefix + key] * unit for row in history]
                axes.plot(
                    epochs, values, color=color, linewidth=2, marker="o", markersize=4, label=name
                )
        axes.legend(frameon=False)
        axes.set_xlabel("epoch")
        axes.set_title(label, loc="left", fontsize=11)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#dddddd")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)
