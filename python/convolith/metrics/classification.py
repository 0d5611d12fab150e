"""Accuracy and confusion of classifiers; tensors and arrays are both welcome."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from convolith.tensor import Tensor

ArrayOrTensor = npt.NDArray[Any] | Tensor


def accuracy(scores: ArrayOrTensor, target: ArrayOrTensor) -> float:
    """The share of samples whose highest score is at the target.

    Parameters
    ----------
    scores : array or Tensor
        (N, C): logits or probabilities.
    target : array or Tensor
        (N): class indices.

    Returns
    -------
    float
        0 to 1; NaN for no samples.
    """
    return top_k_accuracy(scores, target, 1)


def top_k_accuracy(scores: ArrayOrTensor, target: ArrayOrTensor, k: int) -> float:
    """The share of samples whose target has fewer than `k` classes scored above it.

    Parameters
    ----------
    scores, target : array or Tensor
        As for `accuracy`.
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
    predicted: ArrayOrTensor, target: ArrayOrTensor, num_classes: int
) -> npt.NDArray[np.int64]:
    """How often each class was taken for which.

    Parameters
    ----------
    predicted, target : array or Tensor
        (N): class indices.
    num_classes : int

    Returns
    -------
    array
        (num_classes, num_classes) int64: rows are the true classes, columns the predicted ones.
    """
    pairs = np.asarray(target) * num_classes + np.asarray(predicted)
    counts = np.bincount(pairs, minlength=num_classes**2).astype(np.int64)
    return counts.reshape(num_classes, num_classes)


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
