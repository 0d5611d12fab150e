"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from convolith import nn
from convolith.device import full
from convolith.models.blocks import init_convolutions
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

    expansion = 1

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, shortcut: Shortcut = "project"
    ) -> None:
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels, activation="relu")
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(out_channels, activation="relu")
        self.downsample = _shortcut(in_channels, out_channels, stride, shortcut)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q)."""
        x = self.bn1(self.conv1(input))
        return _join(self.conv2, self.bn2, x, self.downsample(input))

    def chains(self) -> tuple[tuple[str, ...], ...]:
        """The convolutions with their batch norms; the shortcut goes to the last of them."""
        return ("conv1", "bn1"), ("conv2", "bn2")


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, the last of four times the channels, and a shortcut.

    (N, C, H, W) to (N, 4 channels, ceil(H / stride), ceil(W / stride)): He et al. 2015, fig. 5,
    with the stride at the 3x3 convolution, as in torchvision ("version 1.5").

    Parameters
    ----------
    in_channels : int
        C.
    channels : int
        Of the first two convolutions.
    stride : int
        Of the second.
    shortcut : {'pad', 'project'}
        As in `BasicBlock`.

    Raises
    ------
    ValueError
        If `shortcut` is neither.
    """

    expansion = 4

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, shortcut: Shortcut = "project"
    ) -> None:
        out_channels = self.expansion * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, activation="relu")
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels, activation="relu")
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3: nn.Module = nn.BatchNorm2d(out_channels, activation="relu")
        self.downsample = _shortcut(in_channels, out_channels, stride, shortcut)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 4 channels, P, Q)."""
        x = self.bn2(self.conv2(self.bn1(self.conv1(input))))
        return _join(self.conv3, self.bn3, x, self.downsample(input))

    def chains(self) -> tuple[tuple[str, ...], ...]:
        """As of `BasicBlock`."""
        return ("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")


def _shortcut(C: int, K: int, stride: int, kind: Shortcut) -> nn.Module:
    """From a block's input (N, C, H, W) to its output (N, K, P, Q)."""
    if kind not in ("pad", "project"):
        raise ValueError(f"ResNet: shortcut is {kind!r}, expected pad or project")
    if stride == 1 and C == K:
        return nn.Identity()
    if kind == "pad":
        return PadShortcut(K - C, stride)
    return nn.Sequential(nn.Conv2d(C, K, 1, stride, bias=False), nn.BatchNorm2d(K))


def _join(conv: nn.Module, norm: nn.Module, x: Tensor, shortcut: Tensor) -> Tensor:
    """A block's last convolution and batch norm, which add the shortcut before their ReLU."""
    folded = isinstance(norm, nn.Identity)  # into the convolution, by nn.fuse
    output: Tensor = conv(x, shortcut) if folded else norm(conv(x), shortcut)
    return output


class PadShortcut(nn.Module):
    """Every `stride`-th position, and `channels` more channels of zeros: nothing to learn."""

    def __init__(self, channels: int, stride: int) -> None:
        self.channels = channels
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C + channels, ceil(H / stride), ceil(W / stride))."""
        x = F.avg_pool2d(input, 1, self.stride)
        n, _, p, q = x.shape
        zeros = full((n, self.channels, p, q), 0, x.dtype, x.device)
        return F.cat([x, Tensor(zeros)], dim=1)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"channels={self.channels}, stride={self.stride}"


class ResNet(nn.Sequential):
    """Stages of residual blocks (He et al. 2015) for images (N, 3, H, W), to logits.

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
    block : BasicBlock or Bottleneck

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
        block: type[BasicBlock] | type[Bottleneck] = BasicBlock,
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
            for i in range(count):
                stride = 2 if stage > 1 and i == 0 else 1
                layer.append(block(channels, width, stride, shortcut))
                channels = width * block.expansion
            setattr(self, f"layer{stage}", layer)
        self.avgpool = nn.GlobalAvgPool2d()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)
        init_convolutions(self)


_WIDTHS = (64, 128, 256, 512)


def resnet18(num_classes: int = 1000) -> ResNet:
    """ResNet-18 (He et al. 2015, table 1) for ImageNet, 224x224; torchvision's weights load.

    11,689,512 parameters with 1000 classes.
    """
    return ResNet((2, 2, 2, 2), _WIDTHS, num_classes=num_classes)


def resnet34(num_classes: int = 1000) -> ResNet:
    """ResNet-34, as `resnet18`; 21,797,672 parameters with 1000 classes."""
    return ResNet((3, 4, 6, 3), _WIDTHS, num_classes=num_classes)


def resnet50(num_classes: int = 1000) -> ResNet:
    """ResNet-50, of `Bottleneck`, as `resnet18`; 25,557,032 parameters with 1000 classes."""
    return ResNet((3, 4, 6, 3), _WIDTHS, num_classes=num_classes, block=Bottleneck)


def resnet101(num_classes: int = 1000) -> ResNet:
    """ResNet-101, of `Bottleneck`, as `resnet18`; 44,549,160 parameters with 1000 classes."""
    return ResNet((3, 4, 23, 3), _WIDTHS, num_classes=num_classes, block=Bottleneck)


def resnet152(num_classes: int = 1000) -> ResNet:
    """ResNet-152, of `Bottleneck`, as `resnet18`; 60,192,808 parameters with 1000 classes."""
    return ResNet((3, 8, 36, 3), _WIDTHS, num_classes=num_classes, block=Bottleneck)


def resnet20(num_classes: int = 10) -> ResNet:
    """ResNet-20 (He et al. 2015, section 4.2) for CIFAR, 32x32.

    As in the paper shortcuts are option A, without parameters; 269,722 with 10 classes.
    """
    return _cifar(20, num_classes)


def resnet32(num_classes: int = 10) -> ResNet:
    """ResNet-32, as `resnet20`; 464,154 parameters with 10 classes."""
    return _cifar(32, num_classes)


def resnet44(num_classes: int = 10) -> ResNet:
    """ResNet-44, as `resnet20`; 658,586 parameters with 10 classes."""
    return _cifar(44, num_classes)


def resnet56(num_classes: int = 10) -> ResNet:
    """ResNet-56, as `resnet20`; 853,018 parameters with 10 classes."""
    return _cifar(56, num_classes)


def resnet110(num_classes: int = 10) -> ResNet:
    """ResNet-110, as `resnet20`; 1,727,962 parameters with 10 classes.

    The paper warms up with a learning rate of 0.01 until the training error is below 80 %.
    """
    return _cifar(110, num_classes)


def _cifar(layers: int, num_classes: int) -> ResNet:
    """The paper's 6n + 2 layers: a convolution, three stages of n blocks, a linear layer."""
    n = (layers - 2) // 6
    return ResNet((n, n, n), (16, 32, 64), "cifar", "pad", num_classes)
