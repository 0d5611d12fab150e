"""Where pixels come from: crops and flips, affine maps, elastic distortion."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convolith import primitives
from convolith.data.augment.stage import Draws, ImageStage, Stage, probability, to_float

Array = npt.NDArray[Any]
Float64s = npt.NDArray[np.float64]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Interpolation = Literal["nearest", "bilinear"]


class Window:
    """Of every image of a batch (N, C, H, W) the part that is kept, and how it is turned."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.size = (shape[2], shape[3])
        self.offsets = np.zeros((shape[0], 2), np.int64)
        self.flips = np.zeros((shape[0], 2), np.int64)


class _Move(ImageStage):
    """A crop or a flip; flips that follow go in the same pass."""

    padding_mode: PaddingMode = "zeros"
    fill = 0.0
    _followers: tuple[_Move, ...] = ()

    def move(self, window: Window, draws: Draws) -> None:
        raise NotImplementedError

    def joined(self, after: Stage) -> Stage | None:
        if not isinstance(after, _Flip):
            return None
        both = copy.copy(self)
        both._followers = (*self._followers, after)
        return both

    def change(self, images: Array, draws: Draws) -> Array:
        window = Window(images.shape)
        for part in (self, *self._followers):
            part.move(window, draws)
        return primitives.crop_flip_forward(
            images, window.offsets, window.flips, window.size, self.padding_mode, self.fill
        )


