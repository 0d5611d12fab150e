"""Parts of a data set, at random or in proportion, and labels as vectors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from convolith import _random
from convolith.data.dataset import Dataset, Subset

Index = npt.NDArray[np.int64]


def one_hot(labels: npt.ArrayLike, num_classes: int = -1) -> npt.NDArray[np.int64]:
    """A one at each label, zeros beside it.

    Parameters
    ----------
    labels : int array of any shape
    num_classes : int
        -1 stands for one more than the largest label.

    Returns
    -------
    (*shape, num_classes) int64

    Raises
    ------
    TypeError
        If the labels are no integers.
    ValueError
        If one is below 0, or not below `num_classes`.
    """
    classes = np.asarray(labels)
    if classes.dtype.kind not in "iu":
        raise TypeError(f"one_hot: labels must be integers, got {classes.dtype}")
    if num_classes == -1:
        if not classes.size:
            raise ValueError("one_hot: without labels num_classes cannot be told from them")
        num_classes = int(classes.max()) + 1
    if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
        worst = classes.min() if classes.min() < 0 else classes.max()
        raise ValueError(f"one_hot: label {worst} is not in [0, {num_classes})")
    return np.asarray(classes[..., None] == np.arange(num_classes), np.int64)


def random_split(
    dataset: Dataset, lengths: Sequence[float], seed: int | None = None
) -> list[Subset]:
    """Divide `dataset` at random into parts that do not overlap.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int, or of float
        How many samples each part has, or which fraction; they sum to the length, or to 1.
    seed : int, optional
        Equal seeds give equal parts; the seed of `convolith.manual_seed` if not given.

    Returns
    -------
    list of Subset

    Raises
    ------
    ValueError
        If the lengths do not sum to that.
    """
    total = len(dataset)
    whole = all(isinstance(length, int) for length in lengths)
    if abs(sum(lengths) - (total if whole else 1)) > 1e-9 or min(lengths, default=-1) < 0:
        raise ValueError(
            f"random_split: lengths are {list(lengths)}, "
            f"expected integers that sum to {total} or fractions that sum to 1"
        )
    ends = [round(end if whole else end * total) for end in itertools.accumulate(lengths)]
    order = _generator(seed).permutation(total)
    return [Subset(dataset, part) for part in np.split(order, ends[:-1])]


def train_test_split(
    dataset: Dataset,
    fraction: float = 0.2,
    stratify: npt.ArrayLike | None = None,
    seed: int | None = None,
) -> tuple[Subset, Subset]:
    """Set a part of `dataset` aside at random, of every class in proportion.

    Parameters
    ----------
    dataset : Dataset
    fraction : float
        How much is set aside, 0 to 1.
    stratify : (N,) int, optional
        The label of every sample. Of each class `fraction` is then set aside, to within one sample;
        without labels the parts have classes as chance has it.
    seed : int, optional
        Equal seeds give equal parts; the seed of `convolith.manual_seed` if not given.

    Returns
    -------
    train, test : Subset
        Both in random order.

    Raises
    ------
    ValueError
        If the fraction is outside [0, 1], or there is not one label for each sample.
    """
    total = len(dataset)
    if not 0 <= fraction <= 1:
        raise ValueError(f"train_test_split: fraction is {fraction}, expected 0 to 1")
    labels = np.zeros(total, np.int64) if stratify is None else np.asarray(stratify)
    if labels.shape != (total,):
        raise ValueError(
            f"train_test_split: stratify is {labels.shape}, expected a label for each of {total}"
        )
    order = _generator(seed).permutation(total)
    _, members = np.unique(labels[order], return_inverse=True)
    aside = np.zeros(total, bool)
    for group, count in enumerate(_apportioned(np.bincount(members), fraction)):
        aside[np.flatnonzero(members == group)[:count]] = True
    return Subset(dataset, order[~aside]), Subset(dataset, order[aside])


def _apportioned(sizes: Index, fraction: float) -> Index:
    """Whole numbers near fraction * sizes that sum to it as well: largest remainders go up."""
    exact = fraction * sizes
    counts = np.floor(exact).astype(np.int64)
    missing = round(float(exact.sum())) - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return np.asarray(counts)


def _generator(seed: int | None) -> np.random.Generator:
    seed = _random.initial_seed() if seed is None else seed
    return _random.generator(seed, 0, _random.Purpose.SPLIT)
