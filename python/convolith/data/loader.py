"""Batches of a dataset in a seeded order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import _C, _random, primitives
from convolith.data.augment import Draws, Stage
from convolith.data.dataset import Dataset
from convolith.data.prefetch import Lane, OnItsWay, in_order
from convolith.device import Device
from convolith.tensor import Tensor

Array = npt.NDArray[Any]
Transform = Callable[[Array, np.random.Generator], Array]


class DataLoader:
    """Iterate over `dataset` in batches of tensors.

    The order and the transform of an epoch depend on `seed` and on the number of the epoch alone,
    so that a run which is resumed sees what it would have seen, whatever the number of workers.

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
        `RandomShift`; each batch has a generator of its own.
    num_workers : int
        Threads that prepare batches ahead while the loop is at work: NumPy and our kernels let
        threads run side by side. They start with the loop and end with it, however it ends.
        With 0 the loop prepares its batches itself.
    pin_memory : bool
        On the CPU, put batches into pinned memory, from where copies to a GPU need not wait.
    prefetch_factor : int
        How many batches each worker is ahead.
    device : {'cpu', 'emu', 'cuda'}, optional
        Where the batches come. They are copied ahead, from pinned memory and on a stream of their
        own, at least one batch while the loop is busy with the one before; the current stream
        waits for what it gets.
    sampler : collection of int, optional
        Which samples come, in order, instead of all of them; iterated anew every epoch.
    augment : augment.Stage, optional
        Such as `augment.Compose`, run on each batch of images and labels where the batch is
        prepared; labels may become probabilities. What it draws for a sample depends on the seed,
        the epoch and the position of the sample in `dataset`.

    Attributes
    ----------
    epoch : int
        The number of the next epoch; counts up with every iteration, and may be set.

    Raises
    ------
    ValueError
        If `batch_size` or `prefetch_factor` is below 1, `num_workers` below 0, or both `shuffle`
        and `sampler` are given. What a data set raises for a sample comes with its position.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | None = None,
        transform: Transform | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        prefetch_factor: int = 2,
        device: Device | None = None,
        sampler: Collection[int] | None = None,
        augment: Stage | None = None,
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers, 0),
            ("prefetch_factor", prefetch_factor, 1),
        ):
            if value < least:
                raise ValueError(f"DataLoader: {name} is {value}, expected at least {least}")
        if shuffle and sampler is not None:
            raise ValueError("DataLoader: either shuffle or a sampler gives the order, not both")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = _random.initial_seed() if seed is None else seed
        self.transform = transform
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.prefetch_factor = prefetch_factor
        self.device: Device = device or "cpu"
        self.sampler = sampler
        self.augment = augment
        self.epoch = 0

    def __len__(self) -> int:
        samples = self.dataset if self.sampler is None else self.sampler
        full, rest = divmod(len(samples), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        samples = range(len(self.dataset)) if self.sampler is None else self.sampler
        order = np.fromiter(samples, np.int64)
        if self.shuffle:
            _random.generator(self.seed, epoch, _random.Purpose.SHUFFLE).shuffle(order)
        numbers, workers = range(len(self)), self.num_workers
        ahead = workers * self.prefetch_factor
        if self.device == "cpu":
            pin = _C.to_pinned if self.pin_memory else np.asarray

            def here(number: int) -> tuple[Tensor, ...]:
                return tuple(Tensor(pin(array)) for array in self._batch(order, epoch, number))

            yield from in_order(here, numbers, workers, ahead)
            return
        ahead = max(ahead, 1)
        lane = Lane(self.device, ahead + 1)

        def there(number: int) -> OnItsWay:
            return lane.send(number, self._batch(order, epoch, number))

        try:
            for batch in in_order(there, numbers, workers, ahead):
                yield batch.receive()
        finally:
            lane.stream.synchronize()  # before the pinned memory goes

    def _batch(self, order: npt.NDArray[np.int64], epoch: int, number: int) -> tuple[Array, ...]:
        start = number * self.batch_size
        index = order[start : start + self.batch_size]
        first, *others = self._samples(index)
        if self.transform is not None:
            purpose = _random.Purpose.TRANSFORM
            first = self.transform(first, _random.generator(self.seed, epoch, purpose, number))
        if self.augment is not None:
            labels = others[0] if others else None
            draws = Draws(self.seed, epoch, index)
            first, labels = self.augment.apply(first, labels, draws)
            others[:1] = [] if labels is None else [labels]
        return (first, *others)

    def _samples(self, index: npt.NDArray[np.int64]) -> tuple[Array, ...]:
        try:
            return self.dataset[index]
        except Exception as error:
            if len(error.args) == 1 and isinstance(error.args[0], str):
                error.args = (f"{self._culprit(index)}: {error.args[0]}",)
            raise

    def _culprit(self, index: npt.NDArray[np.int64]) -> str:
        """Which sample of a batch cannot be had."""
        for i in index:
            try:
                self.dataset[np.array([i])]
            except Exception:
                return f"sample {i}"
        return f"samples {index.tolist()}"


class RandomShift:
    """Move every image by up to `pixels` in each direction; its border is repeated outwards.

    Parameters
    ----------
    pixels : int
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels

    def __call__(self, images: Array, generator: np.random.Generator) -> Array:
        offsets = generator.integers(0, 2 * self.pixels + 1, (2, len(images))).T - self.pixels
        straight, size = np.zeros_like(offsets), images.shape[2:]
        return primitives.crop_flip_forward(images, offsets, straight, size, "replicate")
