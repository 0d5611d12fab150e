"""Images that were classified wrongly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from convolith.metrics.classification import ArrayOrTensor
from convolith.viz.grid import Array, chw, sheet


def mistakes(
    images: Array,
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    names: Sequence[str] | None = None,
    limit: int = 25,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draw the first images that were classified wrongly, with "true > predicted" above each.

    Parameters
    ----------
    images : array
        (N, C, H, W) with one channel, or three.
    predicted, target : array or Tensor
        (N): class indices.
    names : sequence of str, optional
        Of the classes; their numbers if not given.
    limit : int
        The most images to draw.
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
    predicted, target = np.asarray(predicted), np.asarray(target)
    wrong = np.flatnonzero(predicted != target)[:limit].tolist()

    def name(label: int) -> str:
        return str(label) if names is None else names[label]

    titles = [f"{name(target[i])} > {name(predicted[i])}" for i in wrong]
    columns = max(1, min(5, len(wrong)))
    pictures = [chw(images[i]) for i in wrong]
    return sheet("pictures", pictures, titles, columns, path, inch=1.4)
