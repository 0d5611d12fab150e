"""Pictures of filters."""

from __future__ import annotations

import io
import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.train.files import write_atomically


def filter_bank(bank: npt.ArrayLike, path: str | os.PathLike[str] | None = None) -> Any:
    """Draw every filter of a bank, grey for 0, white and black for its largest magnitude.

    Parameters
    ----------
    bank : (K, R, S)
        For instance of `convolith.filters`, or the first weights of a network, (K, 1, R, S).
    path : path, optional
        Where to write a PNG file.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the bank has another number of axes, or no filter.
    ImportError
        If matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('filter_bank needs matplotlib: pip install "convolith[plot]"') from error

    filters = np.asarray(bank)
    if filters.ndim == 4 and filters.shape[1] == 1:
        filters = filters[:, 0]
    if filters.ndim != 3 or filters.size == 0:
        raise ValueError(f"filter_bank: bank is {filters.shape}, expected (K, R, S) with K above 0")
    columns = math.ceil(math.sqrt(1.5 * len(filters)))
    rows = math.ceil(len(filters) / columns)
    figure = Figure(figsize=(columns, rows), layout="constrained")
    FigureCanvasAgg(figure)
    for i in range(len(filters)):
        axes = figure.add_subplot(rows, columns, i + 1)
        most = np.abs(filters[i]).max() or 1.0
        axes.imshow(filters[i], cmap="gray", vmin=-most, vmax=most)
        axes.set_axis_off()
    if path is not None:
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=100)
        write_atomically(path, picture.getvalue())
    return figure
