"""The networks of `convolith.models` in plain PyTorch, with the same layers and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def lenet5() -> nn.Module:
    """LeNet-5 (LeCun et al. 1998)."""
    net = nn.Sequential()
    for name, layer in {
        "c1": nn.Conv2d(1, 6, 5, padding=2), "act1": nn.Tanh(), "s2": nn.AvgPool2d(2),
        "c3": nn.Conv2d(6, 16, 5), "act3": nn.Tanh(), "s4": nn.AvgPool2d(2),
        "c5": nn.Conv2d(16, 120, 5), "act5": nn.Tanh(), "flatten": nn.Flatten(),
        "f6": nn.Linear(120, 84), "act6": nn.Tanh(), "output": nn.Linear(84, 10),
    }.items():  # fmt: skip
        net.add_module(name, layer)
    return net


class PadShortcut(nn.Module):
    """Every `stride`-th position, and `channels` more channels of zeros."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.channels))


def _shortcut(C: int, K: int, stride: int, project: bool) -> nn.Module:
    if stride == 1 and C == K:
        return nn.Identity()
    if project:
        return nn.Sequential(nn.Conv2d(C, K, 1, stride, bias=False), nn.BatchNorm2d(K))
    return PadShortcut(K - C, stride)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them."""

    expansion = 1

    def __init__(self, C: int, K: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(C, K, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(K)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(K, K, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(K)
        self.downsample = _shortcut(C, K, stride, project)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, the last to 4 K channels, and a shortcut around them."""

    expansion = 4

    def __init__(self, C: int, K: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(C, K, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(K)
        self.conv2 = nn.Conv2d(K, K, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(K)
        self.conv3 = nn.Conv2d(K, 4 * K, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * K)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(C, 4 * K, stride, project)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + self.downsample(x))


Block = type[BasicBlock] | type[Bottleneck]


def _stage(
    C: int, K: int, blocks: int, stride: int, project: bool = True, block: Block = BasicBlock
) -> nn.Sequential:
    rest = [block(K * block.expansion, K, 1, project) for _ in range(blocks - 1)]
    return nn.Sequential(block(C, K, stride, project), *rest)


class ResNet(nn.Module):
    """A ResNet for images (N, 3, 224, 224) (He et al. 2015, table 1)."""

    def __init__(self, blocks: tuple[int, int, int, int], block: Block) -> None:
        super().__init__()
        wider = block.expansion
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(64, 64, blocks[0], 1, block=block)
        self.layer2 = _stage(64 * wider, 128, blocks[1], 2, block=block)
        self.layer3 = _stage(128 * wider, 256, blocks[2], 2, block=block)
        self.layer4 = _stage(256 * wider, 512, blocks[3], 2, block=block)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * wider, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


class ResNet20(nn.Module):
    """ResNet-20 for images (N, 3, 32, 32) (He et al. 2015, section 4.2), shortcuts padded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(16, 16, 3, 1, project=False)
        self.layer2 = _stage(16, 32, 3, 2, project=False)
        self.layer3 = _stage(32, 64, 3, 2, project=False)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


class BatchNormReLU(nn.BatchNorm2d):
    """Both in one module, as ours are, so that the keys of the weights agree."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu_(super().forward(x))


class MobileNetV1(nn.Module):
    """MobileNet for images (N, 3, 224, 224) (Howard et al. 2017, table 1)."""

    def __init__(self) -> None:
        super().__init__()

        def unit(C: int, K: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
            conv = nn.Conv2d(C, K, kernel, stride, kernel // 2, groups=groups, bias=False)
            return [conv, BatchNormReLU(K)]

        self.stem = nn.Sequential(*unit(3, 32, 3, 2))
        self.blocks = nn.Sequential()
        C = 32
        for K, stride in (
            (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1),
            (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
        ):  # fmt: skip
            separable = [*unit(C, C, 3, stride, groups=C), *unit(C, K, 1, 1)]
            self.blocks.append(nn.Sequential(*separable))
            C = K
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.avgpool(self.blocks(self.stem(x))).flatten(1))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lenet5": lenet5,
    "resnet18": lambda: ResNet((2, 2, 2, 2), BasicBlock),
    "resnet50": lambda: ResNet((3, 4, 6, 3), Bottleneck),
    "resnet20": ResNet20,
    "mobilenet_v1": MobileNetV1,
}


def build(network: str, weights: dict[str, Any] | None = None) -> nn.Module:
    """A network, with the weights of ours (NumPy arrays by key) where they are given."""
    net = NETWORKS[network]()
    if weights is not None:
        net.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    return net
