"""Blocks of several layers."""

from __future__ import annotations

from convolith.nn import functional as F
from convolith.nn.activation import ReLU
from convolith.nn.container import Sequential
from convolith.nn.conv import Conv2d
from convolith.nn.module import Module
from convolith.nn.normalization import BatchNorm2d


class DepthwiseSeparableConv2d(Sequential):
    """A filter for each channel, then a 1x1 convolution, which mixes the channels.

    MobileNet's block (Howard et al. 2017, figure 3; Sifre 2014): it takes 1/K + 1/(R S) of the
    products and of the weights of a convolution. A 1x1 convolution is a linear layer over the
    channels, the same at each pixel (Lin et al. 2014, "Network in network"): it makes channels more
    or fewer and mixes them, and does not look at neighbours.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, dilation : int or (int, int)
        Of the depthwise convolution.
    padding : int, pair, (top, bottom, left, right), 'valid' or 'same'
        Of it, too.
    batch_norm : bool
        Normalise after each of the two, which then have no bias.
    activation : {'relu', 'identity'}
        After each of the two.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.IntPair = 3,
        stride: F.IntPair = 1,
        padding: F.ConvPadding = 1,
        dilation: F.IntPair = 1,
        batch_norm: bool = True,
        activation: F.Activation = "relu",
    ) -> None:
        depthwise = Conv2d(
            in_channels,
            in_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups=in_channels,
            bias=not batch_norm,
        )
        pointwise = Conv2d(in_channels, out_channels, 1, bias=not batch_norm)
        super().__init__(
            *_followed(depthwise, in_channels, batch_norm, activation),
            *_followed(pointwise, out_channels, batch_norm, activation),
        )


def _followed(
    conv: Conv2d, channels: int, batch_norm: bool, activation: F.Activation
) -> list[Module]:
    if batch_norm:
        return [conv, BatchNorm2d(channels, activation=activation)]
    return [conv, ReLU()] if activation == "relu" else [conv]
