"""Networks of the literature, and a summary of any network."""

from convolith.models.cnn import CNN
from convolith.models.lenet import LeNet5
from convolith.models.mlp import MLP, Perceptron
from convolith.models.mobilenet import MobileNetV1, mobilenet_v1
from convolith.models.registry import Entry, get_model, list_models, model_entry
from convolith.models.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    resnet18,
    resnet20,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from convolith.models.summary import summary

__all__ = [
    "CNN",
    "MLP",
    "BasicBlock",
    "Bottleneck",
    "Entry",
    "LeNet5",
    "MobileNetV1",
    "Perceptron",
    "ResNet",
    "get_model",
    "list_models",
    "mobilenet_v1",
    "model_entry",
    "resnet18",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "summary",
]
