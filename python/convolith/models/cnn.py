"""A small convolutional network for pictures of CIFAR-10's size."""

from __future__ import annotations

from convolith import nn
from convolith.models.choices import Activation, activation_layer

_CHANNELS = (32, 64, 128)
_HIDDEN = 128


class CNN(nn.Sequential):
    """Three convolutions with a pool behind each, dropout, and two dense layers.

    The convolutions are 3x3 with 32, 64 and 128 filters and keep the size, the pools take the
    maximum of 2x2, the hidden dense layer has 128 features: 356,810 parameters for (3, 32, 32).

    Parameters
    ----------
    in_channels : int
    image_size : (int, int)
        Height and width, at least 8 each.
    num_classes : int
    activation : {'tanh', 'relu', 'sigmoid'}
    dropout : float
        Share of the features that is dropped before each dense layer.

    Raises
    ------
    ValueError
        If the images are smaller, or the activation is none of these.
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: tuple[int, int] = (32, 32),
        num_classes: int = 10,
        activation: Activation = "relu",
        dropout: float = 0.5,
    ) -> None:
        if min(image_size) < 8:
            raise ValueError(f"CNN: image_size is {image_size}, expected at least (8, 8)")
        layers: list[nn.Module] = []
        for channels in _CHANNELS:
            layers += [
                nn.Conv2d(in_channels, channels, 3, padding=1),
                activation_layer("CNN", activation),
                nn.MaxPool2d(2),
            ]
            in_channels = channels
        features = in_channels * (image_size[0] // 8) * (image_size[1] // 8)
        super().__init__(
            *layers,
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(features, _HIDDEN),
            activation_layer("CNN", activation),
            nn.Dropout(dropout),
            nn.Linear(_HIDDEN, num_classes),
        )