class RandomCrop(_Move):
    """A window of that size anywhere in the padded image.

    Parameters
    ----------
    size : int or (height, width)
    padding : int, (vertical, horizontal), or (top, bottom, left, right)
        Pixels put around the image first.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
    fill : float
        Stands in the padding instead of zeros, in the unit of the images.

    Raises
    ------
    ValueError
        When it meets images which, with their padding, are smaller than the window.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        padding: int | Sequence[int] = 0,
        padding_mode: PaddingMode = "zeros",
        fill: float = 0.0,
    ) -> None:
        self.size = (size, size) if isinstance(size, int) else size
        sides = [padding] * 4 if isinstance(padding, int) else list(padding)
        self.padding = tuple(np.repeat(sides, 2) if len(sides) == 2 else sides)
        if len(self.size) != 2 or len(self.padding) != 4 or min(self.padding) < 0:
            raise ValueError(
                f"RandomCrop: size is {size} and padding {padding}, expected an int or a pair, "
                "and one, two or four ints of at least 0"
            )
        self.padding_mode = padding_mode
        self.fill = fill

    def move(self, window: Window, draws: Draws) -> None:
        top, bottom, left, right = self.padding
        padded = np.array([window.size[0] + top + bottom, window.size[1] + left + right])
        if (padded < self.size).any():
            raise ValueError(
                f"RandomCrop: size is {self.size}, but the images with their padding are "
                f"{tuple(padded.tolist())}"
            )
        places = padded - self.size + 1
        window.offsets += (draws.uniform(2) * places).astype(np.int64) - (top, left)
        window.size = self.size


class _Flip(_Move):
    """Turns an image over along `_axis` with probability p."""

    _axis: int

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(type(self).__name__, p)

    def move(self, window: Window, draws: Draws) -> None:
        window.flips[:, self._axis] ^= draws.uniform(1)[:, 0] < self.p


class RandomHorizontalFlip(_Flip):
    """Left and right change places.

    Parameters
    ----------
    p : float
        With that probability.
    """

    _axis = 1


class RandomVerticalFlip(_Flip):
    """Top and bottom change places.

    Parameters
    ----------
    p : float
        With that probability.
    """

    _axis = 0


class RandomAffine(ImageStage):
    """Rotation, translation, scaling and shear about the centre, in one resampling.

    Parameters
    ----------
    degrees : float or (least, most)
        Of rotation; one number stands for -degrees to degrees.
    translate : (horizontal, vertical), optional
        Shifts of up to that share of the width and of the height either way.
    scale : (least, most), optional
        Factor.
    shear : float, (least, most), or (least x, most x, least y, most y), optional
        Degrees, along the rows and, of four numbers, along the columns.
    interpolation : {'nearest', 'bilinear'}
    fill : float
        What stands outside of the image; between 0 and 1 for bytes.

    Notes
    -----
    Names, order, defaults and angles of torchvision, whose shifts however are whole pixels.
    """

    def __init__(
        self,
        degrees: float | tuple[float, float],
        translate: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: Interpolation = "nearest",
        fill: float = 0.0,
    ) -> None:
        self.degrees = _interval(degrees)
        self.translate = translate or (0.0, 0.0)
        self.scale = scale or (1.0, 1.0)
        sheared = [0.0] if shear is None else _interval(shear)
        self.shear = (*sheared, *[0.0] * (4 - len(sheared)))
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"RandomAffine: scale is {scale}, expected 0 < least <= most")
        if not all(0 <= share <= 1 for share in self.translate):
            raise ValueError(f"RandomAffine: translate is {translate}, expected shares in [0, 1]")
        self.interpolation = interpolation
        self.fill = fill
        self._follower: ElasticDistortion | None = None

    def joined(self, after: Stage) -> Stage | None:
        if not isinstance(after, ElasticDistortion) or self._follower:
            return None
        if (self.interpolation, self.fill) != (after.interpolation, after.fill):
            return None
        both = copy.copy(self)
        both._follower = after
        return both

    def matrices(self, draws: Draws, h: int, w: int) -> Float64s:
        """(N, 2, 3): from pixels of the result to pixels of the images."""
        angle = np.radians(draws.between(*self.degrees))
        x, y = (np.tan(np.radians(draws.between(*self.shear[i : i + 2]))) for i in (0, 2))
        cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(x), np.ones_like(x)
        turn = _matrices([[cos, -sin], [sin, cos]])
        shear = _matrices([[one, zero], [-y, one]]) @ _matrices([[one, -x], [zero, one]])
        scale = draws.between(*self.scale)[:, None, None]
        back = np.linalg.inv(scale * turn @ shear)
        shift = [draws.between(-t * n, t * n) for t, n in zip(self.translate, (w, h), strict=True)]
        centre = np.array([(w - 1) / 2, (h - 1) / 2])[:, None]
        moved = centre + np.stack(shift, axis=1)[:, :, None]
        return np.concatenate([back, centre - back @ moved], axis=2)

    def change(self, images: Array, draws: Draws) -> Array:
        matrices = self.matrices(draws, *images.shape[2:])
        field = self._follower.displacement(draws, *images.shape[2:]) if self._follower else None
        return _warp(images, matrices, field, self.interpolation, self.fill)


class ElasticDistortion(ImageStage):
    """Every pixel is read a little beside its place, neighbours at nearly the same distance.

    Displacements uniform in [-1, 1] are smoothed by a Gaussian and multiplied by alpha (Simard,
    Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003).

    Parameters
    ----------
    alpha : float
        Strength, in pixels before smoothing.
    sigma : float
        Of the Gaussian, in pixels.
    interpolation : {'nearest', 'bilinear'}
    fill : float
        What stands outside of the image; between 0 and 1 for bytes.
    """

    def __init__(
        self,
        alpha: float = 34.0,
        sigma: float = 4.0,
        interpolation: Interpolation = "bilinear",
        fill: float = 0.0,
    ) -> None:
        if not sigma > 0:
            raise ValueError(f"ElasticDistortion: sigma is {sigma}, expected more than 0")
        self.alpha = alpha
        self.sigma = sigma
        self.interpolation: Interpolation = interpolation
        self.fill = fill

    def displacement(self, draws: Draws, h: int, w: int) -> npt.NDArray[np.float32]:
        """(N, 2, h, w), in pixels."""
        noise = 2 * draws.uniform(2 * h * w).reshape(-1, 2, h, w) - 1
        weights = gaussian(self.sigma).astype(np.float32)
        field: npt.NDArray[np.float32] = primitives.blur_images_forward(noise, weights, "zeros")
        field *= self.alpha
        return field

    def change(self, images: Array, draws: Draws) -> Array:
        same = np.tile(np.eye(2, 3), (len(images), 1, 1))
        field = self.displacement(draws, *images.shape[2:])
        return _warp(images, same, field, self.interpolation, self.fill)


def gaussian(sigma: float) -> Float64s:
    """Weights of a Gaussian filter as far as 4 sigma, which sum to 1."""
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def _warp(
    images: Array, matrices: Float64s, field: Array | None, interpolation: str, fill: float
) -> Array:
    images = to_float(images)
    dtype = images.dtype
    field = None if field is None else field.astype(dtype, copy=False)
    return primitives.warp_images_forward(
        images, matrices.astype(dtype), field, interpolation, fill
    )


def _matrices(rows: list[list[Float64s]]) -> Float64s:
    """(N, 2, 2) from their entries, each (N,)."""
    return np.moveaxis(np.array(rows), 2, 0)


def _interval(value: float | Sequence[float]) -> tuple[float, ...]:
    """One number stands for both signs."""
    return (-value, value) if isinstance(value, (int, float)) else tuple(value)
