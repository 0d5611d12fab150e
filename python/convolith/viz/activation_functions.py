"""Activation functions and their derivatives."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.nn import functional as F
from convolith.reference.elementwise import ACTIVATIONS
from convolith.tensor import Tensor
from convolith.viz._pictures import new_figure, save

_FUNCTION, _DERIVATIVE = "#3b6ea8", "#d9822b"
_COLUMNS, _REACH = 4, 7.0


def _value_and_slope(
    name: str, x: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """By the compiled kernels, float64."""
    leaf = Tensor(x, requires_grad=True)
    y: Tensor = getattr(F, name)(leaf)
    y.sum().backward()
    assert leaf.grad is not None
    return y.numpy(), leaf.grad.numpy()


def activation_functions(
    names: Sequence[str] | None = None, path: str | os.PathLike[str] | None = None
) -> Any:
    """Draw activation functions and their derivatives between -7 and 7, a panel each.

    Parameters
    ----------
    names : sequence of str, optional
        As in `nn.functional`: 'relu', 'gelu' ... with their default options; None draws all.
    path : path, optional
        Where to write a PNG file; None writes none.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Of each panel the first line is the function, the second its derivative.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If a name is none of an element-wise activation, or there is no name.
    """
    drawn = list(ACTIVATIONS if names is None else names)
    unknown = [name for name in drawn if name not in ACTIVATIONS]
    if unknown or not drawn:
        known = ", ".join(ACTIVATIONS)
        got = repr(unknown[0]) if unknown else "no name"
        raise ValueError(f"activation_functions: got {got}, expected some of {known}")
    rows = math.ceil(len(drawn) / _COLUMNS)
    figure = new_figure("activation functions", (3 * _COLUMNS, 2.4 * rows))
    x = np.linspace(-_REACH, _REACH, 1001)
    panels = list(figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True).flat)
    for axes, name in zip(panels, drawn, strict=False):
        y, slope = _value_and_slope(name, x)
        axes.axhline(0, color="#888888", linewidth=0.8)
        axes.axvline(0, color="#888888", linewidth=0.8)
        axes.plot(x, y, color=_FUNCTION, linewidth=2, label="function")
        axes.plot(x, slope, color=_DERIVATIVE, linewidth=1.5, label="derivative")
        axes.set_title(name, loc="left", fontsize=11)
        axes.grid(color="#dddddd")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(drawn) :]:
        axes.set_visible(False)
    figure.axes[0].legend(handles=figure.axes[0].lines[2:], frameon=False, fontsize=8)
    if path is not None:
        save(figure, path)
    return figure
