"""MobileNetV2."""

from __future__ import annotations

from convolith import nn
from convolith.models.blocks import (
    check_width,
    conv_norm,
    init_convolutions,
    scaled_channels,
    zero_bias,
)
from convolith.tensor import Tensor

# Expansion, channels, blocks and first stride of each stage (Sandler et al. 2018, table 2).
_STAGES = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


class InvertedResidual(nn.Module):
    """Wide inside and narrow at both ends, where the shortcut is (Sandler et al. 2018, fig. 4).

    A 1x1 convolution to more channels, a 3x3 depthwise one, both with batch norm and ReLU6, and a
    1x1 convolution with batch norm alone, for a ReLU would lose what few channels hold.
    (N, C, H, W) to (N, K, ceil(H / stride), ceil(W / stride)).

    Parameters
    ----------
    in_channels, out_channels : int
        C and K; the shortcut is there if they are equal and `stride` is 1.
    stride : int
        Of the depthwise convolution.
    expansion : int
        How many times C are the channels inside; with 1 there is no first convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        inside = in_channels * expansion
        self.conv = nn.Sequential(
            *([] if expansion == 1 else [conv_norm(in_channels, inside, 1)]),
            conv_norm(inside, inside, 3, stride, groups=inside),
            nn.Conv2d(inside, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q)."""
        output: Tensor = self.conv(input)
        return input + output if self.residual else output


class MobileNetV2(nn.Sequential):
    """MobileNetV2 (Sandler et al. 2018, table 2) for images (N, 3, H, W), to logits.

    Parts, and with them the keys of `state_dict`, have torchvision's names. Convolutions begin with
    He's normal distribution of the fan-out, the linear layer with a deviation of 0.01.

    Parameters
    ----------
    width : float
        Multiplies the channels of every layer, rounded to multiples of 8, but the last convolution
        never has fewer than 1280.
    num_classes : int
    dropout : float
        Share of the features that is dropped before the linear layer.

    Raises
    ------
    ValueError
        If `width` is not above 0.
    """

    def __init__(self, width: float = 1.0, num_classes: int = 1000, dropout: float = 0.2) -> None:
        check_width("MobileNetV2", width)
        channels = scaled_channels(32, width)
        self.features = nn.Sequential(conv_norm(3, channels, 3, stride=2))
        for expansion, base, count, first_stride in _STAGES:
            wider = scaled_channels(base, width)
            for i in range(count):
                stride = first_stride if i == 0 else 1
                self.features.append(InvertedResidual(channels, wider, stride, expansion))
                channels = wider
        last = scaled_channels(1280, max(1.0, width))
        self.features.append(conv_norm(channels, last, 1))
        self.avgpool = nn.GlobalAvgPool2d()
        self.flatten = nn.Flatten()
        linear = nn.Linear(last, num_classes)
        self.classifier = nn.Sequential(nn.Dropout(dropout), linear)
        init_convolutions(self)
        nn.init.normal_(linear.weight, 0, 0.01)
        zero_bias(linear)


def mobilenet_v2(num_classes: int = 1000, width: float = 1.0) -> MobileNetV2:
    """MobileNetV2 for ImageNet, 224x224; torchvision's weights load.

    3,504,872 parameters with 1000 classes and width 1.
    """
    return MobileNetV2(width, num_classes)
