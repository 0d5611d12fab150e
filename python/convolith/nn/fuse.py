"""A network for evaluation, in which convolutions take over the layers that follow them."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np

from convolith import _C
from convolith import primitives as P
from convolith.device import Array, cast, to_device
from convolith.nn.activation import ReLU
from convolith.nn.conv import Conv2d
from convolith.nn.module import Module, Parameter
from convolith.nn.normalization import BatchNorm2d
from convolith.nn.shape import Identity
from convolith.tensor import Tensor

Model = TypeVar("Model", bound=Module)


def fuse(model: Model) -> Model:
    """Return a copy of `model` for evaluation, faster and equal but for rounding.

    A batch norm that follows a convolution becomes part of its weight and bias, and the ReLU that
    follows either, in a layer or in the batch norm's `activation`, becomes the convolution's
    epilogue; so does the residual that the batch norm would have added. `Identity` takes the place
    of what is gone, forward hooks with it. Which parts follow each other the modules say:
    `Module.chains`.

    Parameters
    ----------
    model : Module
        Stays as it is.

    Returns
    -------
    Module
        In evaluation mode, and of no use in training: the weights of its convolutions are
        read-only and do not require gradients, and are transformed once for each shape of input
        where the algorithm needs that. Batch norms without running statistics stay.

    Notes
    -----
    With batch norm y = (x - mean) * scale + shift and scale = weight / sqrt(var + eps), convolution
    with w and b and batch norm are one convolution with w * scale and (b - mean) * scale + shift.
    """
    fused = copy.deepcopy(model)
    for module in fused.modules():
        for names in module.chains():
            _join(module, names)
    for module in list(fused.modules()):
        for name, part in list(module.named_children()):
            if type(part) is Conv2d:
                setattr(module, name, FrozenConv2d(part))
    return fused.eval()


class FrozenConv2d(Conv2d):
    """A convolution whose weight never changes, transformed at the first input of a shape.

    Parameters
    ----------
    conv : Conv2d
        Whose parameters and options it takes over.
    """

    def __init__(self, conv: Conv2d) -> None:
        vars(self).update(vars(conv))
        weight = conv.weight._array.copy()
        if isinstance(weight, np.ndarray):
            weight.flags.writeable = False
        self.weight = Parameter(weight, False)
        self._prepared: dict[tuple[Any, ...], Array | None] = {}

    def forward(self, input: Tensor, residual: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to (N, K, P, Q); `residual` is added before the activation."""
        # Another instruction set or promise of exactness means another algorithm.
        key = (input.shape, _C.isa(), _C.exact_only())
        if key not in self._prepared:
            weight = self.weight._array
            prepared = P.conv2d_prepare_weight(weight, input.shape, **self._options())
            self._prepared = {key: prepared}
        return self._convolve(input, residual, self._prepared[key])


def _join(module: Module, names: tuple[str, ...]) -> None:
    """Let every convolution among these parts of `module` take over what it can."""
    conv_name = ""  # of the convolution that nothing but Identity stands behind
    for name in names:
        part = getattr(module, name)
        if type(part) is Conv2d:
            conv_name = name
        elif conv_name and not isinstance(part, Identity):
            joined = _absorb(getattr(module, conv_name), part)
            if joined is None:
                conv_name = ""
            else:
                setattr(module, conv_name, joined)
                setattr(module, name, Identity())


def _absorb(conv: Conv2d, part: Module) -> Conv2d | None:
    """One convolution for `conv` and then `part`, or None if there is none."""
    if conv.activation != "identity":
        return None
    joined = copy.copy(conv)
    vars(joined).pop("_forward_hooks", None)
    if type(part) is ReLU:
        joined.activation = "relu"
        return joined
    if type(part) is not BatchNorm2d or part.running_mean is None or part.running_var is None:
        return None
    weight, mean = conv.weight.numpy(), part.running_mean.numpy().astype(np.float64)
    scale = 1 / np.sqrt(part.running_var.numpy().astype(np.float64) + part.eps)
    if part.weight is not None:
        scale = scale * part.weight.numpy()
    bias = ((0 if conv.bias is None else conv.bias.numpy()) - mean) * scale
    if part.bias is not None:
        bias = bias + part.bias.numpy()
    dtype, device = weight.dtype, conv.weight.device
    weight = (weight * scale[:, None, None, None]).astype(dtype)
    joined.weight = Parameter(cast(to_device(weight, device), conv.weight.dtype), False)
    joined.bias = Parameter(cast(to_device(bias.astype(dtype), device), conv.weight.dtype), False)
    joined.activation = part.activation
    return joined
