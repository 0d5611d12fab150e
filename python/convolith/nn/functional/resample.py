"""Images made larger and smaller: padding, resizing, pixel shuffling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.patches import fold, unfold
from convolith.nn.functional.types import (
    Gradients,
    InterpolationMode,
    IntPair,
    Padding,
    PadMode,
    RealPair,
)
from convolith.tensor import Function, Node, Tensor


class Pad2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, padding: Padding, mode: PadMode, value: float) -> Array:
        ctx.save(x.shape, padding, mode)
        return P.pad2d_forward(x, padding, mode=mode, value=value)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        shape, padding, mode = ctx.saved
        return (P.pad2d_backward(dy, shape, padding, mode=mode),)


class Interpolate2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, **options: Any) -> Array:
        ctx.save(x.shape, options)
        return P.interpolate2d_forward(x, **options)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        shape, options = ctx.saved
        return (P.interpolate2d_backward(dy, shape, **options),)


def pad(
    input: Tensor, pad: Sequence[int], mode: PadMode = "constant", value: float | None = None
) -> Tensor:
    """Put rows and columns around the last two dimensions of `input`.

    Parameters
    ----------
    input : Tensor
        (N, C, H, W), or (N, C, L) with two numbers.
    pad : (left, right) or (left, right, top, bottom)
        From the last dimension on; negative numbers take away, in mode 'constant'.
    mode : {'constant', 'reflect', 'replicate', 'circular'}
    value : float, optional
        Of mode 'constant', 0 if not given.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the padding does not fit the shape or the mode.
    """
    if len(pad) not in (2, 4) or input.ndim not in ((3, 4) if len(pad) == 2 else (4,)):
        raise ValueError(
            f"pad: {len(pad)} numbers for an input of shape {input.shape}; expected (left, right) "
            "for (N, C, L) or (N, C, H, W), or (left, right, top, bottom) for (N, C, H, W)"
        )
    left, right, top, bottom = (*pad, 0, 0)[:4]
    x = input if input.ndim == 4 else input.reshape(*input.shape[:2], 1, input.shape[2])
    y = Pad2d.apply(x, (top, bottom, left, right), mode, 0.0 if value is None else value)
    return y if input.ndim == 4 else y.reshape(*y.shape[:2], y.shape[3])


def interpolate(
    input: Tensor,
    size: IntPair | None = None,
    scale_factor: RealPair | None = None,
    mode: InterpolationMode = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Resize `input` (N, C, H, W) to `size` (P, Q), or by `scale_factor`.

    See `convolith.primitives.interpolate2d_forward` for where each output is read.
    """
    return Interpolate2d.apply(
        input, size=size, scale_factor=scale_factor, mode=mode, align_corners=bool(align_corners)
    )


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels to pixels: (N, C r^2, H, W) to (N, C, H r, W r) with r = `upscale_factor`.

    Of every r^2 channels each pixel becomes a square of r by r (Shi et al. 2016, "Real-time single
    image and video super-resolution"): `fold` of squares that touch and do not overlap.
    """
    n, c, h, w = input.shape
    size = (h * upscale_factor, w * upscale_factor)
    return fold(input.reshape(n, c, h * w), size, upscale_factor, stride=upscale_factor)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels to channels, the inverse of `pixel_shuffle`: (N, C, H r, W r) to (N, C r^2, H, W)."""
    h, w = input.shape[2] // downscale_factor, input.shape[3] // downscale_factor
    if (h * downscale_factor, w * downscale_factor) != input.shape[2:]:
        raise ValueError(
            f"pixel_unshuffle: downscale_factor {downscale_factor} does not divide "
            f"the size of input {input.shape}"
        )
    y = unfold(input, downscale_factor, stride=downscale_factor)
    return y.reshape(*y.shape[:2], h, w)
