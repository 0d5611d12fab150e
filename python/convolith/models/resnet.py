"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from convolith import nn
from convolith.nn import functional as F
from convolith.tensor import Tensor

Shortcut = Literal["pad", "project"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them (He, Zhang, Ren and Sun 2015, fig. 2).

    (N, C, H, W) to (N, K, ceil(H / stride), ceil(W / stride)).

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    stride : int
        Of the first convolution.
    shortcut : {'pad', 'project'}
        Where the shapes differ: `PadShortcut`, or a strided 1x1 convolution and batch norm
        (the paper's options A and B).

    Raises
    ------
    ValueError
        If `shortcut` is neither.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, shortcut: Shortcut = "project"
    ) -> None:
        if shortcut not in ("pad", "project"):
            raise ValueError(f"BasicBlock: shortcut is {shortcut!r}, expected pad or project")
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels, activation="relu")
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(out_channels, activation="relu")
        self.downsample: nn.Module
        if stride == 1 and in_channels == out_channels:
            self.downsample = nn.Identity()
        elif shortcut == "pad":
            self.downsample = PadShortcut(out_channels - in_channels, stride)
        else:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q)."""
        x, shortcut = self.bn1(self.conv1(input)), self.downsample(input)
        folded = isinstance(self.bn2, nn.Identity)  # into conv2, by nn.fuse
        output: Tensor = self.conv2(x, shortcut) if folded else self.bn2(self.conv2(x), shortcut)
        return output

    def chains(self) -> tuple[tuple[str, ...], ...]:
        """The convolutions with their batch norms; the shortcut goes to the last of them."""
        return ("conv1", "bn1"), ("conv2", "bn2")


class PadShortcut(nn.Module):
    """Every `stride`-th position, and `channels` more channels of zeros: nothing to learn."""

    def __init__(self, channels: int, stride: int) -> None:
        self.channels = channels
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C + channels, ceil(H / stride), ceil(W / stride))."""
        x = F.avg_pool2d(input, 1, self.stride)
        n, _, p, q = x.shape
        zeros = Tensor(np.zeros((n, self.channels, p, q), x.dtype)).to(x.device)
        return F.cat([x, zeros], dim=1)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"channels={self.channels}, stride={self.stride}"


class ResNet(nn.Sequential):
    """Stages of `BasicBlock` (He et al. 2015) for images (N, 3, H, W), to logits.

    Parts, and with them the keys of `state_dict`, have torchvision's names: conv1, bn1, layer1,
    layer2, ..., fc. Each stage but the first begins with stride 2. Convolutions begin
    with He's normal distribution of the fan-out.

    Parameters
    ----------
    blocks, widths : sequence of int
        Number of blocks and of channels in each stage.
    stem : {'imagenet', 'cifar'}
        A 7x7 convolution and a max pool, each of stride 2; or a 3x3 convolution.
    shortcut : {'pad', 'project'}
        See `BasicBlock`.
    num_classes : int

    Raises
    ------
    ValueError
        If a name is none of these.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        widths: Sequence[int],
        stem: Literal["imagenet", "cifar"] = "imagenet",
        shortcut: Shortcut = "project",
        num_classes: int = 1000,
    ) -> None:
        if stem not in ("imagenet", "cifar"):
            raise ValueError(f"ResNet: stem is {stem!r}, expected imagenet or cifar")
        channels = widths[0]
        kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
        self.conv1 = nn.Conv2d(3, channels, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, activation="relu")
        if stem == "imagenet":
            self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True), 1):
            layer = nn.Sequential()
            for block in range(count):
                stride = 2 if stage > 1 and block == 0 else 1
                layer.append(BasicBlock(channels, width, stride, shortcut))
                channels = width
            setattr(self, f"layer{stage}", layer)
        self.avgpool = nn.GlobalAvgPool2d()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def resnet18(num_classes: int = 1000) -> ResNet:
    """ResNet-18 (He et al. 2015, table 1) for ImageNet, 224x224; torchvision's weights load.

    11,689,512 parameters with 1000 classes.
    """
    return ResNet((2, 2, 2, 2), (64, 128, 256, 512), num_classes=num_classes)


def resnet20(num_classes: int = 10) -> ResNet:
    """ResNet-20 (He et al. 2015, section 4.2) for CIFAR, 32x32.

    As in the paper shortcuts are option A, without parameters; 269,722 with 10 classes.
    """
    return ResNet((3, 3, 3), (16, 32, 64), "cifar", "pad", num_classes)
