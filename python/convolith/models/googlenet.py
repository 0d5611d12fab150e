"""GoogLeNet, the first Inception network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from convolith import nn
from convolith.nn import functional as F
from convolith.tensor import Tensor


class GoogLeNetOutputs(NamedTuple):
    """What `GoogLeNet` returns in training: logits (N, num_classes) of its end and of its heads."""

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class BasicConv2d(nn.Sequential):
    """A convolution without bias, batch norm with an eps of 0.001, ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, padding : int or (int, int)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: F.IntPair,
        stride: F.IntPair = 1,
        padding: F.ConvPadding = 0,
    ) -> None:
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001, activation="relu")


class Inception(nn.Module):
    """Four branches side by side, their channels joined (Szegedy et al. 2014, fig. 2b).

    (N, C, H, W) to (N, ch1x1 + ch3x3 + ch5x5 + pool_proj, H, W).

    Parameters
    ----------
    in_channels : int
        C.
    ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj : int
        Filters, under the names of the paper's table 1. As in torchvision, and in the weights that
        it offers, the 5x5 convolution is a 3x3 one.
    """

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
    ) -> None:
        self.branch1 = BasicConv2d(in_channels, ch1x1, 1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, 1), BasicConv2d(ch3x3red, ch3x3, 3, padding=1)
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, 1), BasicConv2d(ch5x5red, ch5x5, 3, padding=1)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, padding=1), BasicConv2d(in_channels, pool_proj, 1)
        )

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K, H, W), K the sum of the branches' filters."""
        return F.cat([branch(input) for branch in self.children()], dim=1)


class InceptionAux(nn.Sequential):
    """A head halfway, to logits (Szegedy et al. 2014, section 5); its loss counts 0.3 times.

    Parameters
    ----------
    in_channels, num_classes : int
    dropout : float
    """

    def __init__(self, in_channels: int, num_classes: int, dropout: float = 0.7) -> None:
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.conv = BasicConv2d(in_channels, 128, 1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(1024, num_classes)


class GoogLeNet(nn.Module):
    """GoogLeNet (Szegedy et al. 2014, table 1) for images (N, 3, H, W), to logits.

    Each convolution has batch norm where the paper has none, as in torchvision, whose names parts,
    and with them the keys of `state_dict`, have. As there weights begin with N(0, 0.01^2).

    Parameters
    ----------
    num_classes : int
    aux_logits : bool
        Whether there are the two heads ``aux1`` and ``aux2``, which training mode uses.
    transform_input : bool
        Whether images come normalised by ImageNet's mean and standard deviation, but the weights
        expect [-1, 1]: those that torchvision offers do.
    dropout, dropout_aux : float
        Share of the features that is dropped before the last dense layer, and in the heads.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ) -> None:
        self.transform_input = transform_input
        self.conv1 = BasicConv2d(3, 64, 7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, 1)
        self.conv3 = BasicConv2d(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = InceptionAux(512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = InceptionAux(528, num_classes, dropout_aux) if aux_logits else None
        self.avgpool = nn.GlobalAvgPool2d()
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, input: Tensor) -> Tensor | GoogLeNetOutputs:
        """(N, 3, H, W) to (N, num_classes), in training with the logits of the heads."""
        x = to_symmetric_range(input) if self.transform_input else input  # (N, 3, 224, 224)
        x = self.maxpool1(self.conv1(x))  # (N, 64, 56, 56)
        x = self.maxpool2(self.conv3(self.conv2(x)))  # (N, 192, 28, 28)
        x = self.maxpool3(self.inception3b(self.inception3a(x)))  # (N, 480, 14, 14)
        x4a = self.inception4a(x)  # (N, 512, 14, 14)
        x4d = self.inception4d(self.inception4c(self.inception4b(x4a)))  # (N, 528, 14, 14)
        x = self.maxpool4(self.inception4e(x4d))  # (N, 832, 7, 7)
        x = self.inception5b(self.inception5a(x))  # (N, 1024, 7, 7)
        logits: Tensor = self.fc(self.dropout(self.flatten(self.avgpool(x))))
        if not self.training or self.aux1 is None or self.aux2 is None:
            return logits
        return GoogLeNetOutputs(logits, self.aux2(x4d), self.aux1(x4a))


_MEAN = np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)  # of ImageNet's images,
_STD = np.array([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)  # which lie in [0, 1]


def to_symmetric_range(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) normalised by ImageNet's mean and standard deviation, in [-1, 1]."""
    dtype = np.float64 if images.dtype == np.float64 else np.float32  # a device has no other
    scale, shift = (
        Tensor(values.astype(dtype)).to(images.device).to(images.dtype)
        for values in (2 * _STD, 2 * _MEAN - 1)
    )
    return images * scale + shift


def googlenet(
    num_classes: int = 1000,
    aux_logits: bool = True,
    transform_input: bool = False,
    dropout: float = 0.2,
    dropout_aux: float = 0.7,
) -> GoogLeNet:
    """GoogLeNet (Szegedy et al. 2014) for ImageNet, 224x224; torchvision's weights load.

    With 1000 classes 6,624,904 parameters, and with the heads, of which evaluation makes no use,
    13,004,888.
    """
    return GoogLeNet(num_classes, aux_logits, transform_input, dropout, dropout_aux)
