"""Normalisation."""

from __future__ import annotations

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
