"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convolith.nn import functional as F
from convolith.nn.module import Module
from convolith.tensor import Tensor


class _Pool2d(Module):
    """What maximum and minimum share."""

    def __init__(
        self,
        kernel_size: F.IntPair,
        stride: F.IntPair | None = None,
        padding: F.Padding = 0,
        dilation: F.IntPair = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """Maximum over windows of (N, C, H, W); arguments as in `functional.max_pool2d`."""

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) to (N, C, P, Q), and the indices if asked for."""
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MinPool2d(_Pool2d):
    """Minimum over windows of (N, C, H, W); arguments as in `functional.min_pool2d`."""

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) to (N, C, P, Q), and the indices if asked for."""
        return F.min_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class AvgPool2d(Module):
    """Mean over windows of (N, C, H, W); arguments as in `functional.avg_pool2d`."""

    def __init__(
        self,
        kernel_size: F.IntPair,
        stride: F.IntPair | None = None,
        padding: F.Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, P, Q)."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class LPPool2d(Module):
    """Root of the sum of powers over windows of (N, C, H, W); see `functional.lp_pool2d`."""

    def __init__(
        self,
        norm_type: float,
        kernel_size: F.IntPair,
        stride: F.IntPair | None = None,
        ceil_mode: bool = False,
    ) -> None:
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, P, Q)."""
        window = (self.kernel_size, self.stride, self.ceil_mode)
        return F.lp_pool2d(input, self.norm_type, *window)

    def extra_repr(self) -> str:
        """The norm and the window."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, ceil_mode={self.ceil_mode}"
        )


class MaxUnpool2d(Module):
    """Maxima put back where `MaxPool2d` found them; see `functional.max_unpool2d`."""

    def __init__(
        self, kernel_size: F.IntPair, stride: F.IntPair | None = None, padding: F.IntPair = 0
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """(N, C, P, Q) and indices to (N, C, H, W)."""
        window = (self.kernel_size, self.stride, self.padding)
        return F.max_unpool2d(input, indices, *window, output_size)

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Mean over windows chosen so that the output is `output_size` (None: as the input)."""

    def __init__(self, output_size: F.OutputSize) -> None:
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, P, Q)."""
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        """The output size."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """Maximum over windows chosen so that the output is `output_size` (None: as the input)."""

    def __init__(self, output_size: F.OutputSize, return_indices: bool = False) -> None:
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) to (N, C, P, Q), and the indices if asked for."""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """The output size."""
        return f"output_size={self.output_size}"


class GlobalAvgPool2d(Module):
    """Mean over every plane."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 1, 1)."""
        return F.global_avg_pool2d(input)


class GlobalMaxPool2d(Module):
    """Maximum over every plane."""

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) to (N, C, 1, 1)."""
        return F.global_max_pool2d(input)
