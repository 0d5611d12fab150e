"""VGG."""

from __future__ import annotations

from collections.abc import Sequence

from convolith import nn
from convolith.models.blocks import init_convolutions, zero_bias

_WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Sequential):
    """VGG (Simonyan and Zisserman 2014, table 1) for images (N, 3, H, W), to logits.

    Five stages of 3x3 convolutions with a 2x2 max pool behind each, and three dense layers. Parts,
    and with them the keys of `state_dict`, have torchvision's names. Images of other sizes than
    224x224, from 32x32 on, are pooled to 7x7, too. As in torchvision convolutions begin with He's
    normal distribution of the fan-out, dense layers with N(0, 0.01^2), biases with 0.

    Parameters
    ----------
    blocks : sequence of int
        Number of convolutions in each of the five stages.
    batch_norm : bool
        Normalise behind each convolution.
    num_classes : int
    dropout : float
        Share of the features that is dropped behind each hidden dense layer.

    Raises
    ------
    ValueError
        If `blocks` does not have five numbers.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        batch_norm: bool = False,
        num_classes: int = 1000,
        dropout: float = 0.5,
    ) -> None:
        if len(blocks) != len(_WIDTHS):
            raise ValueError(f"VGG: blocks is {tuple(blocks)}, expected five numbers")
        self.features = nn.Sequential()
        channels = 3
        for count, width in zip(blocks, _WIDTHS, strict=True):
            for _ in range(count):
                for part in _convolution(channels, width, batch_norm):
                    self.features.append(part)
                channels = width
            self.features.append(nn.MaxPool2d(2))
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        init_convolutions(self)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                zero_bias(module)


def _convolution(in_channels: int, out_channels: int, batch_norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    if batch_norm:
        # The Identity has the number of torchvision's ReLU, which the batch norm computes.
        return [conv, nn.BatchNorm2d(out_channels, activation="relu"), nn.Identity()]
    return [conv, nn.ReLU()]


_A = (1, 1, 2, 2, 2)
_B = (2, 2, 2, 2, 2)
_D = (2, 2, 3, 3, 3)
_E = (2, 2, 4, 4, 4)


def vgg11(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """VGG of 11 layers (configuration A) for ImageNet, 224x224; torchvision's weights load.

    132,863,336 parameters with 1000 classes.
    """
    return VGG(_A, False, num_classes, dropout)


def vgg13(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """VGG of 13 layers (B), as `vgg11`; 133,047,848 parameters with 1000 classes."""
    return VGG(_B, False, num_classes, dropout)


def vgg16(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """VGG of 16 layers (D), as `vgg11`; 138,357,544 parameters with 1000 classes."""
    return VGG(_D, False, num_classes, dropout)


def vgg19(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """VGG of 19 layers (E), as `vgg11`; 143,667,240 parameters with 1000 classes."""
    return VGG(_E, False, num_classes, dropout)


def vgg11_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """`vgg11` with batch norm; 132,868,840 parameters with 1000 classes."""
    return VGG(_A, True, num_classes, dropout)


def vgg13_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """`vgg13` with batch norm; 133,053,736 parameters with 1000 classes."""
    return VGG(_B, True, num_classes, dropout)


def vgg16_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """`vgg16` with batch norm; 138,365,992 parameters with 1000 classes."""
    return VGG(_D, True, num_classes, dropout)


def vgg19_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """`vgg19` with batch norm; 143,678,248 parameters with 1000 classes."""
    return VGG(_E, True, num_classes, dropout)
