"""Precision, recall, specificity and F-score: ratios of the counts of a confusion matrix.

Names, averages and what happens at a division by zero are scikit-learn's; the predictions come
first, as everywhere in `convolith.metrics`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from convolith.metrics.classification import ArrayOrTensor, pair

Average = Literal["binary", "macro", "micro", "weighted", None]
ZeroDivision = float | Literal["warn"]
Floats = npt.NDArray[np.float64]
Score = float | Floats

AVERAGES = ("binary", "macro", "micro", "weighted", None)


class UndefinedMetricWarning(UserWarning):
    """A score divides by zero; what stands in its place is `zero_division`."""


class Counts(NamedTuple):
    """Samples, per class (L)."""

    hits: Floats  # of the class and taken for it: true positives
    guesses: Floats  # taken for the class
    support: Floats  # of the class
    total: Floats  # all, for every class


class Ratio(NamedTuple):
    """A score of one class: numerator and denominator."""

    name: str
    parts: Callable[[Counts], tuple[Floats, Floats]]


PRECISION = Ratio("precision", lambda c: (c.hits, c.guesses))
RECALL = Ratio("recall", lambda c: (c.hits, c.support))
SPECIFICITY = Ratio(
    "specificity", lambda c: (c.total - c.guesses - c.support + c.hits, c.total - c.support)
)


def f_ratio(beta: float) -> Ratio:
    """The F-score: (1 + beta²) TP / (beta² support + guesses)."""
    if not beta >= 0:
        raise ValueError(f"f_score: beta is {beta}, expected at least 0")
    if beta == np.inf:
        return Ratio("f_score", RECALL.parts)
    square = beta**2
    return Ratio("f_score", lambda c: ((1 + square) * c.hits, square * c.support + c.guesses))


def precision(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    *,
    labels: npt.ArrayLike | None = None,
    pos_label: Any = 1,
    average: Average = "binary",
    zero_division: ZeroDivision = "warn",
) -> Score:
    """Of what was taken for a class, the share that is of it: TP / (TP + FP).

    Parameters
    ----------
    predicted, target : array or Tensor
        (N): class indices.
    labels : sequence, optional
        The classes that count, in the order of the result; all that occur, sorted, if not given.
    pos_label : int
        The class that 'binary' is about.
    average : {'binary', 'macro', 'micro', 'weighted', None}
        'binary': the score of `pos_label`, for at most two classes. 'macro': the mean over the
        classes. 'micro': from the counts of all classes together. 'weighted': the mean weighted by
        how many samples are of each class. None: each class by itself.
    zero_division : 'warn' or float
        The score of a class that divides by zero; 'warn' is 0 with an `UndefinedMetricWarning`.
        NaN leaves the class out of the means.

    Returns
    -------
    float, or array (L)
        0 to 1; the array for ``average=None``.

    Raises
    ------
    ValueError
        If the shapes differ, the average is none of these, or 'binary' does not fit the classes.
    """
    return _score(PRECISION, predicted, target, labels, pos_label, average, zero_division)


def recall(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    *,
    labels: npt.ArrayLike | None = None,
    pos_label: Any = 1,
    average: Average = "binary",
    zero_division: ZeroDivision = "warn",
) -> Score:
    """Of what is of a class, the share that was taken for it: TP / (TP + FN); sensitivity.

    Parameters, result and errors are those of `precision`.
    """
    return _score(RECALL, predicted, target, labels, pos_label, average, zero_division)


def specificity(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    *,
    labels: npt.ArrayLike | None = None,
    pos_label: Any = 1,
    average: Average = "binary",
    zero_division: ZeroDivision = "warn",
) -> Score:
    """Of what is not of a class, the share that was not taken for it: TN / (TN + FP).

    Parameters, result and errors are those of `precision`.
    """
    return _score(SPECIFICITY, predicted, target, labels, pos_label, average, zero_division)


def f_score(
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    *,
    beta: float = 1.0,
    labels: npt.ArrayLike | None = None,
    pos_label: Any = 1,
    average: Average = "binary",
    zero_division: ZeroDivision = "warn",
) -> Score:
    """The weighted harmonic mean of precision P and recall R: (1 + beta²) P R / (beta² P + R).

    Computed as (1 + beta²) TP / ((1 + beta²) TP + FP + beta² FN), which is defined wherever the
    class occurs at all (van Rijsbergen 1979, chapter 7).

    Parameters
    ----------
    predicted, target : array or Tensor
        (N): class indices.
    beta : float
        How many times as much recall counts as precision: 0 gives precision, infinity recall.
    labels, pos_label, average, zero_division
        As for `precision`.

    Returns
    -------
    float, or array (L)

    Raises
    ------
    ValueError
        As for `precision`, or if beta is negative.
    """
    ratio = f_ratio(beta)
    return _score(ratio, predicted, target, labels, pos_label, average, zero_division)


def _score(
    ratio: Ratio,
    predicted: ArrayOrTensor,
    target: ArrayOrTensor,
    labels: npt.ArrayLike | None,
    pos_label: Any,
    average: Average,
    zero_division: ZeroDivision,
) -> Score:
    if average not in AVERAGES:
        raise ValueError(
            f"{ratio.name}: average is {average!r}, "
            "expected 'binary', 'macro', 'micro', 'weighted' or None"
        )
    predicted, target = pair(ratio.name, predicted, target)
    if average == "binary":
        labels = [_positive(ratio.name, predicted, target, pos_label)]
    counts = count(predicted, target, labels)
    result, undefined = averaged(ratio, counts, average, zero_division)
    if undefined and zero_division == "warn":
        warn(ratio.name, depth=4)
    return result


def warn(name: str, depth: int) -> None:
    """Say, `depth` calls up, that a score of `name` is undefined and given as 0."""
    warnings.warn(
        f"{name} divides by zero for a class without samples or predictions and is given as 0; "
        "zero_division= chooses another value",
        UndefinedMetricWarning,
        stacklevel=depth,
    )


def _positive(name: str, predicted: Any, target: Any, pos_label: Any) -> Any:
    """`pos_label`, if the classes that occur are such that it makes sense."""
    present = np.union1d(predicted, target).tolist()
    if len(present) > 2:
        raise ValueError(
            f"{name}: average is 'binary' and there are {len(present)} classes; "
            "choose 'macro', 'micro', 'weighted' or None"
        )
    if len(present) == 2 and pos_label not in present:
        raise ValueError(f"{name}: pos_label is {pos_label!r}, and the classes are {present}")
    return pos_label


def count(predicted: Any, target: Any, labels: npt.ArrayLike | None) -> Counts:
    """The counts of each of `labels`, or of every class that occurs."""
    present, codes = np.unique(np.concatenate([predicted, target]), return_inverse=True)
    guess, true = np.split(codes, 2)
    number = {label: i for i, label in enumerate(present.tolist())}
    wanted = present if labels is None else np.asarray(labels)
    index = [number.get(label, -1) for label in wanted.tolist()]

    def occurrences(classes: npt.NDArray[np.intp]) -> Floats:
        counts = np.bincount(classes, minlength=len(present)).astype(np.float64)
        return np.append(counts, 0)[index]  # the last is a class that does not occur

    total = np.full(len(index), len(true), np.float64)
    return Counts(occurrences(true[guess == true]), occurrences(guess), occurrences(true), total)


def averaged(
    ratio: Ratio, counts: Counts, average: Average, zero_division: ZeroDivision
) -> tuple[Score, bool]:
    """The score, and whether a division by zero is in it."""
    if average == "micro":
        counts = Counts(*(part.sum(keepdims=True) for part in counts))
    numerator, denominator = ratio.parts(counts)
    undefined = denominator == 0
    fill = 0.0 if zero_division == "warn" else float(zero_division)
    values = np.where(undefined, fill, numerator / np.where(undefined, 1, denominator))
    if average is None:
        return values, bool(undefined.any())
    weights = counts.support if average == "weighted" else np.ones(len(values))
    return _mean(values, weights), bool(undefined.any())


def _mean(values: Floats, weights: Floats) -> float:
    """The weighted mean of what is not NaN; the plain one if all weights are zero."""
    known = ~np.isnan(values)
    if not known.any():
        return float("nan")
    values, weights = values[known], weights[known]
    return float(np.average(values, weights=weights if weights.any() else None))
