"""Initial values: PyTorch's names and formulas, drawn from the streams of `manual_seed`.

Each function fills a tensor in place and returns it. fan_in is the number of inputs of one output,
fan_out the number of outputs one input reaches: for a weight (K, C/G, R, S), C/G*R*S and K*R*S.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from convolith import _random
from convolith.tensor import Tensor

Mode = Literal["fan_in", "fan_out"]

_GAINS = {
    "linear": 1.0,
    "conv2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def _generator() -> np.random.Generator:
    return _random.generator(*_random.next_stream(), _random.Purpose.INIT)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before `nonlinearity` should be wider.

    Parameters
    ----------
    nonlinearity : str
        'linear', 'conv2d', 'sigmoid', 'tanh', 'relu', 'selu' or 'leaky_relu'.
    param : float, optional
        The negative slope of 'leaky_relu'; 0.01 if not given.

    Raises
    ------
    ValueError
        If the name is none of these.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(
            f"calculate_gain: nonlinearity is {nonlinearity!r}, expected one of {known}"
        )
    return _GAINS[nonlinearity]


def _fans(tensor: Tensor) -> dict[Mode, int]:
    if tensor.ndim < 2:
        raise ValueError(f"init: a tensor of shape {tensor.shape} has no fan_in and fan_out")
    outputs, inputs, *kernel = tensor.shape
    return {"fan_in": inputs * math.prod(kernel), "fan_out": outputs * math.prod(kernel)}


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """U(a, b)."""
    tensor.numpy()[...] = _generator().uniform(a, b, tensor.shape)
    return tensor


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """N(mean, std^2)."""
    tensor.numpy()[...] = _generator().normal(mean, std, tensor.shape)
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    tensor.numpy()[...] = val
    return tensor


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def fan_in_uniform_(tensor: Tensor, fan_in: int) -> Tensor:
    """U(-b, b) with b = 1/sqrt(fan_in): the default of Conv2d and Linear, weight and bias."""
    bound = 1 / math.sqrt(fan_in)
    return uniform_(tensor, -bound, bound)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """U(-b, b) with b = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    bound = gain * math.sqrt(6 / sum(_fans(tensor).values()))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, s^2) with s = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor).values())))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: Mode = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """U(-b, b) with b = gain * sqrt(3 / fan) (He et al. 2015); `a` is the negative slope."""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fans(tensor)[mode])
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: Mode = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """N(0, s^2) with s = gain / sqrt(fan) (He et al. 2015, eq. 10); `a` is the negative slope."""
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fans(tensor)[mode]))
