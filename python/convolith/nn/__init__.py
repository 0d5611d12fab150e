"""Networks: modules, layers, functions, initial values, with PyTorch's names and defaults."""

from convolith.nn import functional, init
from convolith.nn.container import ModuleList, Sequential
from convolith.nn.fuse import fuse
from convolith.nn.layers import BatchNorm1d, BatchNorm2d, Conv2d, Linear
from convolith.nn.module import Buffer, Handle, Module, Parameter
from convolith.nn.simple import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    Identity,
    LeakyReLU,
    LogSoftmax,
    MaxPool2d,
    MinPool2d,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)

__all__ = [
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "Handle",
    "Identity",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "MinPool2d",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "functional",
    "fuse",
    "init",
]
