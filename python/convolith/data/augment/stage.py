"""What a stage of augmentation is, how stages are strung together, and what they draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from convolith import _C, _random, primitives

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


class Draws:
    """Random numbers for the images of a batch, in the order in which a pipeline asks for them.

    Parameters
    ----------
    seed, epoch : int
    indices : (N,) int
        Which images these are: equal ones get equal numbers, whatever else is in the batch.
    """

    def __init__(self, seed: int, epoch: int, indices: npt.ArrayLike) -> None:
        self.seed, self.epoch = seed, epoch
        self.indices = np.asarray(indices, np.int64)
        self._keys = _random.generator(seed, epoch, _random.Purpose.AUGMENT)

    def _key(self) -> int:
        return int(self._keys.integers(2**64, dtype=np.uint64))

    def uniform(self, count: int) -> Floats:
        """(N, count) numbers in [0, 1), `count` for each image."""
        numbers: Floats = _C.uniform(self.indices, count, seed=self._key())
        return numbers

    def between(self, low: float, high: float) -> npt.NDArray[np.float64]:
        """(N,) numbers in [low, high), one for each image."""
        return low + (high - low) * self.uniform(1)[:, 0].astype(np.float64)

    def normal(self, shape: Sequence[int]) -> Floats:
        """(N, *shape) normally distributed numbers (Box and Muller 1958)."""
        count = int(np.prod(shape))
        radius, turn = self.uniform(count), self.uniform(count)
        numbers = np.sqrt(-2 * np.log1p(-radius)) * np.cos(np.float32(2 * np.pi) * turn)
        return np.asarray(numbers.reshape(len(self.indices), *shape))

    def generator(self) -> np.random.Generator:
        """NumPy's, for what the images of a batch draw together; its first one seeds it."""
        first = int(self.indices[0]) if len(self.indices) else 0
        return _random.generator(self._key(), first, _random.Purpose.AUGMENT)


class Stage:
    """One step of augmentation; `apply` is what a stage of your own has to define."""

    def apply(
        self, images: Array, labels: Array | None, draws: Draws
    ) -> tuple[Array, Array | None]:
        """The batch after this step.

        Parameters
        ----------
        images : (N, C, H, W)
        labels : (N,) int64, (N, K) probabilities, or None
        draws : Draws
            Where randomness comes from.

        Returns
        -------
        images, labels
        """
        raise NotImplementedError

    def joined(self, after: Stage) -> Stage | None:
        """One stage that does this and then `after` in one pass, if there is such a thing."""
        return None

    @overload
    def __call__(self, images: Array, labels: None = None, draws: Draws | None = None) -> Array: ...
    @overload
    def __call__(
        self, images: Array, labels: Array, draws: Draws | None = None
    ) -> tuple[Array, Array]: ...
    def __call__(
        self, images: Array, labels: Array | None = None, draws: Draws | None = None
    ) -> Any:
        """Augment a batch: images alone, or with their labels.

        Parameters
        ----------
        images : (N, C, H, W) uint8 or floating
        labels : (N,) or (N, K), optional
        draws : Draws, optional
            If not given, every call draws anew, from the seed of `convolith.manual_seed`.

        Returns
        -------
        images, or images and labels
        """
        draws = draws or Draws(*_random.next_stream(), np.arange(len(images)))
        images, labels = self.apply(images, labels, draws)
        return images if labels is None else (images, labels)

    def __repr__(self) -> str:
        settings = (f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_"))
        return f"{type(self).__name__}({', '.join(settings)})"


class ImageStage(Stage):
    """A step that leaves labels alone."""

    def apply(
        self, images: Array, labels: Array | None, draws: Draws
    ) -> tuple[Array, Array | None]:
        return self.change(images, draws), labels

    def change(self, images: Array, draws: Draws) -> Array:
        """The images after this step."""
        raise NotImplementedError


class Compose(Stage):
    """Stages one after the other; neighbours that can go in one pass over the images do.

    Those are a crop and the flips after it, and `RandomAffine` and the `ElasticDistortion` after
    it, which resample once.

    Parameters
    ----------
    stages : sequence of Stage
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages: list[Stage] = []
        for stage in stages:
            both = self.stages[-1].joined(stage) if self.stages else None
            if both is None:
                self.stages.append(stage)
            else:
                self.stages[-1] = both

    def apply(
        self, images: Array, labels: Array | None, draws: Draws
    ) -> tuple[Array, Array | None]:
        for stage in self.stages:
            images, labels = stage.apply(images, labels, draws)
        return images, labels


def to_float(images: Array) -> Array:
    """Bytes as float32 from 0 to 1; floating images as they are."""
    if images.dtype != np.uint8:
        return images
    channels = images.shape[1]
    white = np.full(channels, 255, np.float32)
    return primitives.normalize_images_forward(images, np.zeros_like(white), white)


def probability(name: str, p: float) -> float:
    """p, if it is one."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is {p}, expected a probability in [0, 1]")
    return p
