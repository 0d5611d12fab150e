"""What layers share."""

from __future__ import annotations

import math

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
