"""Sheets of small images."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.viz._pictures import new_figure, save

Array = npt.NDArray[Any]

_INCH = 1.1  # of one small image


def sheet(
    what: str,
    pictures: Sequence[Array | None],
    titles: Sequence[str],
    columns: int,
    path: str | os.PathLike[str] | None,
    inch: float = _INCH,
) -> Any:
    """A figure of `pictures` (H, W) or (H, W, 3) in rows of `columns`, each on a scale of its own.

    `what` is named if matplotlib is missing; None leaves a cell empty.
    """
    rows = max(1, math.ceil(len(pictures) / columns))
    room = 0.25 if any(titles) else 0.0
    figure = new_figure(what, (columns * inch, rows * (inch + room)))
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    for cell, picture, title in zip(cells, pictures, titles, strict=False):
        if picture is not None:
            cell.imshow(unit(picture), cmap="gray")
            cell.set_title(title, fontsize=8)
    finish(figure, path)
    return figure


def finish(figure: Any, path: str | os.PathLike[str] | None) -> None:
    """Write the figure, if there is a path."""
    if path is not None:
        save(figure, path)


def chw(image: Array) -> Array:
    """(C, H, W) as matplotlib draws it: (H, W), or (H, W, 3) if there are three channels."""
    return np.moveaxis(image, 0, 2) if len(image) == 3 else image[0]


def unit(picture: Array) -> Array:
    """From 0, the least value, to 1, the greatest."""
    low, high = float(picture.min()), float(picture.max())
    return np.asarray((picture - low) / ((high - low) or 1.0))
