"""Inception v3."""

from __future__ import annotations

from typing import NamedTuple

from convolith import nn
from convolith.models.googlenet import BasicConv2d, to_symmetric_range
from convolith.nn import functional as F
from convolith.tensor import Tensor


class InceptionOutputs(NamedTuple):
    """What `Inception3` returns in training: logits (N, num_classes) of its end and of its head."""

    logits: Tensor
    aux_logits: Tensor


class InceptionA(nn.Module):
    """1x1, 5x5, twice 3x3, and a pool, side by side.

    (N, C, H, W) to (N, 224 + pool_features, H, W): Szegedy et al. 2015, fig. 5, with a 5x5 in
    place of its 3x3.

    Parameters
    ----------
    in_channels : int
        C.
    pool_features : int
        Filters behind the pool.
    """

    def __init__(self, in_channels: int, pool_features: int) -> None:
        self.branch1x1 = BasicConv2d(in_channels, 64, 1)
        self.branch5x5_1 = BasicConv2d(in_channels, 48, 1)
        self.branch5x5_2 = BasicConv2d(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, padding=1)
        self.branch_pool = BasicConv2d(in_channels, pool_features, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 224 + pool_features, H, W)."""
        one = self.branch1x1(input)
        five = self.branch5x5_2(self.branch5x5_1(input))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(input)))
        pool = self.branch_pool(F.avg_pool2d(input, 3, 1, padding=1))
        return F.cat([one, five, three, pool], dim=1)


class InceptionB(nn.Module):
    """3x3, twice 3x3, and a pool, side by side, at stride 2 (Szegedy et al. 2015, fig. 10).

    (N, C, H, W) to (N, 480 + C, P, Q).

    Parameters
    ----------
    in_channels : int
        C.
    """

    def __init__(self, in_channels: int) -> None:
        self.branch3x3 = BasicConv2d(in_channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, stride=2)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 480 + C, P, Q)."""
        once = self.branch3x3(input)
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(input)))
        return F.cat([once, twice, F.max_pool2d(input, 3, 2)], dim=1)


class InceptionC(nn.Module):
    """1x1, 7x7, twice 7x7, and a pool, side by side (Szegedy et al. 2015, fig. 6).

    Each 7x7 is a 1x7 and a 7x1 convolution. (N, C, H, W) to (N, 768, H, W).

    Parameters
    ----------
    in_channels : int
        C.
    channels_7x7 : int
        Filters of all but the last convolution of a branch.
    """

    def __init__(self, in_channels: int, channels_7x7: int) -> None:
        c7 = channels_7x7
        self.branch1x1 = BasicConv2d(in_channels, 192, 1)
        self.branch7x7_1 = BasicConv2d(in_channels, c7, 1)
        self.branch7x7_2 = BasicConv2d(c7, c7, (1, 7), padding=(0, 3))
        self.branch7x7_3 = BasicConv2d(c7, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = BasicConv2d(in_channels, c7, 1)
        self.branch7x7dbl_2 = BasicConv2d(c7, c7, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = BasicConv2d(c7, c7, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = BasicConv2d(c7, c7, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = BasicConv2d(c7, 192, (1, 7), padding=(0, 3))
        self.branch_pool = BasicConv2d(in_channels, 192, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 768, H, W)."""
        one = self.branch1x1(input)
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(input)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(input)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        pool = self.branch_pool(F.avg_pool2d(input, 3, 1, padding=1))
        return F.cat([one, once, twice, pool], dim=1)


class InceptionD(nn.Module):
    """3x3, 7x7 and 3x3, and a pool, side by side, at stride 2, after `InceptionB`.

    (N, C, H, W) to (N, 512 + C, P, Q).

    Parameters
    ----------
    in_channels : int
        C.
    """

    def __init__(self, in_channels: int) -> None:
        self.branch3x3_1 = BasicConv2d(in_channels, 192, 1)
        self.branch3x3_2 = BasicConv2d(192, 320, 3, stride=2)
        self.branch7x7x3_1 = BasicConv2d(in_channels, 192, 1)
        self.branch7x7x3_2 = BasicConv2d(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = BasicConv2d(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = BasicConv2d(192, 192, 3, stride=2)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 512 + C, P, Q)."""
        three = self.branch3x3_2(self.branch3x3_1(input))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(input)))
        return F.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(input, 3, 2)], dim=1)


