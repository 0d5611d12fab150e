"""Differentiable functions, each its forward and backward side by side over `primitives`.

Names and argument order are PyTorch's, shapes NCHW. The arguments are checked, and explained when
they are wrong, by the primitives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from convolith import _random
from convolith import primitives as P
from convolith.device import Array
from convolith.tensor import Function, Node, Tensor

IntPair = int | tuple[int, int]
Padding = int | tuple[int, int] | tuple[int, int, int, int]
ConvPadding = Padding | Literal["valid", "same"]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Activation = Literal["identity", "relu"]
Algo = Literal["auto", "direct", "gemm", "depthwise", "winograd", "tensor_core", "mma", "wgmma"]
OutputSize = int | tuple[int | None, int | None]
Reduction = Literal["mean", "sum", "none"]
Gradients = tuple[Array | None, ...]


class Conv2d(Function):
    @staticmethod
    def forward(
        ctx: Node,
        x: Array,
        w: Array,
        bias: Array | None,
        residual: Array | None,
        activation: Activation,
        prepared: Array | None,
        **options: Any,
    ) -> Array:
        y: Array = P.conv2d_forward(
            x, w, bias, residual=residual, activation=activation, prepared=prepared, **options
        )
        ctx.save(x, w, options, y if activation == "relu" else None)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        x, w, options, y = ctx.saved
        if y is not None:
            dy = P.relu_backward(dy, y)
        return (
            P.conv2d_backward_input(dy, w, x.shape, **options) if ctx.needs[0] else None,
            P.conv2d_backward_weight(dy, x, w.shape, **options) if ctx.needs[1] else None,
            P.conv2d_backward_bias(dy) if ctx.needs[2] else None,
            dy,
        )


class Linear(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, w: Array, bias: Array | None) -> Array:
        ctx.save(x, w)
        return P.linear_forward(x, w, bias)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        x, w = ctx.saved
        return (
            P.linear_backward_input(dy, w) if ctx.needs[0] else None,
            P.linear_backward_weight(dy, x) if ctx.needs[1] else None,
            P.linear_backward_bias(dy) if ctx.needs[2] else None,
        )


class MaxPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, kernel_size: IntPair, **options: Any) -> tuple[Array, Array]:
        y, indices = P.max_pool2d_forward(x, kernel_size, **options)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.max_pool2d_backward(dy, *ctx.saved),)


class MinPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, kernel_size: IntPair, **options: Any) -> tuple[Array, Array]:
        y, indices = P.min_pool2d_forward(x, kernel_size, **options)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.min_pool2d_backward(dy, *ctx.saved),)


class AvgPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, kernel_size: IntPair, **options: Any) -> Array:
        ctx.save(x.shape, kernel_size, options)
        return P.avg_pool2d_forward(x, kernel_size, **options)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        shape, kernel_size, options = ctx.saved
        return (P.avg_pool2d_backward(dy, shape, kernel_size, **options),)


class AdaptiveAvgPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, output_size: OutputSize) -> Array:
        ctx.save(x.shape)
        return P.adaptive_avg_pool2d_forward(x, output_size)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.adaptive_avg_pool2d_backward(dy, *ctx.saved),)


class AdaptiveMaxPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, output_size: OutputSize) -> tuple[Array, Array]:
        y, indices = P.adaptive_max_pool2d_forward(x, output_size)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.adaptive_max_pool2d_backward(dy, *ctx.saved),)


class GlobalAvgPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        ctx.save(x.shape)
        return P.global_avg_pool2d_forward(x)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.global_avg_pool2d_backward(dy, *ctx.saved),)


class GlobalMaxPool2d(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> tuple[Array, Array]:
        y, indices = P.global_max_pool2d_forward(x)
        ctx.save(indices, x.shape)
        return y, indices

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.global_max_pool2d_backward(dy, *ctx.saved),)


class BatchNorm(Function):
    @staticmethod
    def forward(
        ctx: Node,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        residual: Array | None,
        running_mean: Array | None,
        running_var: Array | None,
        **options: Any,
    ) -> Array:
        arrays = (x, weight, bias, running_mean, running_var, residual)
        y, mean, invstd = P.batch_norm_forward(*arrays, **options)
        masks = residual is not None and options["activation"] != "identity"
        ctx.save(
            (x, weight, mean, invstd, bias, y if masks else None),
            {name: options[name] for name in ("training", "activation")},
        )
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        arrays, options = ctx.saved
        dx, dweight, dbias, *dresidual = P.batch_norm_backward(dy, *arrays, **options)
        return dx, dweight, dbias, *(dresidual or (dy,))


class ReLU(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        y = P.relu_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.relu_backward(dy, *ctx.saved),)


class LeakyReLU(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, negative_slope: float) -> Array:
        ctx.save(x, negative_slope)
        return P.leaky_relu_forward(x, negative_slope)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.leaky_relu_backward(dy, *ctx.saved),)


class Sigmoid(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        y = P.sigmoid_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.sigmoid_backward(dy, *ctx.saved),)


class Tanh(Function):
    @staticmethod
    def forward(ctx: Node, x: Array) -> Array:
        y = P.tanh_forward(x)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.tanh_backward(dy, *ctx.saved),)


class Softmax(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, dim: int) -> Array:
        y = P.softmax_forward(x, dim)
        ctx.save(y, dim)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.softmax_backward(dy, *ctx.saved),)


class LogSoftmax(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, dim: int) -> Array:
        y = P.log_softmax_forward(x, dim)
        ctx.save(y, dim)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.log_softmax_backward(dy, *ctx.saved),)


class Dropout(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, p: float) -> Array:
        seed, offset = _random.next_stream()
        ctx.save(p, seed, offset)
        return P.dropout_forward(x, p, seed=seed, offset=offset)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        p, seed, offset = ctx.saved
        return (P.dropout_backward(dy, p, seed=seed, offset=offset),)


class CrossEntropy(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, target: Array, **options: Any) -> Array:
        loss, probs = P.softmax_cross_entropy_forward(x, target, **options)
        ctx.save(probs, target, options)
        return loss

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        probs, target, options = ctx.saved
        return (P.softmax_cross_entropy_backward(dy, probs, target, **options),)


class Concat(Function):
    @staticmethod
    def forward(ctx: Node, *xs: Array, dim: int) -> Array:
        y = P.concat_forward(xs, dim)
        ctx.save([x.shape[dim] for x in xs], dim)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return tuple(P.concat_backward(dy, *ctx.saved))


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntPair = 1,
    padding: ConvPadding = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    residual: Tensor | None = None,
    activation: Activation = "identity",
    algo: Algo = "auto",
    prepared: Array | None = None,
) -> Tensor:
    """Cross-correlation of `input` (N, C, H, W) with `weight` (K, C/G, R, S), plus `bias` (K).

    See `convolith.primitives.conv2d_forward` for the formula and every form of padding; beyond
    PyTorch: (top, bottom, left, right), strided 'same', `padding_mode`, a `residual` (N, K, P, Q)
    added and an `activation` applied while the result is in cache, `algo`, how it is computed, and
    `prepared`, `weight` as `convolith.primitives.conv2d_prepare_weight` made it ready.
    """
    return Conv2d.apply(
        input,
        weight,
        bias,
        residual,
        activation,
        prepared,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        algo=algo,
    )


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``: `input` (..., I), `weight` (O, I), `bias` (O)."""
    return Linear.apply(input, weight, bias)


