"""SqueezeNet."""

from __future__ import annotations

from typing import Literal

from convolith import nn
from convolith.models.blocks import zero_bias
from convolith.nn import functional as F
from convolith.tensor import Tensor

Version = Literal["1_0", "1_1"]

# Filters of fire modules 2 to 9 (Iandola et al. 2016, table 1): s1x1, and e1x1, which is e3x3, too.
_FIRES = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 ones side by side, all with ReLU.

    (N, C, H, W) to (N, 2 expand, H, W): Iandola et al. 2016, fig. 1.

    Parameters
    ----------
    in_channels : int
        C.
    squeeze, expand : int
        Filters of the first convolution, and of each of the other two.
    """

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1, activation="relu")
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1, activation="relu")
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1, activation="relu")

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 2 expand, H, W)."""
        x = self.squeeze(input)
        return F.cat([self.expand1x1(x), self.expand3x3(x)], dim=1)


class SqueezeNet(nn.Sequential):
    """SqueezeNet (Iandola et al. 2016, table 1) for images (N, 3, H, W), to logits.

    Eight `Fire` modules and no dense layer: the last convolution has a filter for each class.
    Parts, and with them the keys of `state_dict`, have torchvision's names. As there convolutions
    begin with He's uniform distribution, the last one with N(0, 0.01^2), biases with 0.

    Parameters
    ----------
    version : {'1_0', '1_1'}
        The paper's; or the authors' later one, with a smaller first convolution and earlier pools,
        2.4 times as fast.
    num_classes : int
    dropout : float
        Share of the features that is dropped before the last convolution.

    Raises
    ------
    ValueError
        If `version` is neither.

    Notes
    -----
    A ReLU follows the last convolution, and a class whose logits are 0 everywhere learns nothing
    more. To train on few images, begin above 0: ``nn.init.ones_(net.classifier[1].bias)``.
    """

    def __init__(
        self, version: Version = "1_0", num_classes: int = 1000, dropout: float = 0.5
    ) -> None:
        if version not in ("1_0", "1_1"):
            raise ValueError(f"SqueezeNet: version is {version!r}, expected 1_0 or 1_1")
        channels, kernel, pooled = (96, 7, (4, 8)) if version == "1_0" else (64, 3, (3, 5))
        self.features = nn.Sequential(
            nn.Conv2d(3, channels, kernel, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )
        for number, (squeeze, expand) in enumerate(_FIRES, 2):
            self.features.append(Fire(channels, squeeze, expand))
            channels = 2 * expand
            if number in pooled:
                self.features.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        last = nn.Conv2d(channels, num_classes, 1)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), last, nn.ReLU(), nn.GlobalAvgPool2d(), nn.Flatten()
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                zero_bias(module)
        nn.init.normal_(last.weight, std=0.01)


def squeezenet1_0(num_classes: int = 1000, dropout: float = 0.5) -> SqueezeNet:
    """SqueezeNet 1.0 (Iandola et al. 2016) for ImageNet, 224x224; torchvision's weights load.

    1,248,424 parameters with 1000 classes.
    """
    return SqueezeNet("1_0", num_classes, dropout)


def squeezenet1_1(num_classes: int = 1000, dropout: float = 0.5) -> SqueezeNet:
    """SqueezeNet 1.1, as `squeezenet1_0`; 1,235,496 parameters with 1000 classes."""
    return SqueezeNet("1_1", num_classes, dropout)
