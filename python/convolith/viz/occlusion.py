"""Where a network sees what it names, by hiding it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from convolith import nn, primitives
from convolith.device import to_numpy
from convolith.nn.utils import evaluating
from convolith.tensor import Tensor, no_grad
from convolith.viz.class_activation import Map, class_of
from convolith.viz.grid import Array
from convolith.viz.layers import as_batch


def occlusion(
    model: nn.Module,
    image: Tensor | Array,
    target: int | None = None,
    window: int = 32,
    stride: int = 16,
    value: float = 0.0,
    batch_size: int = 32,
    progress: bool = False,
) -> Map:
    """How much of a class's probability goes when a part of an image is hidden.

    A square is put over the image at every place of a grid (Zeiler and Fergus 2013, section 4.2).

    Parameters
    ----------
    model : Module
        Images to logits; run in evaluation mode, and left as it was.
    image : Tensor or array
        (C, H, W), as the model was trained on; or (1, C, H, W).
    target : int, optional
        The class; the most probable one if not given.
    window : int
        Height and width of the square, in pixels.
    stride : int
        From square to square; the last one of a row or column ends with the image.
    value : float
        What is hidden becomes this: 0 is the mean colour of normalised images.
    batch_size : int
        How many images are run at a time.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    (H, W) float32
        Of each pixel the mean over the squares that hide it: the probability of the image as it is,
        less that with the square. Below 0 where hiding makes the class more probable.

    Raises
    ------
    ValueError
        If there is no such class, the window is larger than the image, or the stride is not between
        1 and the window.
    """
    from tqdm import tqdm

    x = as_batch(model, image)
    h, w = x.shape[2:]
    if not 1 <= window <= min(h, w):
        raise ValueError(f"occlusion: window is {window}, expected 1 to {min(h, w)}")
    if not 1 <= stride <= window:
        raise ValueError(f"occlusion: stride is {stride}, expected 1 to the window, {window}")
    corners = [(i, j) for i in _starts(h, window, stride) for j in _starts(w, window, stride)]
    drop, count = np.zeros((h, w)), np.zeros((h, w))
    hidden = None if progress else True  # None: unless standard error is a terminal
    bar = tqdm(total=len(corners), unit=" squares", disable=hidden, dynamic_ncols=True)
    with bar, evaluating(model), no_grad():
        plain = model(x)
        target = class_of("occlusion", plain, target)
        whole = _probabilities(plain)[0, target]
        for start in range(0, len(corners), batch_size):
            some = corners[start : start + batch_size]
            batch = Tensor(_with_squares(x.numpy(), some, window, value))
            seen = _probabilities(model(batch.to(x.device).to(x.dtype)))[:, target]
            for (i, j), probability in zip(some, seen, strict=True):
                drop[i : i + window, j : j + window] += whole - probability
                count[i : i + window, j : j + window] += 1
            bar.update(len(some))
    return np.asarray(drop / count, np.float32)


def _starts(length: int, window: int, stride: int) -> Iterator[int]:
    yield from range(0, length - window, stride)
    yield length - window


def _with_squares(image: Array, corners: list[tuple[int, int]], window: int, value: float) -> Array:
    """Copies of `image` (1, C, H, W), each with a square at a corner."""
    copies = np.repeat(image, len(corners), axis=0)
    for copy, (i, j) in zip(copies, corners, strict=True):
        copy[:, i : i + window, j : j + window] = value
    return copies


def _probabilities(logits: Tensor) -> npt.NDArray[np.float64]:
    values = to_numpy(logits._array).astype(np.float64)
    return np.asarray(primitives.softmax_forward(values))