class InceptionE(nn.Module):
    """1x1, 3x3, twice 3x3, and a pool, side by side (Szegedy et al. 2015, fig. 7).

    The last 3x3 of a branch is a 1x3 and a 3x1 convolution, themselves side by side.
    (N, C, H, W) to (N, 2048, H, W).

    Parameters
    ----------
    in_channels : int
        C.
    """

    def __init__(self, in_channels: int) -> None:
        self.branch1x1 = BasicConv2d(in_channels, 320, 1)
        self.branch3x3_1 = BasicConv2d(in_channels, 384, 1)
        self.branch3x3_2a = BasicConv2d(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(in_channels, 448, 1)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = BasicConv2d(in_channels, 192, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 2048, H, W)."""
        one = self.branch1x1(input)
        x = self.branch3x3_1(input)
        once = [self.branch3x3_2a(x), self.branch3x3_2b(x)]
        x = self.branch3x3dbl_2(self.branch3x3dbl_1(input))
        twice = [self.branch3x3dbl_3a(x), self.branch3x3dbl_3b(x)]
        pool = self.branch_pool(F.avg_pool2d(input, 3, 1, padding=1))
        return F.cat([one, *once, *twice, pool], dim=1)


class InceptionAux(nn.Sequential):
    """A head on (N, C, 17, 17), to logits (Szegedy et al. 2015, fig. 8).

    Parameters
    ----------
    in_channels, num_classes : int
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        self.pool = nn.AvgPool2d(5, 3)  # (N, C, 5, 5)
        self.conv0 = BasicConv2d(in_channels, 128, 1)
        self.conv1 = BasicConv2d(128, 768, 5)  # (N, 768, 1, 1)
        self.avgpool = nn.GlobalAvgPool2d()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(768, num_classes)


class Inception3(nn.Module):
    """Inception v3 (Szegedy et al. 2015, table 1) for images (N, 3, H, W), to logits.

    Parts, and with them the keys of `state_dict`, have torchvision's names. As there weights begin
    with N(0, 0.1^2), those of the head's dense layer with N(0, 0.001^2).

    Parameters
    ----------
    num_classes : int
    aux_logits : bool
        Whether there is the head ``AuxLogits``, which training mode uses; it needs 299x299.
    transform_input : bool
        Whether images come normalised by ImageNet's mean and standard deviation, but the weights
        expect [-1, 1]: those that torchvision offers do.
    dropout : float
        Share of the features that is dropped before the last dense layer.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        dropout: float = 0.5,
    ) -> None:
        self.transform_input = transform_input
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, 3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = InceptionA(192, 32)
        self.Mixed_5c = InceptionA(256, 64)
        self.Mixed_5d = InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, 128)
        self.Mixed_6c = InceptionC(768, 160)
        self.Mixed_6d = InceptionC(768, 160)
        self.Mixed_6e = InceptionC(768, 192)
        self.AuxLogits = InceptionAux(768, num_classes) if aux_logits else None
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.avgpool = nn.GlobalAvgPool2d()
        self.dropout = nn.Dropout(dropout)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(2048, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.1)
        if self.AuxLogits is not None:
            nn.init.normal_(self.AuxLogits.fc.weight, std=0.001)

    def forward(self, input: Tensor) -> Tensor | InceptionOutputs:
        """(N, 3, H, W) to (N, num_classes), in training with the logits of the head."""
        x = to_symmetric_range(input) if self.transform_input else input  # (N, 3, 299, 299)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # (N, 64, 147, 147)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool1(x)))  # (N, 192, 71, 71)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.maxpool2(x))))  # (N, 288, 35, 35)
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))  # (N, 768, 17, 17)
        x6e = self.Mixed_6e(self.Mixed_6d(x))  # (N, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x6e)))  # (N, 2048, 8, 8)
        logits: Tensor = self.fc(self.flatten(self.dropout(self.avgpool(x))))
        if not self.training or self.AuxLogits is None:
            return logits
        return InceptionOutputs(logits, self.AuxLogits(x6e))


def inception_v3(
    num_classes: int = 1000,
    aux_logits: bool = True,
    transform_input: bool = False,
    dropout: float = 0.5,
) -> Inception3:
    """Inception v3 (Szegedy et al. 2015) for ImageNet, 299x299; torchvision's weights load.

    27,161,264 parameters with 1000 classes, 23,834,568 without the head.
    """
    return Inception3(num_classes, aux_logits, transform_input, dropout)
