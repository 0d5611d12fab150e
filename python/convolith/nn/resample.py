"""Layers that make images larger and smaller: padding, resizing, pixel shuffling."""

from __future__ import annotations

from typing import ClassVar

from convolith.nn import functional as F
from convolith.nn.module import Module
from convolith.tensor import Tensor


class Upsample(Module):
    """Resize (N, C, H, W) to `size`, or by `scale_factor`; arguments as of `interpolate`."""

    def __init__(
        self,
        size: F.IntPair | None = None,
        scale_factor: F.RealPair | None = None,
        mode: F.InterpolationMode = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        self.size = size
        self.scale_factor = scale_factor
        self.mode: F.InterpolationMode = mode
        self.align_corners = align_corners

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, P, Q)."""
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        """Size or factor, and the mode."""
        given = f"scale_factor={self.scale_factor}" if self.size is None else f"size={self.size}"
        return f"{given}, mode={self.mode!r}"


class PixelShuffle(Module):
    """(N, C r^2, H, W) to (N, C, H r, W r): `functional.pixel_shuffle`."""

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """(N, C r^2, H, W) to (N, C, H r, W r)."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(N, C, H r, W r) to (N, C r^2, H, W): `functional.pixel_unshuffle`."""

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H r, W r) to (N, C r^2, H, W)."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"


Sides = int | tuple[int, int, int, int]  # the same at all sides, or (left, right, top, bottom)


class _Pad2d(Module):
    """What all kinds of border share."""

    mode: ClassVar[F.PadMode] = "constant"
    value = 0.0

    def __init__(self, padding: Sides) -> None:
        self.padding = (padding,) * 4 if isinstance(padding, int) else padding

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H + top + bottom, W + left + right)."""
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """The padding."""
        return f"padding={self.padding}"


class ConstantPad2d(_Pad2d):
    """`value` around (N, C, H, W): `padding` times, or (left, right, top, bottom)."""

    def __init__(self, padding: Sides, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """Padding and value."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(_Pad2d):
    """Zeros around (N, C, H, W): `padding` times, or (left, right, top, bottom)."""


class ReflectionPad2d(_Pad2d):
    """(N, C, H, W) mirrored at its border, which is not repeated: ``c b | a b c | b a``."""

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """The border of (N, C, H, W) repeated: ``a a | a b c | c c``."""

    mode = "replicate"


class CircularPad2d(_Pad2d):
    """(N, C, H, W) with its opposite sides around it: ``b c | a b c | a b``."""

    mode = "circular"