def max_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Maximum over windows of `input` (N, C, H, W); the first maximum of a window wins.

    Returns
    -------
    Tensor, or (Tensor, Tensor) if `return_indices`
        The maxima, and their int64 positions in the unpadded H*W plane.
    """
    y, indices = MaxPool2d.outputs(
        input, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    return (y, indices) if return_indices else y


def min_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Minimum over windows: `max_pool2d` with the sign turned. Not in PyTorch."""
    y, indices = MinPool2d.outputs(
        input, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    return (y, indices) if return_indices else y


def avg_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean over windows of `input` (N, C, H, W)."""
    return AvgPool2d.apply(
        input,
        kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Mean over windows chosen so that the output is `output_size`."""
    return AdaptiveAvgPool2d.apply(input, output_size)


def adaptive_max_pool2d(
    input: Tensor, output_size: OutputSize, return_indices: bool = False
) -> Any:
    """Maximum over windows chosen so that the output is `output_size`."""
    y, indices = AdaptiveMaxPool2d.outputs(input, output_size)
    return (y, indices) if return_indices else y


def global_avg_pool2d(input: Tensor) -> Tensor:
    """Mean over every plane: (N, C, H, W) to (N, C, 1, 1)."""
    return GlobalAvgPool2d.apply(input)


def global_max_pool2d(input: Tensor, return_indices: bool = False) -> Any:
    """Maximum over every plane: (N, C, H, W) to (N, C, 1, 1)."""
    y, indices = GlobalMaxPool2d.outputs(input)
    return (y, indices) if return_indices else y


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    residual: Tensor | None = None,
    activation: Activation = "identity",
) -> Tensor:
    """Normalise every channel of `input` (N, C, *) to mean 0 and variance 1, then scale and shift.

    In training by the statistics of the batch, which also update `running_mean` and
    `running_var` in place, `momentum` being the weight of the new value; else by those two. Beyond
    PyTorch, in the same pass over memory: ``activation(normalised + residual)``, `residual` being
    of the shape of `input`.
    """
    return BatchNorm.apply(
        input,
        weight,
        bias,
        residual,
        running_mean,
        running_var,
        training=training,
        momentum=momentum,
        eps=eps,
        activation=activation,
    )


def relu(input: Tensor) -> Tensor:
    """``max(input, 0)``; its derivative at 0 is 0."""
    return ReLU.apply(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`input` where positive, ``negative_slope * input`` elsewhere."""
    return LeakyReLU.apply(input, negative_slope)


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-input))``."""
    return Sigmoid.apply(input)


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return Tanh.apply(input)


def softmax(input: Tensor, dim: int = -1) -> Tensor:
    """``exp(input)`` scaled to sum to 1 along `dim`."""
    return Softmax.apply(input, dim)


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """Logarithm of `softmax`, without its underflow."""
    return LogSoftmax.apply(input, dim)


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability `p` and scale the rest by 1/(1-p); nothing in evaluation.

    Every call draws its own stream from the generator of `convolith.manual_seed`.
    """
    return Dropout.apply(input, p) if training else input


def cross_entropy(
    input: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross entropy of logits `input` (N, C, *).

    Parameters
    ----------
    input : Tensor
        Logits (N, C, *).
    target : Tensor
        int64 class indices (N, *), or probabilities of the shape and dtype of `input`.
    ignore_index : int
        The class index that does not count.
    reduction : {'mean', 'sum', 'none'}
        The mean is over the targets that count.
    label_smoothing : float
        This much of each target is spread evenly over all classes.

    Returns
    -------
    Tensor
        A scalar, or (N, *) for 'none'. Gradients flow to `input` only.

    Raises
    ------
    ValueError
        If a label is out of range or a target probability is NaN.
    """
    return CrossEntropy.apply(
        input,
        target,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Make the dimensions from `start_dim` to `end_dim` one."""
    return input.flatten(start_dim, end_dim)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along `dim`; all their other dimensions agree."""
    return Concat.apply(*tensors, dim=dim)
