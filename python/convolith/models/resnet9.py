"""ResNet-9, which learns CIFAR-10 fast."""

from __future__ import annotations

from convolith import nn
from convolith.nn._common import check_sizes
from convolith.tensor import Tensor

_SCALE = 0.125  # of the logits: without it the softmax saturates early in training


class ResNet9(nn.Sequential):
    """ResNet-9 (Page 2018, "How to train your ResNet") for CIFAR, (N, 3, 32, 32), to logits.

    Four stages of a 3x3 convolution with `width` times 1, 2, 4 and 8 channels, a pool behind each
    but the first, and a residual of two more convolutions behind the second and the fourth. As
    there the linear layer has no bias and the logits are scaled by 1/8: 6,573,120 parameters with
    width 64 and 10 classes. Other images have to be 8x8 at least.

    Parameters
    ----------
    width : int
        Channels of the first convolution.
    num_classes : int

    Raises
    ------
    ValueError
        If a number is below 1.
    """

    def __init__(self, width: int = 64, num_classes: int = 10) -> None:
        check_sizes("ResNet9", width=width, num_classes=num_classes)
        self.prep = _conv(3, width)  # 32x32
        self.layer1 = nn.Sequential(  # 16x16
            _conv(width, 2 * width), nn.MaxPool2d(2), Residual(2 * width)
        )
        self.layer2 = nn.Sequential(_conv(2 * width, 4 * width), nn.MaxPool2d(2))  # 8x8
        self.layer3 = nn.Sequential(  # 4x4
            _conv(4 * width, 8 * width), nn.MaxPool2d(2), Residual(8 * width)
        )
        self.pool = nn.GlobalMaxPool2d()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(8 * width, num_classes, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, num_classes)."""
        logits: Tensor = super().forward(input)
        return logits * _SCALE


class Residual(nn.Module):
    """Two convolutions with batch norm and ReLU, and what came in added: the same shape.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        self.branch = nn.Sequential(_conv(channels, channels), _conv(channels, channels))

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        output: Tensor = self.branch(input)
        return input + output


def _conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """(N, C, H, W) to (N, K, H, W)."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels, activation="relu"),
    )


def resnet9(num_classes: int = 10, width: int = 64) -> ResNet9:
    """ResNet-9 for CIFAR, 32x32: 6,573,120 parameters with 10 classes and width 64."""
    return ResNet9(width, num_classes)
