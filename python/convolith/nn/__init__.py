"""Networks: modules, layers, functions, initial values, with PyTorch's names and defaults."""

from convolith.nn import functional, init
from convolith.nn.activation import (
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Maxout,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Step,
    Swish,
    Tanh,
)
from convolith.nn.container import ModuleList, Sequential
from convolith.nn.conv import Conv2d
from convolith.nn.dropout import Dropout
from convolith.nn.fuse import fuse
from convolith.nn.linear import Linear
from convolith.nn.loss import CrossEntropyLoss
from convolith.nn.module import Buffer, Handle, Module, Parameter
from convolith.nn.normalization import BatchNorm1d, BatchNorm2d
from convolith.nn.pooling import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    MaxPool2d,
    MinPool2d,
)
from convolith.nn.shape import Flatten, Identity

__all__ = [
    "ELU",
    "GELU",
    "SELU",
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
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MaxPool2d",
    "Maxout",
    "MinPool2d",
    "Mish",
    "Module",
    "ModuleList",
    "PReLU",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Step",
    "Swish",
    "Tanh",
    "functional",
    "fuse",
    "init",
]
