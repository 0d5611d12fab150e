"""Activations as layers. `Identity` is what textbooks call the linear activation."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from convolith.nn import functional as F
from convolith.nn._common import check_sizes
from convolith.nn.module import Module, Parameter
from convolith.tensor import Tensor


class Activation(Module):
    """What every activation is: a function, and the attributes that it takes beside its input."""

    function: ClassVar[Any]
    options: ClassVar[tuple[str, ...]] = ()

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
        result: Tensor = self.function(input, *(getattr(self, name) for name in self.options))
        return result

    def extra_repr(self) -> str:
        """The options."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.options)


class ReLU(Activation):
    """``max(x, 0)``."""

    function = staticmethod(F.relu)


class ReLU6(Activation):
    """``min(max(x, 0), 6)``."""

    function = staticmethod(F.relu6)


class LeakyReLU(Activation):
    """x where positive, ``negative_slope * x`` elsewhere."""

    function, options = staticmethod(F.leaky_relu), ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope


class PReLU(Module):
    """`LeakyReLU` whose slopes are learnt (He et al. 2015).

    Parameters
    ----------
    num_parameters : int
        1, or C for inputs (N, C, *): a slope per channel.
    init : float
        The slopes at first.
    dtype : dtype
        float32 or float64.

    Raises
    ------
    ValueError
        If `num_parameters` is below 1, or neither 1 nor C.
    """

    keeps_float32 = True

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, dtype: npt.DTypeLike = np.float32
    ) -> None:
        check_sizes("PReLU", num_parameters=num_parameters)
        self.num_parameters = num_parameters
        self.weight = Parameter(np.full(num_parameters, init, dtype))

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *), or any shape with one slope, to the same shape."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """How many slopes."""
        return f"num_parameters={self.num_parameters}"


class Hardtanh(Activation):
    """``min(max(x, min_val), max_val)``."""

    function, options = staticmethod(F.hardtanh), ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val, self.max_val = min_val, max_val


class Hardsigmoid(Activation):
    """``min(max(x + 3, 0), 6) / 6``."""

    function = staticmethod(F.hardsigmoid)


class Hardswish(Activation):
    """``x * hardsigmoid(x)``."""

    function = staticmethod(F.hardswish)


class Step(Activation):
    """Heaviside's step: 1 where positive, `values` at 0, else 0. Nothing learns through it."""

    function, options = staticmethod(F.step), ("values",)

    def __init__(self, values: float = 0.0) -> None:
        self.values = values


class ELU(Activation):
    """x where positive, ``alpha * (exp(x) - 1)`` elsewhere."""

    function, options = staticmethod(F.elu), ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class SELU(Activation):
    """`ELU`, scaled so that mean 0 and variance 1 stay what they are."""

    function = staticmethod(F.selu)


class Sigmoid(Activation):
    """``1 / (1 + exp(-x))``."""

    function = staticmethod(F.sigmoid)


class LogSigmoid(Activation):
    """Logarithm of `Sigmoid`."""

    function = staticmethod(F.logsigmoid)


class Tanh(Activation):
    """Hyperbolic tangent."""

    function = staticmethod(F.tanh)


class Softsign(Activation):
    """``x / (1 + abs(x))``."""

    function = staticmethod(F.softsign)


class Softplus(Activation):
    """``log(1 + exp(beta * x)) / beta``, and x where ``beta * x > threshold``."""

    function, options = staticmethod(F.softplus), ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold


class SiLU(Activation):
    """``x * sigmoid(x)``."""

    function = staticmethod(F.silu)


class Swish(Activation):
    """``x * sigmoid(beta * x)`` (Ramachandran, Zoph and Le 2017): `SiLU` where beta is 1."""

    function, options = staticmethod(F.silu), ("beta",)

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta


class Mish(Activation):
    """``x * tanh(softplus(x))``."""

    function = staticmethod(F.mish)


class GELU(Activation):
    """x times the probability that a normal variable is less: 'none', or 'tanh' for nearly so."""

    function, options = staticmethod(F.gelu), ("approximate",)

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = approximate


class Maxout(Activation):
    """The largest of `pieces` neighbouring channels, (N, K * pieces, *) to (N, K, *).

    With a `Conv2d` or `Linear` of K * pieces outputs before it, it is the layer of Goodfellow et
    al. 2013.
    """

    function, options = staticmethod(F.maxout), ("pieces",)

    def __init__(self, pieces: int) -> None:
        check_sizes("Maxout", pieces=pieces)
        self.pieces = pieces


class Softmax(Activation):
    """``exp(x)`` scaled to sum to 1 along `dim`."""

    function, options = staticmethod(F.softmax), ("dim",)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim


class LogSoftmax(Activation):
    """Logarithm of `Softmax`."""

    function, options = staticmethod(F.log_softmax), ("dim",)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim
