"""Networks: modules, layers, functions, initial values, with PyTorch's names and defaults."""

from convolith.nn import functional, init
from convolith.nn.activation import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from convolith.nn.blocks import DepthwiseSeparableConv2d
from convolith.nn.container import ModuleList, Sequential
from convolith.nn.conv import Conv2d, ConvTranspose2d
from convolith.nn.dropout import Dropout
from convolith.nn.fuse import fuse
from convolith.nn.linear import Linear
from convolith.nn.loss import CrossEntropyLoss
from convolith.nn.module import Buffer, Handle, Module, Parameter
from convolith.nn.normalization import BatchNorm1d, BatchNorm2d
from convolith.nn.patches import Fold, LocallyConnected2d, Unfold
from convolith.nn.pooling import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    LPPool2d,
    MaxPool2d,
    MaxUnpool2d,
    MinPool2d,
)
from convolith.nn.resample import (
    CircularPad2d,
    ConstantPad2d,
    PixelShuffle,
    PixelUnshuffle,
    ReflectionPad2d,
    ReplicationPad2d,
    Upsample,
    ZeroPad2d,
)
from convolith.nn.sequence import (
    AdaptiveAvgPool1d,
    AdaptiveMaxPool1d,
    AvgPool1d,
    Conv1d,
    ConvTranspose1d,
    MaxPool1d,
)
from convolith.nn.shape import Flatten, Identity

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "CircularPad2d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "DepthwiseSeparableConv2d",
    "Dropout",
    "Flatten",
    "Fold",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "Handle",
    "Identity",
    "LPPool2d",
    "LeakyReLU",
    "Linear",
    "LocallyConnected2d",
    "LogSoftmax",
    "MaxPool1d",
    "MaxPool2d",
    "MaxUnpool2d",
    "MinPool2d",
    "Module",
    "ModuleList",
    "Parameter",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReLU",
    "ReflectionPad2d",
    "ReplicationPad2d",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Unfold",
    "Upsample",
    "ZeroPad2d",
    "functional",
    "fuse",
    "init",
]
