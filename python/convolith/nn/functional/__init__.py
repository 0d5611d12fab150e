"""Differentiable functions, each its forward and backward side by side over `primitives`.

Names and argument order are PyTorch's, shapes NCHW. The arguments are checked, and explained when
they are wrong, by the primitives.
"""

from convolith.nn.functional.activation import (ELU, GELU, Hardsigmoid, Hardswish, Hardtanh, LeakyReLU, LogSigmoid, LogSoftmax, Maxout, Mish, PReLU, ReLU, ReLU6, SELU, SiLU, Sigmoid, Softmax, Softplus, Softsign, Step, Tanh, elu, gelu, hardsigmoid, hardswish, hardtanh, identity, leaky_relu, log_softmax, logsigmoid, maxout, mish, prelu, relu, relu6, selu, sigmoid, silu, softmax, softplus, softsign, step, tanh)
from convolith.nn.functional.class_loss import (ClampedLog, CrossEntropy, categorical_cross_entropy, cross_entropy, kl_div, multi_margin_loss, nll_loss, sparse_categorical_cross_entropy)
from convolith.nn.functional.conv import (Conv2d, conv2d)
from convolith.nn.functional.dropout import (AlphaDropout, Dropout, DropoutSlices, StochasticDepthMode, alpha_dropout, dropout, dropout1d, dropout2d, stochastic_depth)
from convolith.nn.functional.linear import (Linear, linear)
from convolith.nn.functional.loss import (Loss, RootMeanSquare, SymmetricLoss, binary_cross_entropy, binary_cross_entropy_with_logits, hinge_embedding_loss, hinge_loss, huber_loss, l1_loss, mse_loss, rmse_loss, smooth_l1_loss)
from convolith.nn.functional.normalization import (BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, batch_norm, group_norm, instance_norm, layer_norm, local_response_norm)
from convolith.nn.functional.pooling import (AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d, MinPool2d, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d, min_pool2d)
from convolith.nn.functional.shape import (Concat, cat, flatten)
from convolith.nn.functional.types import (Activation, Algo, BatchReduction, ConvPadding, Gradients, IntPair, OutputSize, Padding, PaddingMode, Reduction)

__all__ = ["Activation", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Algo", "AlphaDropout", "AvgPool2d", "BatchNorm", "BatchReduction", "ClampedLog", "Concat", "Conv2d", "ConvPadding", "CrossEntropy", "Dropout", "DropoutSlices", "ELU", "GELU", "GlobalAvgPool2d", "GlobalMaxPool2d", "Gradients", "GroupNorm", "Hardsigmoid", "Hardswish", "Hardtanh", "InstanceNorm", "IntPair", "LayerNorm", "LeakyReLU", "Linear", "LocalResponseNorm", "LogSigmoid", "LogSoftmax", "Loss", "MaxPool2d", "Maxout", "MinPool2d", "Mish", "OutputSize", "PReLU", "Padding", "PaddingMode", "ReLU", "ReLU6", "Reduction", "RootMeanSquare", "SELU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Step", "StochasticDepthMode", "SymmetricLoss", "Tanh", "adaptive_avg_pool2d", "adaptive_max_pool2d", "alpha_dropout", "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cat", "categorical_cross_entropy", "conv2d", "cross_entropy", "dropout", "dropout1d", "dropout2d", "elu", "flatten", "gelu", "global_avg_pool2d", "global_max_pool2d", "group_norm", "hardsigmoid", "hardswish", "hardtanh", "hinge_embedding_loss", "hinge_loss", "huber_loss", "identity", "instance_norm", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "local_response_norm", "log_softmax", "logsigmoid", "max_pool2d", "maxout", "min_pool2d", "mish", "mse_loss", "multi_margin_loss", "nll_loss", "prelu", "relu", "relu6", "rmse_loss", "selu", "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "softsign", "sparse_categorical_cross_entropy", "step", "stochastic_depth", "tanh"]
