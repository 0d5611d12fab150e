"""Datasets: arrays of equal length, parts of them, and their normalisation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from convolith import _random
from convolith.tensor import Tensor

Array = npt.NDArray[Any]
Index = npt.NDArray[np.int64]


class Dataset(Protocol):
    """What `DataLoader` reads: a length, and the samples at an array of positions."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Index, /) -> tuple[Array, ...]: ...


class TensorDataset:
    """Arrays or tensors of equal length; sample i is the i-th entry of each.

    Parameters
    ----------
    *arrays : array or Tensor

    Raises
    ------
    ValueError
        If there are none, or their lengths differ.
    """

    def __init__(self, *arrays: Array | Tensor) -> None:
        self.arrays = tuple(np.asarray(array) for array in arrays)
        if len({len(array) for array in self.arrays}) != 1:
            shapes = ", ".join(str(array.shape) for array in self.arrays) or "nothing"
            raise ValueError(f"TensorDataset: expected arrays of one length, got {shapes}")

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Index) -> tuple[Array, ...]:
        return tuple(array[index] for array in self.arrays)


class Subset:
    """The samples of `dataset` at `indices`, in that order."""

    def __init__(self, dataset: Dataset, indices: Index) -> None:
        self.dataset = dataset
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Index) -> tuple[Array, ...]:
        return self.dataset[self.indices[index]]


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
    seed = _random.initial_seed() if seed is None else seed
    order = _random.generator(seed, 0, _random.Purpose.SPLIT).permutation(total)
    return [Subset(dataset, part) for part in np.split(order, ends[:-1])]


class Normalize:
    """``(x - mean) / std`` per channel of (N, C, H, W), to contiguous float32.

    Parameters
    ----------
    mean, std : sequence of float
        One value per channel, in the unit of the images (0 to 255 for bytes).
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = [float(value) for value in mean]
        self.std = [float(value) for value in std]

    @classmethod
    def fit(cls, images: Array) -> Normalize:
        """Mean and standard deviation of each channel of `images` (N, C, H, W).

        A constant channel gets standard deviation 1.
        """
        mean = images.mean((0, 2, 3), dtype=np.float64)
        std = images.std((0, 2, 3), dtype=np.float64)
        return cls(mean.tolist(), np.where(std > 0, std, 1.0).tolist())

    def __call__(self, images: Array) -> npt.NDArray[np.float32]:
        shape = (1, -1, 1, 1)
        mean = np.array(self.mean, np.float32).reshape(shape)
        scale = (1 / np.array(self.std)).astype(np.float32).reshape(shape)
        normalized: npt.NDArray[np.float32] = (images.astype(np.float32) - mean) * scale
        return normalized
