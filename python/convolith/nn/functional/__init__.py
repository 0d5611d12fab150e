"""Differentiable functions, each its forward and backward side by side over `primitives`.

Names and argument order are PyTorch's, shapes NCHW. The arguments are checked, and explained when
they are wrong, by the primitives.
"""

from convolith.nn.functional.activation import (LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh, leaky_relu, log_softmax, relu, sigmoid, softmax, tanh)
from convolith.nn.functional.class_loss import (ClampedLog, CrossEntropy, categorical_cross_entropy, cross_entropy, kl_div, multi_margin_loss, nll_loss, sparse_categorical_cross_entropy)
from convolith.nn.functional.conv import (Conv2d, conv2d)
from convolith.nn.functional.dropout import (Dropout, dropout)
from convolith.nn.functional.linear import (Linear, linear)
from convolith.nn.functional.loss import (Loss, RootMeanSquare, SymmetricLoss, binary_cross_entropy, binary_cross_entropy_with_logits, hinge_embedding_loss, hinge_loss, huber_loss, l1_loss, mse_loss, rmse_loss, smooth_l1_loss)
from convolith.nn.functional.normalization import (BatchNorm, batch_norm)
from convolith.nn.functional.pooling import (AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d, MinPool2d, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d, min_pool2d)
from convolith.nn.functional.shape import (Concat, cat, flatten)
from convolith.nn.functional.types import (Activation, Algo, BatchReduction, ConvPadding, Gradients, IntPair, OutputSize, Padding, PaddingMode, Reduction)

__all__ = ["Activation", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Algo", "AvgPool2d", "BatchNorm", "BatchReduction", "ClampedLog", "Concat", "Conv2d", "ConvPadding", "CrossEntropy", "Dropout", "GlobalAvgPool2d", "GlobalMaxPool2d", "Gradients", "IntPair", "LeakyReLU", "Linear", "LogSoftmax", "Loss", "MaxPool2d", "MinPool2d", "OutputSize", "Padding", "PaddingMode", "ReLU", "Reduction", "RootMeanSquare", "Sigmoid", "Softmax", "SymmetricLoss", "Tanh", "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cat", "categorical_cross_entropy", "conv2d", "cross_entropy", "dropout", "flatten", "global_avg_pool2d", "global_max_pool2d", "hinge_embedding_loss", "hinge_loss", "huber_loss", "kl_div", "l1_loss", "leaky_relu", "linear", "log_softmax", "max_pool2d", "min_pool2d", "mse_loss", "multi_margin_loss", "nll_loss", "relu", "rmse_loss", "sigmoid", "smooth_l1_loss", "softmax", "sparse_categorical_cross_entropy", "tanh"]
