"""Networks of the literature, and a summary of any network."""

from convolith.models.alexnet import AlexNet, AlexNet2012, alexnet, alexnet_2012
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
from convolith.models.googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
from convolith.models.inception import Inception3, InceptionOutputs, inception_v3
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
    "EfficientNet",
    "Entry",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "Inception3",
    "InceptionOutputs",
    "InvertedResidual",
    "LeNet5",
    "MBConv",
    "MobileNetV1",
    "MobileNetV2",
    "Perceptron",
    "ResNet",
    "ResNet9",
    "SqueezeNet",
    "alexnet",
    "alexnet_2012",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_lite0",
    "get_model",
    "googlenet",
    "inception_v3",
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
