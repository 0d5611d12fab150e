"""Accuracy and confusion of classifiers; tensors and arrays are both welcome."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convolith.tensor import Tensor

ArrayOrTensor = npt.NDArray[Any] | Tensor


def pair(
    name: str, predicted: ArrayOrTensor, target: ArrayOrTensor
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Both as arrays (N), for the metric `name`."""
    predicted, target = np.asarray(predicted), np.asarray(target)
    if predicted.ndim != 1 or predicted.shape != target.shape:
        raise ValueError(
            f"{name}: predicted is {predicted.shape} and target {target.shape}, "
            "expected two arrays (N) of class indices"
        )
    return predicted, target


def accuracy(scores: ArrayOrTensor, target: ArrayOrTensor) -> float:
    """The share of samples whose highest score is at the target.

    Parameters
    ----------
    scores : array or Tensor
        (N, C): logits or probabilities. Or (N): the predicted classes themselves.
    target : array or Tensor
        (N): class indices.

    Returns
    -------
    float
        0 to 1; NaN for no samples.
    """
    if scores.ndim != 1:
        return top_k_accuracy(scores, target, 1)
    predicted, target = pair("accuracy", scores, target)
    return float((predicted == target).mean()) if len(target) else float("nan")


def top_k_accuracy(scores: ArrayOrTensor, target: ArrayOrTensor, k: int) -> float:
    """The share of samples whose target has fewer than `k` classes scored above it.

    Parameters
    ----------
    scores, target : array or Tensor
        (N, C) and (N), as for `accuracy`.
    k : int

    Returns
    -------
    float
        0 to 1; NaN for no samples.
    """
    scores, target = np.asarray(scores), np.asarray(target)
    if not len(target):
        return float("nan")
    if k == 1:
        return float((scores.argmax(1) == target).mean())
    own = np.take_along_axis(scores, target[:, None], 1)
    return float(((scores > own).sum(1) < k).mean())


def confusion_matrix(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    num_classes: int | None = None,
    *,
    normalize: Literal["true", "pred", "all"] | None = None,
) -> npt.NDArray[Any]:
    """How often each class was taken for which.

    Parameters
    ----------
    predicted, target : array or Tensor
        (N): class indices.
    num_classes : int, optional
        One more than the highest index if not given.
    normalize : {'true', 'pred', 'all'}, optional
        Divide by the sum of the row, of the column, or of everything; 0 where that is 0.

    Returns
    -------
    array
        (num_classes, num_classes): rows are the true classes, columns the predicted ones. int64,
        or float64 if normalised.

    Raises
    ------
    ValueError
        If the shapes differ, an index is out of range, or `normalize` is none of these.
    """
    predicted, target = pair("confusion_matrix", predicted, target)
    low = min(predicted.min(initial=0), target.min(initial=0))
    high = max(predicted.max(initial=-1), target.max(initial=-1))
    size = int(high) + 1 if num_classes is None else num_classes
    if low < 0 or high >= size:
        raise ValueError(
            f"confusion_matrix: class indices from {low} to {high}, expected 0 to {size - 1}"
        )
    pairs = target * size + predicted
    counts = np.bincount(pairs, minlength=size**2).astype(np.int64).reshape(size, size)
    if normalize is None:
        return counts
    axes: dict[str, int | None] = {"true": 1, "pred": 0, "all": None}
    if normalize not in axes:
        raise ValueError(
            f"confusion_matrix: normalize is {normalize!r}, expected {', '.join(axes)} or None"
        )
    sums = counts.sum(axes[normalize], keepdims=True)
    shares: npt.NDArray[np.float64] = counts / np.maximum(sums, 1)
    return shares


def format_confusion_matrix(matrix: npt.NDArray[np.int64]) -> str:
    """`matrix` as text: true classes down, predicted across, a dot for zero.

    Parameters
    ----------
    matrix : array
        From `confusion_matrix`.

    Returns
    -------
    str
    """
    width = max(len(str(matrix.max(initial=0))), len(str(len(matrix) - 1))) + 1
    head = "".join(f"{column:>{width}}" for column in range(len(matrix)))
    lines = [f"true {head}  <- predicted"]
    for label, row in enumerate(matrix):
        cells = "".join(f"{count or '.':>{width}}" for count in row.tolist())
        share = f"{row[label] / row.sum():7.1%}" if row.sum() else ""
        lines.append(f"{label:>4} {cells}  {share}".rstrip())
    return "\n".join(lines)
