"""Networks of the literature, and a summary of any network."""

from convolith.models.cnn import CNN
from convolith.models.efficientnet import (
    EfficientNet,
    MBConv,
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_lite0,
)
from convolith.models.lenet import LeNet5
from convolith.models.mlp import MLP, Perceptron
from convolith.models.mobilenet import MobileNetV1, mobilenet_v1
from convolith.models.mobilenet_v2 import InvertedResidual, MobileNetV2, mobilenet_v2
from convolith.models.registry import Entry, get_model, list_models, model_entry
from convolith.models.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
)
from convolith.models.resnet9 import ResNet9, resnet9
from convolith.models.summary import summary

__all__ = [
    "CNN",
    "MLP",
    "BasicBlock",
    "Bottleneck",
    "EfficientNet",
    "Entry",
    "InvertedResidual",
    "LeNet5",
    "MBConv",
    "MobileNetV1",
    "MobileNetV2",
    "Perceptron",
    "ResNet",
    "ResNet9",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_lite0",
    "get_model",
    "list_models",
    "mobilenet_v1",
    "mobilenet_v2",
    "model_entry",
    "resnet9",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "summary",
]
