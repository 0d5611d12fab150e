"""Initial values: PyTorch's names and formulas, drawn from the streams of `manual_seed`.

Each function fills a tensor in place, on whatever device it is, and returns it. fan_in is the
number of inputs of one output, fan_out the number of outputs one input reaches: for a weight
(K, C/G, R, S), C/G*R*S and K*R*S.

Textbooks' and other libraries' names: Glorot's or the normalised initialisation is
`xavier_uniform_` and `xavier_normal_`; He's is `kaiming_uniform_` and `kaiming_normal_` with
nonlinearity="relu"; the rule U(-1/sqrt(n), 1/sqrt(n)) for n inputs, the default of layers, is
`fan_in_uniform_`.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from convolith import _random
from convolith.device import assign, cast, to_device
from convolith.tensor import Tensor

Mode = Literal["fan_in", "fan_out"]

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
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
        'linear' or a convolution ('conv2d', 'conv_transpose2d' ...), 'sigmoid', 'tanh', 'relu',
        'leaky_relu' or 'selu'.
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


def _fill(tensor: Tensor, values: npt.ArrayLike) -> Tensor:
    """Write `values`, which broadcast, to the tensor."""
    if tensor.device == "cpu":
        tensor.numpy()[...] = values
    else:
        whole = np.array(np.broadcast_to(values, tensor.shape), np.float32)
        assign(tensor._array, cast(to_device(whole, tensor.device), tensor.dtype))
    return tensor


def _fans(tensor: Tensor) -> dict[Mode, int]:
    if tensor.ndim < 2:
        raise ValueError(f"init: a tensor of shape {tensor.shape} has no fan_in and fan_out")
    outputs, inputs, *kernel = tensor.shape
    return {"fan_in": inputs * math.prod(kernel), "fan_out": outputs * math.prod(kernel)}


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """U(a, b)."""
    return _fill(tensor, _generator().uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """N(mean, std^2)."""
    return _fill(tensor, _generator().normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    return _fill(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def fan_in_uniform_(tensor: Tensor, fan_in: int) -> Tensor:
    """U(-b, b) with b = 1/sqrt(fan_in): the default of Conv2d and Linear, weight and bias.

    Its variance is 1 / (3 fan_in), a third of `lecun_uniform_`'s.
    """
    bound = 1 / math.sqrt(fan_in)
    return uniform_(tensor, -bound, bound)


def lecun_uniform_(tensor: Tensor) -> Tensor:
    """U(-b, b) with b = sqrt(3 / fan_in), of variance 1 / fan_in (LeCun et al. 1998, 4.6)."""
    bound = math.sqrt(3 / _fans(tensor)["fan_in"])
    return uniform_(tensor, -bound, bound)


def lecun_normal_(tensor: Tensor) -> Tensor:
    """N(0, s^2) with s = sqrt(1 / fan_in) (LeCun et al. 1998, section 4.6); for SELU, too."""
    return normal_(tensor, 0.0, math.sqrt(1 / _fans(tensor)["fan_in"]))


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


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """N(mean, std^2) within [a, b], which are values and no multiples of `std`.

    Raises
    ------
    ValueError
        If `std` is not positive or `a` not below `b`.
    """
    if not (std > 0 and a < b):
        raise ValueError(
            f"trunc_normal_: std is {std}, a {a} and b {b}, expected std above 0 and a below b"
        )
    values = _truncated_normal((a - mean) / std, (b - mean) / std, math.prod(tensor.shape))
    return _fill(tensor, (mean + std * values).reshape(tensor.shape))


def _truncated_normal(low: float, high: float, n: int) -> npt.NDArray[np.float64]:
    """`n` values of N(0, 1) within [low, high].

    Uniform ones are accepted with the probability of their density over the largest (von Neumann
    1951). What lies 9 further out than the likeliest value has a probability below 1e-18.
    """
    generator = _generator()
    likeliest = min(max(0.0, low), high)
    low, high = max(low, likeliest - 9), min(high, likeliest + 9)
    values = np.empty(n)
    missing = np.arange(n)
    while missing.size:
        x = generator.uniform(low, high, missing.size)
        values[missing] = x
        density = np.exp((likeliest**2 - x**2) / 2)
        missing = missing[generator.random(missing.size) >= density]
    return values


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """`gain` times a random matrix with orthonormal rows, or columns where those are fewer.

    The matrix is (K, C*R*S), uniformly distributed (Saxe, McClelland and Ganguli 2014; signs as in
    Mezzadri 2007).

    Raises
    ------
    ValueError
        If the tensor has fewer than two dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: shape is {tensor.shape}, expected two dimensions or more")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    q, r = np.linalg.qr(_generator().normal(size=(max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diagonal(r))
    return _fill(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: a linear layer that hands on its inputs.

    Raises
    ------
    ValueError
        If the tensor is no matrix.
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: shape is {tensor.shape}, expected two dimensions")
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution that hands on its input, as many channels of each group as there are filters.

    Filter k of a group has a 1 in the middle of channel k and 0 elsewhere.

    Raises
    ------
    ValueError
        If the tensor is no filter (3 to 5 dimensions), or `groups` does not divide its filters.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: shape is {tensor.shape}, expected 3, 4 or 5 dimensions")
    filters, channels, *kernel = tensor.shape
    if groups < 1 or filters % groups:
        raise ValueError(f"dirac_: {filters} filters are no multiple of {groups} groups")
    middle = np.ravel_multi_index([n // 2 for n in kernel], kernel)
    values = np.zeros((groups, filters // groups, channels, math.prod(kernel)))
    k = np.arange(min(filters // groups, channels))
    values[:, k, k, middle] = 1
    return _fill(tensor, values.reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    """N(0, std^2), but the share `sparsity` of each column 0 (Martens 2010).

    Raises
    ------
    ValueError
        If the tensor is no matrix, or `sparsity` not in [0, 1].
    """
    if tensor.ndim != 2 or not 0 <= sparsity <= 1:
        raise ValueError(
            f"sparse_: shape is {tensor.shape} and sparsity {sparsity}, "
            "expected two dimensions and a share from 0 to 1"
        )
    generator = _generator()
    values = generator.normal(0, std, tensor.shape)
    order = generator.permuted(np.arange(len(values))[:, None].repeat(tensor.shape[1], 1), axis=0)
    values[order < math.ceil(sparsity * len(values))] = 0
    return _fill(tensor, values)
