"""Networks: modules, layers, functions, initial values, with PyTorch's names and defaults."""

from convolith.nn import (functional, init, utils)
from convolith.nn.activation import (ELU, GELU, Hardsigmoid, Hardswish, Hardtanh, LeakyReLU, LogSigmoid, LogSoftmax, Maxout, Mish, PReLU, ReLU, ReLU6, SELU, SiLU, Sigmoid, Softmax, Softplus, Softsign, Step, Swish, Tanh)
from convolith.nn.container import (ModuleList, Sequential)
from convolith.nn.conv import (Conv2d)
from convolith.nn.dropout import (AlphaDropout, Dropout, Dropout1d, Dropout2d, StochasticDepth)
from convolith.nn.fuse import (fuse)
from convolith.nn.linear import (Linear)
from convolith.nn.loss import (BCELoss, BCEWithLogitsLoss, CategoricalCrossEntropyLoss, CrossEntropyLoss, HingeEmbeddingLoss, HingeLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss, MultiMarginLoss, NLLLoss, RMSELoss, SmoothL1Loss, SparseCategoricalCrossEntropyLoss)
from convolith.nn.module import (Buffer, Handle, Module, Parameter)
from convolith.nn.normalization import (BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm, LocalResponseNorm)
from convolith.nn.pooling import (AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d, MinPool2d)
from convolith.nn.shape import (Flatten, Identity)

__all__ = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AlphaDropout", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Buffer", "CategoricalCrossEntropyLoss", "Conv2d", "CrossEntropyLoss", "Dropout", "Dropout1d", "Dropout2d", "ELU", "Flatten", "GELU", "GlobalAvgPool2d", "GlobalMaxPool2d", "GroupNorm", "Handle", "Hardsigmoid", "Hardswish", "Hardtanh", "HingeEmbeddingLoss", "HingeLoss", "HuberLoss", "Identity", "InstanceNorm1d", "InstanceNorm2d", "KLDivLoss", "L1Loss", "LayerNorm", "LeakyReLU", "Linear", "LocalResponseNorm", "LogSigmoid", "LogSoftmax", "MSELoss", "MaxPool2d", "Maxout", "MinPool2d", "Mish", "Module", "ModuleList", "MultiMarginLoss", "NLLLoss", "PReLU", "Parameter", "RMSELoss", "ReLU", "ReLU6", "SELU", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Softsign", "SparseCategoricalCrossEntropyLoss", "Step", "StochasticDepth", "Swish", "Tanh", "functional", "fuse", "init", "utils"]
