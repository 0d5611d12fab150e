"""Parts of images that are blotted out, and images that are mixed with others, labels and all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import primitives
from convolith.data.augment.stage import Draws, ImageStage, Stage, probability, to_float
from convolith.data.split import one_hot

Array = npt.NDArray[Any]


class Cutout(ImageStage):
    """A square anywhere, part of it outside of the image perhaps, is blotted out.

    DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout",
    2017.

    Parameters
    ----------
    size : int
        Its side, in pixels.
    fill : float
        What stands there, in the unit of the images.
    """

    def __init__(self, size: int, fill: float = 0.0) -> None:
        if size < 1:
            raise ValueError(f"Cutout: size is {size}, expected at least 1")
        self.size = size
        self.fill = fill

    def change(self, images: Array, draws: Draws) -> Array:
        centres = (draws.uniform(2) * images.shape[2:]).astype(np.int64)
        starts = centres - self.size // 2
        y: Array = images.copy()
        for image, (top, left), (bottom, right) in zip(
            y, np.maximum(starts, 0), starts + self.size, strict=True
        ):
            image[:, top:bottom, left:right] = self.fill
        return y


class RandomErasing(ImageStage):
    """A rectangle of random area and form is blotted out.

    Zhong, Zheng, Kang, Li and Yang, "Random erasing data augmentation", 2017.

    Parameters
    ----------
    p : float
        Probability.
    scale : (least, most)
        Area, as a share of the image's.
    ratio : (least, most)
        Height over width, evenly distributed on a logarithmic scale.
    value : float
        What stands there, in the unit of the images.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float = 0.0,
    ) -> None:
        self.p = probability("RandomErasing", p)
        if not 0 <= scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
            raise ValueError(
                f"RandomErasing: scale is {scale} and ratio {ratio}, expected 0 <= least <= most "
                "<= 1 and 0 < least <= most"
            )
        self.scale = scale
        self.ratio = ratio
        self.value = value

    def change(self, images: Array, draws: Draws) -> Array:
        size = np.array(images.shape[2:])
        area = draws.between(*self.scale) * size.prod()
        ratio = np.exp(draws.between(*(math.log(r) for r in self.ratio)))
        extent = np.sqrt(np.stack([area * ratio, area / ratio], axis=1)).round().astype(np.int64)
        extent = np.minimum(extent, size)
        starts = (draws.uniform(2) * (size - extent + 1)).astype(np.int64)
        y: Array = images.copy()
        for n in np.flatnonzero(draws.uniform(1)[:, 0] < self.p):
            (top, left), (bottom, right) = starts[n], starts[n] + extent[n]
            y[n, :, top:bottom, left:right] = self.value
        return y


class _Mixture(Stage):
    """Images meet others of their batch; labels become probabilities (N, K)."""

    def __init__(self, alpha: float, num_classes: int) -> None:
        if not alpha > 0:
            raise ValueError(f"{type(self).__name__}: alpha is {alpha}, expected more than 0")
        self.alpha = alpha
        self.num_classes = num_classes

    def mixed(
        self, images: Array, partners: Array, weights: Array, draws: Draws
    ) -> tuple[Array, Array]:
        """The images, and the share of themselves that is left in each."""
        raise NotImplementedError

    def apply(
        self, images: Array, labels: Array | None, draws: Draws
    ) -> tuple[Array, Array | None]:
        partners = draws.uniform(1)[:, 0].argsort(kind="stable")
        weights = draws.generator().beta(self.alpha, self.alpha, len(images))
        images, weights = self.mixed(images, partners, weights, draws)
        if labels is None:
            return images, None
        probs = one_hot(labels, self.num_classes).astype(np.float32) if labels.ndim == 1 else labels
        share = weights[:, None].astype(probs.dtype)
        return images, share * probs + (1 - share) * probs[partners]


class MixUp(_Mixture):
    """Weighted means of two images, and of their labels.

    y[n] = w x[n] + (1 - w) x[m], w from Beta(alpha, alpha), m from a permutation of the batch
    (Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", 2018).

    Parameters
    ----------
    alpha : float
    num_classes : int
        K of the labels (N, K) that come of it, which `CrossEntropyLoss` takes.
    """

    def __init__(self, alpha: float = 0.2, num_classes: int = 10) -> None:
        super().__init__(alpha, num_classes)

    def mixed(
        self, images: Array, partners: Array, weights: Array, draws: Draws
    ) -> tuple[Array, Array]:
        images = to_float(images)
        shares = weights.astype(images.dtype)
        return primitives.mix_images_forward(images, partners, shares), weights


class CutMix(_Mixture):
    """A rectangle of another image takes the place of an image's own, labels in proportion.

    It covers a share 1 - w, w from Beta(alpha, alpha), before the border cuts it (Yun, Han, Oh,
    Chun, Choe and Yoo, "CutMix: regularization strategy to train strong classifiers with
    localizable features", 2019).

    Parameters
    ----------
    alpha : float
    num_classes : int
        K of the labels (N, K) that come of it, which `CrossEntropyLoss` takes.
    """

    def __init__(self, alpha: float = 1.0, num_classes: int = 10) -> None:
        super().__init__(alpha, num_classes)

    def mixed(
        self, images: Array, partners: Array, weights: Array, draws: Draws
    ) -> tuple[Array, Array]:
        size = np.array(images.shape[2:])
        extent = (size * np.sqrt(1 - weights)[:, None]).astype(np.int64)
        starts = (draws.uniform(2) * size).astype(np.int64) - extent // 2
        begin, end = np.maximum(starts, 0), np.minimum(starts + extent, size)
        y: Array = images.copy()
        for n, other in enumerate(partners):
            (top, left), (bottom, right) = begin[n], end[n]
            y[n, :, top:bottom, left:right] = images[other, :, top:bottom, left:right]
        return y, 1 - (end - begin).prod(axis=1) / size.prod()
