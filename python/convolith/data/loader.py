"""Batches of a dataset in a seeded order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from convolith import _random
from convolith.data.dataset import Dataset
from convolith.tensor import Tensor

Array = npt.NDArray[Any]
Transform = Callable[[Array, np.random.Generator], Array]


class DataLoader:
    """Iterate over `dataset` in batches of tensors.

    The order and the transform of an epoch depend on `seed` and on the number of the epoch alone,
    so that a run which is resumed sees what it would have seen.

    Parameters
    ----------
    dataset : Dataset
        Such as `TensorDataset`.
    batch_size : int
    shuffle : bool
        A new order every epoch.
    drop_last : bool
        Leave out a last batch that is smaller than the others.
    seed : int, optional
        The seed of `convolith.manual_seed` if not given.
    transform : callable, optional
        ``transform(images, generator)`` changes the first array of each batch, such as
        `RandomShift`.

    Attributes
    ----------
    epoch : int
        The number of the next epoch; counts up with every iteration, and may be set.

    Raises
    ------
    ValueError
        If `batch_size` is below 1.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
        transform: Transform | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size is {batch_size}, expected at least 1")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = _random.initial_seed() if seed is None else seed
        self.transform = transform
        self.epoch = 0

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = np.arange(len(self.dataset))
        if self.shuffle:
            _random.generator(self.seed, epoch, _random.Purpose.SHUFFLE).shuffle(order)
        chance = _random.generator(self.seed, epoch, _random.Purpose.TRANSFORM)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            first, *others = self.dataset[order[start : start + self.batch_size]]
            if self.transform is not None:
                first = self.transform(first, chance)
            yield (Tensor(first), *map(Tensor, others))


class RandomShift:
    """Move every image by up to `pixels` in each direction; its border is repeated outwards.

    Parameters
    ----------
    pixels : int
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels

    def __call__(self, images: Array, generator: np.random.Generator) -> Array:
        n, c, h, w = images.shape
        p = self.pixels
        padded = np.empty((n, c, h + 2 * p, w + 2 * p), images.dtype)
        padded[:, :, p : p + h, p : p + w] = images
        padded[:, :, :p] = padded[:, :, p : p + 1]
        padded[:, :, p + h :] = padded[:, :, p + h - 1 : p + h]
        padded[:, :, :, :p] = padded[:, :, :, p : p + 1]
        padded[:, :, :, p + w :] = padded[:, :, :, p + w - 1 : p + w]
        dy, dx = generator.integers(0, 2 * p + 1, (2, n))
        shifted: Array = sliding_window_view(padded, (h, w), axis=(2, 3))[np.arange(n), :, dy, dx]
        return shifted
