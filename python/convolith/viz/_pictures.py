"""What pictures share: figures without a window, and their files."""

from __future__ import annotations

import io
import os
from typing import Any

from convolith.train.files import write_atomically


def new_figure(what: str, size: tuple[float, float]) -> Any:
    """A matplotlib figure of `size` inches, drawn without a window.

    Raises
    ------
    ImportError
        If matplotlib is missing; it says that `what` need it.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f'{what} need matplotlib: pip install "convolith[plot]"') from error
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write `figure` as a PNG file, whole or not at all."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    write_atomically(path, picture.getvalue())
