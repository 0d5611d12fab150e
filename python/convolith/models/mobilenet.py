"""MobileNet."""

from __future__ import annotations

from convolith import nn
from convolith.models.blocks import init_convolutions

# Output channels and stride of each depthwise separable convolution (Howard et al. 2017, table 1).
_BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
_BLOCKS += [(1024, 2), (1024, 1)]


class MobileNetV1(nn.Sequential):
    """MobileNet (Howard et al. 2017, table 1) for images (N, 3, H, W), to logits.

    Each of 13 blocks is a 3x3 depthwise and a 1x1 convolution, both with batch norm and ReLU (fig.
    3). The last block has stride 1 as its output size says, not 2 as in the paper's table.
    Convolutions begin with He's normal distribution of the fan-out.

    Parameters
    ----------
    width : float
        Multiplies the channels of every layer (section 3.3).
    num_classes : int

    Raises
    ------
    ValueError
        If `width` leaves a layer without channels.
    """

    def __init__(self, width: float = 1.0, num_classes: int = 1000) -> None:
        channels = int(32 * width)
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels, activation="relu"),
        )
        self.blocks = nn.Sequential()
        for out_channels, stride in _BLOCKS:
            wider = int(out_channels * width)
            self.blocks.append(nn.DepthwiseSeparableConv2d(channels, wider, stride=stride))
            channels = wider
        self.avgpool = nn.GlobalAvgPool2d()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        init_convolutions(self)


def mobilenet_v1(num_classes: int = 1000) -> MobileNetV1:
    """MobileNet of width 1 for ImageNet, 224x224: 4,231,976 parameters with 1000 classes."""
    return MobileNetV1(num_classes=num_classes)
