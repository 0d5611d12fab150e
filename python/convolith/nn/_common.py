"""What layers share."""

from __future__ import annotations

import math
from typing import Any

from convolith.nn import init
from convolith.nn.module import Parameter


def check_sizes(layer: str, **sizes: int) -> None:
    """Raise ValueError if one of `sizes` is below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{layer}: {name} is {size}, expected at least 1")


def reset_weight_and_bias(weight: Parameter, bias: Parameter | None) -> None:
    """Draw both from U(-b, b), b = 1/sqrt(fan_in): PyTorch's default."""
    fan_in = math.prod(weight.shape[1:])
    init.fan_in_uniform_(weight, fan_in)
    if bias is not None:
        init.fan_in_uniform_(bias, fan_in)


def check_conv(
    layer: str, in_channels: int, out_channels: int, groups: int, kernel_size: int
) -> None:
    """Raise ValueError if a convolution cannot have these sizes."""
    check_sizes(
        layer,
        in_channels=in_channels,
        out_channels=out_channels,
        groups=groups,
        kernel_size=kernel_size,
    )
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{layer}: groups={groups} does not divide "
            f"in_channels={in_channels} and out_channels={out_channels}"
        )


def check_zeros(layer: str, padding_mode: str) -> None:
    """Raise ValueError unless transposed convolution can have this padding mode."""
    if padding_mode != "zeros":
        raise ValueError(f"{layer}: padding_mode is {padding_mode!r}, expected 'zeros'")


def describe_conv(layer: Any, **defaults: Any) -> str:
    """Its sizes, and those of its options that are not the default."""
    text = f"{layer.in_channels}, {layer.out_channels}, kernel_size={layer.kernel_size}"
    options = {name: getattr(layer, name) for name in defaults}
    if "bias" in options:
        options["bias"] = layer.bias is not None
    changed = [f", {n}={value!r}" for n, value in options.items() if value != defaults[n]]
    return text + "".join(changed)
