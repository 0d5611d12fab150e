"""Blocks that several networks are made of."""

from __future__ import annotations

from typing import Any

from convolith import nn
from convolith.nn import functional as F
from convolith.tensor import Tensor


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.ReLU6,
    padding: F.ConvPadding | None = None,
    **norm: Any,
) -> nn.Sequential:
    """A convolution, batch norm with the options `norm`, and an activation unless that is None.

    (N, C, H, W) to (N, K, ceil(H / stride), ceil(W / stride)).
    """
    padding = kernel_size // 2 if padding is None else padding
    layers: list[nn.Module] = [
        nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels, **norm),
    ]
    return nn.Sequential(*layers, *([] if activation is None else [activation()]))


class SqueezeExcitation(nn.Sequential):
    """Scale each channel by a gate in (0, 1) that sees all channels (Hu, Shen and Sun 2018).

    Means of the planes go through two 1x1 convolutions: (N, C, H, W) to the same shape.

    Parameters
    ----------
    channels : int
        C.
    squeezed : int
        Channels between the two.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        self.avgpool = nn.GlobalAvgPool2d()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.SiLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape; the gate is (N, C, 1, 1)."""
        gate: Tensor = super().forward(input)
        return input * gate


def scaled_channels(channels: int, width: float) -> int:
    """`channels` times `width` as a multiple of 8, of which less than a tenth is lost."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def check_width(network: str, width: float) -> None:
    """Raise ValueError unless `width` multiplies channels by something positive."""
    if not width > 0:
        raise ValueError(f"{network}: width is {width}, expected a number above 0")


def init_convolutions(model: nn.Module) -> None:
    """He's normal distribution of the fan-out for every convolution, zeros for its bias."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            zero_bias(module)


def zero_bias(layer: nn.Conv2d | nn.Linear) -> None:
    """Zeros for the bias, if there is one."""
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
