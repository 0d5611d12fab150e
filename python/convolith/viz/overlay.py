"""A map over the picture that it is about."""

from __future__ import annotations

import os
from typing import Any

from convolith.viz._pictures import new_figure
from convolith.viz.grid import Array, chw, finish, unit


def overlay(
    picture: Array, heat: Array, title: str = "", path: str | os.PathLike[str] | None = None
) -> Any:
    """Draw a map over its picture: bright where it is high, dark where it is low.

    Parameters
    ----------
    picture : (C, H, W)
        With one channel, or three.
    heat : (H, W)
        From `class_activation` or `occlusion`; what is negative is drawn as 0.
    title : str
    path : path, optional
        Where to write it as a PNG file.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the sizes differ.
    ImportError
        If matplotlib is missing.
    """
    if picture.shape[1:] != heat.shape:
        raise ValueError(f"overlay: the picture is {picture.shape} and the map {heat.shape}")
    figure = new_figure("pictures", (4, 4.2))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.imshow(unit(chw(picture)), cmap="gray")
    axes.imshow(heat.clip(0), cmap="inferno", alpha=0.5)
    axes.set_title(title)
    finish(figure, path)
    return figure
