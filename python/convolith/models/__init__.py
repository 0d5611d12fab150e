"""Networks of the literature, and a summary of any network."""

from convolith.models.alexnet import AlexNet, AlexNet2012, alexnet, alexnet_2012
from convolith.models.cnn import CNN
from convolith.models.googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
from convolith.models.inception import Inception3, InceptionOutputs, inception_v3
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
from convolith.models.squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from convolith.models.summary import summary
from convolith.models.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)

__all__ = [
    "CNN",
    "MLP",
    "VGG",
    "AlexNet",
    "AlexNet2012",
    "BasicBlock",
    "Bottleneck",
    "Entry",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "Inception3",
    "InceptionOutputs",
    "LeNet5",
    "MobileNetV1",
    "Perceptron",
    "ResNet",
    "SqueezeNet",
    "alexnet",
    "alexnet_2012",
    "get_model",
    "googlenet",
    "inception_v3",
    "list_models",
    "mobilenet_v1",
    "model_entry",
    "resnet18",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "squeezenet1_0",
    "squeezenet1_1",
    "summary",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
