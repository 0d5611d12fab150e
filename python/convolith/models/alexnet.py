"""AlexNet: the network of 2012, and the one for a single GPU of 2014."""

from __future__ import annotations

from convolith import nn


class AlexNet(nn.Sequential):
    """AlexNet for one GPU (Krizhevsky 2014, "One weird trick") for images (N, 3, H, W), to logits.

    Convolutions see all channels, the first two have fewer filters than those of `AlexNet2012`, and
    nothing is normalised. Parts, and with them the keys of `state_dict`, have torchvision's names.
    Images of other sizes than 224x224, from 63x63 on, are pooled to 6x6, too.

    Parameters
    ----------
    num_classes : int
    dropout : float
        Share of the features that is dropped before each hidden dense layer.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),  # (N, 64, 27, 27)
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),  # (N, 192, 13, 13)
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),  # (N, 256, 6, 6)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, num_classes),
        )


class AlexNet2012(nn.Sequential):
    """AlexNet (Krizhevsky, Sutskever and Hinton 2012, fig. 2) for images (N, 3, 227, 227).

    The two GPUs of the paper are the groups of convolutions 2, 4 and 5, each of which sees the
    channels of its own GPU only. Layers have the paper's numbers. As in its section 5 weights begin
    with N(0, 0.01^2), and biases with 1 where that gives the ReLU something to pass: in
    convolutions 2, 4 and 5 and in the hidden dense layers; all others with 0. The paper says
    224x224, which its own layer sizes contradict.

    Parameters
    ----------
    num_classes : int
    dropout : float
        Share of the features that is dropped before each hidden dense layer.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4, activation="relu")
        self.norm1 = _response_norm()
        self.pool1 = nn.MaxPool2d(3, 2)  # (N, 96, 27, 27)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2, activation="relu")
        self.norm2 = _response_norm()
        self.pool2 = nn.MaxPool2d(3, 2)  # (N, 256, 13, 13)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1, activation="relu")
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2, activation="relu")
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2, activation="relu")
        self.pool5 = nn.MaxPool2d(3, 2)  # (N, 256, 6, 6)
        self.flatten = nn.Flatten()
        self.drop6 = nn.Dropout(dropout)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.relu6 = nn.ReLU()
        self.drop7 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(4096, 4096)
        self.relu7 = nn.ReLU()
        self.fc8 = nn.Linear(4096, num_classes)
        with_ones = ("conv2", "conv4", "conv5", "fc6", "fc7")
        for name, parameter in self.named_parameters():
            layer, kind = name.split(".")
            if kind == "weight":
                nn.init.normal_(parameter, std=0.01)
            else:
                nn.init.constant_(parameter, float(layer in with_ones))


def _response_norm() -> nn.LocalResponseNorm:
    """Section 3.3: n = 5, k = 2, beta = 0.75 and alpha = 1e-4, which the layer divides by n."""
    return nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2)


def alexnet(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet:
    """AlexNet (Krizhevsky 2014) for ImageNet, 224x224; torchvision's weights load.

    61,100,840 parameters with 1000 classes.
    """
    return AlexNet(num_classes, dropout)


def alexnet_2012(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet2012:
    """AlexNet (Krizhevsky, Sutskever and Hinton 2012) for ImageNet, 227x227.

    60,965,224 parameters with 1000 classes.
    """
    return AlexNet2012(num_classes, dropout)
