"""Linear layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from convolith.nn import functional as F
from convolith.nn._common import check_sizes, reset_weight_and_bias
from convolith.nn.module import Module, Parameter
from convolith.tensor import Tensor


class Linear(Module):
    """``x @ weight.T + bias``: (..., I) to (..., O).

    Parameters
    ----------
    in_features, out_features : int
        I and O.
    bias : bool
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (O, I), at first U(-b, b) with b = 1/sqrt(I).
    bias : Parameter or None
        (O), at first the same.

    Raises
    ------
    ValueError
        If a size is below 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(np.empty((out_features, in_features), dtype))
        self.bias = Parameter(np.empty(out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        reset_weight_and_bias(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
