"""Sequences (N, C, L): images of one row, whose memory is the same.

Each function is the two-dimensional one on the same numbers, as (N, C, 1, L); nothing is copied.
"""

from __future__ import annotations

from typing import Any, Literal

from convolith.nn.functional.conv import conv2d, conv_transpose2d
from convolith.nn.functional.pooling import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    max_pool2d,
)
from convolith.nn.functional.types import IntOrSingle, PaddingMode
from convolith.tensor import Tensor


def _row(name: str, x: Tensor, argument: str = "input", axes: str = "(N, C, L)") -> Tensor:
    """x as an image of one row, or a filter of one."""
    if x.ndim != 3:
        raise ValueError(f"{name}: {argument} must be {axes} with 3 axes, got shape {x.shape}")
    n, c, length = x.shape
    return x.reshape(n, c, 1, length)


def _sequence(x: Tensor) -> Tensor:
    n, c, _, length = x.shape
    return x.reshape(n, c, length)


def _along(option: Any, across: int) -> Any:
    """An option of both directions: of a sequence, and `across` its only row."""
    if isinstance(option, (tuple, list)) and len(option) == 1:
        (option,) = option
    return (across, option) if isinstance(option, int) else option


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrSingle = 1,
    padding: IntOrSingle | Literal["valid", "same"] = 0,
    dilation: IntOrSingle = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Tensor:
    """Cross-correlation of `input` (N, C, L) with `weight` (K, C/G, S), plus `bias` (K)."""
    return _sequence(
        conv2d(
            _row("conv1d", input),
            _row("conv1d", weight, "weight", "(K, C/G, S)"),
            bias,
            _along(stride, 1),
            _along(padding, 0),
            _along(dilation, 1),
            groups,
            padding_mode,
        )
    )


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrSingle = 1,
    padding: IntOrSingle = 0,
    output_padding: IntOrSingle = 0,
    groups: int = 1,
    dilation: IntOrSingle = 1,
) -> Tensor:
    """Transposed convolution of `input` (N, C, L) with `weight` (C, K/G, S), plus `bias` (K)."""
    return _sequence(
        conv_transpose2d(
            _row("conv_transpose1d", input),
            _row("conv_transpose1d", weight, "weight", "(C, K/G, S)"),
            bias,
            _along(stride, 1),
            _along(padding, 0),
            _along(output_padding, 0),
            groups,
            _along(dilation, 1),
        )
    )


def _stride(stride: IntOrSingle | None) -> Any:
    return None if stride is None else _along(stride, 1)


def max_pool1d(
    input: Tensor,
    kernel_size: IntOrSingle,
    stride: IntOrSingle | None = None,
    padding: IntOrSingle = 0,
    dilation: IntOrSingle = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Maximum over windows of `input` (N, C, L); the first maximum of a window wins.

    Returns
    -------
    Tensor, or (Tensor, Tensor) if `return_indices`
        The maxima, and their int64 positions.
    """
    y, indices = max_pool2d(
        _row("max_pool1d", input),
        _along(kernel_size, 1),
        _stride(stride),
        _along(padding, 0),
        _along(dilation, 1),
        ceil_mode,
        return_indices=True,
    )
    return (_sequence(y), _sequence(indices)) if return_indices else _sequence(y)


def avg_pool1d(
    input: Tensor,
    kernel_size: IntOrSingle,
    stride: IntOrSingle | None = None,
    padding: IntOrSingle = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Mean over windows of `input` (N, C, L)."""
    return _sequence(
        avg_pool2d(
            _row("avg_pool1d", input),
            _along(kernel_size, 1),
            _stride(stride),
            _along(padding, 0),
            ceil_mode,
            count_include_pad,
        )
    )


def adaptive_avg_pool1d(input: Tensor, output_size: IntOrSingle) -> Tensor:
    """Mean over windows of `input` (N, C, L) chosen so that the output is `output_size`."""
    return _sequence(
        adaptive_avg_pool2d(_row("adaptive_avg_pool1d", input), _along(output_size, 1))
    )


def adaptive_max_pool1d(
    input: Tensor, output_size: IntOrSingle, return_indices: bool = False
) -> Any:
    """Maximum over windows of `input` (N, C, L) chosen so that the output is `output_size`."""
    row = _row("adaptive_max_pool1d", input)
    y, indices = adaptive_max_pool2d(row, _along(output_size, 1), return_indices=True)
    return (_sequence(y), _sequence(indices)) if return_indices else _sequence(y)
