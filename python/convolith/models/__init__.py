"""Networks of the literature, and a summary of any network."""

from convolith.models.lenet import LeNet5
from convolith.models.mobilenet import MobileNetV1, mobilenet_v1
from convolith.models.resnet import BasicBlock, ResNet, resnet18, resnet20
from convolith.models.summary import summary

__all__ = [
    "BasicBlock",
    "LeNet5",
    "MobileNetV1",
    "ResNet",
    "mobilenet_v1",
    "resnet18",
    "resnet20",
    "summary",
]
