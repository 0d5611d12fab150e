"""EfficientNet, and the first of its Lite versions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from convolith import nn
from convolith.models.blocks import (
    SqueezeExcitation,
    check_width,
    conv_norm,
    init_convolutions,
    scaled_channels,
    zero_bias,
)
from convolith.tensor import Tensor

# Expansion, kernel, first stride, channels, blocks of each stage (Tan and Le 2019, table 1).
_STAGES = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]
_DEPTH_DROP = 0.2  # of the residual branch of the last block; the first has 0

ConvNorm = Callable[..., nn.Sequential]


class MBConv(nn.Module):
    """MobileNetV2's block with squeeze-excitation (Tan et al. 2019, MnasNet, fig. 7d).

    A 1x1 convolution to more channels, a depthwise one, the gate, and a 1x1 convolution without an
    activation. (N, C, H, W) to (N, K, ceil(H / stride), ceil(W / stride)).

    Parameters
    ----------
    in_channels, out_channels : int
        C and K; the shortcut is there if they are equal and `stride` is 1.
    kernel_size, stride : int
        Of the depthwise convolution.
    expansion : int
        How many times C are the channels inside; with 1 there is no first convolution.
    drop : float
        Probability of stochastic depth.
    squeeze : bool
        Whether there is a gate, of C/4 channels.
    conv : callable
        `conv_norm` with the network's activation, padding and batch norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        drop: float,
        squeeze: bool,
        conv: ConvNorm,
    ) -> None:
        inside = in_channels * expansion
        gate = [SqueezeExcitation(inside, max(1, in_channels // 4))] if squeeze else []
        self.block = nn.Sequential(
            *([] if expansion == 1 else [conv(in_channels, inside, 1)]),
            conv(inside, inside, kernel_size, stride, groups=inside),
            *gate,
            conv(inside, out_channels, 1, activation=None),
        )
        self.residual = stride == 1 and in_channels == out_channels
        self.stochastic_depth = nn.StochasticDepth(drop, "row")

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q)."""
        output: Tensor = self.block(input)
        return input + self.stochastic_depth(output) if self.residual else output


class EfficientNet(nn.Sequential):
    """EfficientNet (Tan and Le 2019) for images (N, 3, H, W), to logits.

    Width, depth and image size grow together. Parts, and with them the keys of `state_dict`, have
    torchvision's names. Convolutions begin with He's normal distribution of the fan-out, the linear
    layer with U(-b, b), b = 1/sqrt(num_classes).

    Parameters
    ----------
    width, depth : float
        Multiply the channels, rounded to multiples of 8, and the blocks of a stage, rounded up.
    num_classes : int
    dropout : float
        Share of the features that is dropped before the linear layer.
    lite : bool
        EfficientNet-Lite (Liu 2020) for processors that know 8-bit integers: ReLU6 takes the place
        of SiLU, there is no squeeze-excitation, and the stem, the head and the blocks of the first
        and the last stage do not grow. Padding and batch norm are TensorFlow's, for which its
        weights were made: an odd row of padding is at the bottom, eps is 0.001, momentum 0.01.

    Raises
    ------
    ValueError
        If `width` or `depth` is not above 0.
    """

    def __init__(
        self,
        width: float = 1.0,
        depth: float = 1.0,
        num_classes: int = 1000,
        dropout: float = 0.2,
        lite: bool = False,
    ) -> None:
        check_width("EfficientNet", width)
        if not depth > 0:
            raise ValueError(f"EfficientNet: depth is {depth}, expected a number above 0")
        conv: ConvNorm = partial(conv_norm, activation=nn.SiLU)
        if lite:
            conv = partial(conv_norm, activation=nn.ReLU6, padding="same", eps=1e-3, momentum=0.01)
        counts = [math.ceil(stage[-1] * depth) for stage in _STAGES]
        if lite:
            counts[0], counts[-1] = _STAGES[0][-1], _STAGES[-1][-1]

        channels = 32 if lite else scaled_channels(32, width)
        self.features = nn.Sequential(conv(3, channels, 3, stride=2))
        block = 0
        for (expansion, kernel, first_stride, base, _), count in zip(_STAGES, counts, strict=True):
            wider = scaled_channels(base, width)
            stage = nn.Sequential()
            for i in range(count):
                stride = first_stride if i == 0 else 1
                drop = _DEPTH_DROP * block / sum(counts)
                stage.append(
                    MBConv(channels, wider, kernel, stride, expansion, drop, not lite, conv)
                )
                channels = wider
                block += 1
            self.features.append(stage)
        last = 1280 if lite else 4 * channels
        self.features.append(conv(channels, last, 1))
        self.avgpool = nn.GlobalAvgPool2d()
        self.flatten = nn.Flatten()
        linear = nn.Linear(last, num_classes)
        self.classifier = nn.Sequential(nn.Dropout(dropout), linear)
        init_convolutions(self)
        bound = 1 / math.sqrt(num_classes)
        nn.init.uniform_(linear.weight, -bound, bound)
        zero_bias(linear)


def efficientnet_b0(num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B0 (Tan and Le 2019) for ImageNet, 224x224; torchvision's weights load.

    5,288,548 parameters with 1000 classes.
    """
    return EfficientNet(num_classes=num_classes)


def efficientnet_b1(num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B1, as `efficientnet_b0`, for 240x240; 7,794,184 parameters."""
    return EfficientNet(1.0, 1.1, num_classes)


def efficientnet_b2(num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B2, as `efficientnet_b0`, for 260x260; 9,109,994 parameters."""
    return EfficientNet(1.1, 1.2, num_classes, 0.3)


def efficientnet_b3(num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B3, as `efficientnet_b0`, for 300x300; 12,233,232 parameters."""
    return EfficientNet(1.2, 1.4, num_classes, 0.3)


def efficientnet_lite0(num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-Lite0 (Liu 2020) for ImageNet, 224x224; 4,652,008 parameters."""
    return EfficientNet(num_classes=num_classes, lite=True)
