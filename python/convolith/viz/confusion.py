"""Confusion matrices as pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.viz._pictures import new_figure
from convolith.viz.grid import finish


def confusion(
    matrix: npt.NDArray[Any],
    names: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draw a confusion matrix: the darker a cell, the more of its true class are there.

    Parameters
    ----------
    matrix : array
        (classes, classes), from `metrics.confusion_matrix`: counts, or shares.
    names : sequence of str, optional
        Of the classes; their numbers if not given.
    path : path, optional
        Where to write it as a PNG file.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is not one name for each class.
    ImportError
        If matplotlib is missing.
    """
    classes = len(matrix)
    labels = [str(number) for number in range(classes)] if names is None else list(names)
    if len(labels) != classes:
        raise ValueError(f"confusion: {len(labels)} names for {classes} classes")
    side = 2 + 0.45 * classes
    figure = new_figure("pictures", (side, side))
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1e-12)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    whole = np.issubdtype(matrix.dtype, np.integer)
    for row, column in np.argwhere(matrix > 0).tolist():
        text = str(matrix[row, column]) if whole else f"{matrix[row, column]:.2f}"
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    slanted = max(map(len, labels), default=0) > 3
    axes.set_xticks(range(classes), labels, rotation=45 if slanted else 0)
    axes.set_yticks(range(classes), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    finish(figure, path)
    return figure
