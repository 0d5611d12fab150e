"""Normalisation: over the batch, of every sample by itself, across channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Activation, Gradients
from convolith.tensor import Function, Node, Tensor


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


class LayerNorm(Function):
    @staticmethod
    def forward(
        ctx: Node,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        normalized_shape: tuple[int, ...],
        eps: float,
    ) -> Array:
        y, mean, invstd = P.layer_norm_forward(x, normalized_shape, weight, bias, eps=eps)
        ctx.save(x, normalized_shape, weight, mean, invstd)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return P.layer_norm_backward(dy, *ctx.saved)


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise the last axes of `input` to mean 0 and variance 1, then scale and shift positions.

    `normalized_shape` are the lengths of these axes, and the shape of `weight` and `bias`; an int
    is that of the last one. Beside halves, weight and bias are float32.
    """
    last = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    return LayerNorm.apply(input, weight, bias, last, eps)


class GroupNorm(Function):
    @staticmethod
    def forward(
        ctx: Node,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        num_groups: int,
        eps: float,
    ) -> Array:
        y, mean, invstd = P.group_norm_forward(x, num_groups, weight, bias, eps=eps)
        ctx.save(x, num_groups, weight, mean, invstd)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return P.group_norm_backward(dy, *ctx.saved)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise groups of channels of each sample of `input` (N, C, *), then scale and shift.

    A group is C / `num_groups` channels one after the other; `weight` and `bias` are (C), beside
    halves float32.
    """
    return GroupNorm.apply(input, weight, bias, num_groups, eps)


class InstanceNorm(Function):
    @staticmethod
    def forward(
        ctx: Node,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        running_mean: Array | None,
        running_var: Array | None,
        **options: Any,
    ) -> Array:
        arrays = (x, weight, bias, running_mean, running_var)
        y, mean, invstd = P.instance_norm_forward(*arrays, **options)
        ctx.save(x, weight, mean, invstd)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return P.instance_norm_backward(dy, *ctx.saved)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample of `input` (N, C, *), then scale and shift it.

    With `use_input_stats` by the sample's own statistics, whose means over the batch update
    `running_mean` and `running_var` in place where these are given, `momentum` being the weight of
    the new value; else by those two, as `batch_norm` in evaluation.
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    arrays = (input, weight, bias, running_mean, running_var)
    return InstanceNorm.apply(*arrays, momentum=momentum, eps=eps)


class LocalResponseNorm(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, *options: Any) -> Array:
        ctx.save(x, *options)
        return P.local_response_norm_forward(x, *options)

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        return (P.local_response_norm_backward(dy, *ctx.saved),)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """``input / (k + alpha * m) ** beta``, m being the mean square of `size` channels around.

    Channels beyond the first and the last one of `input` (N, C, *) count as 0; of an even `size`
    the window begins one channel earlier than it ends. The paper's alpha is `alpha` / `size`.
    """
    return LocalResponseNorm.apply(input, size, alpha, beta, k)
