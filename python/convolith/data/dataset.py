"""Datasets: arrays of equal length, parts of them, and their normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

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


class ConcatDataset:
    """Data sets one after the other, whose samples are arrays of the same kinds.

    Parameters
    ----------
    datasets : sequence of Dataset

    Raises
    ------
    ValueError
        If there are none.
    """

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        if not datasets:
            raise ValueError("ConcatDataset: expected at least one data set, got none")
        self.datasets = list(datasets)
        self._ends = np.cumsum([len(dataset) for dataset in datasets])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: Index) -> tuple[Array, ...]:
        which = np.searchsorted(self._ends, index, side="right")
        present = np.unique(which) if len(index) else [0]
        starts = np.concatenate([[0], self._ends])
        parts = [self.datasets[i][index[which == i] - starts[i]] for i in present]
        back = which.argsort(kind="stable").argsort()
        return tuple(np.concatenate(arrays)[back] for arrays in zip(*parts, strict=True))


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
