"""Dropout of elements, of channels, of samples."""

from __future__ import annotations

from typing import Any, Literal

from convolith import _random
from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients
from convolith.tensor import Function, Node, Tensor

StochasticDepthMode = Literal["batch", "row"]


class Drawn(Function):
    """A function that draws from a stream of its own, in backward the same again."""

    primitive: str

    @classmethod
    def forward(cls, ctx: Node, x: Array, *options: Any) -> Array:
        seed, offset = _random.next_stream()
        stream = {"seed": seed, "offset": offset}
        ctx.save(options, stream)
        y: Array = getattr(P, f"{cls.primitive}_forward")(x, *options, **stream)
        return y

    @classmethod
    def backward(cls, ctx: Node, dy: Array) -> Gradients:
        options, stream = ctx.saved
        return (getattr(P, f"{cls.primitive}_backward")(dy, *options, **stream),)


class Dropout(Drawn):
    primitive = "dropout"


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability `p` and scale the rest by 1/(1-p); nothing in evaluation.

    Every call draws its own stream from the generator of `convolith.manual_seed`.
    """
    return Dropout.apply(input, p) if training else input


class AlphaDropout(Drawn):
    primitive = "alpha_dropout"


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False) -> Tensor:
    """Drop elements with probability `p` to SELU's lowest value; nothing in evaluation.

    Of `input` with mean 0 and variance 1 both stay (Klambauer et al. 2017). PyTorch's `training`
    is False by default, too.
    """
    return AlphaDropout.apply(input, p) if training else input


class DropoutSlices(Drawn):
    primitive = "dropout_slices"


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each channel of `input` (N, C, L) or (C, L) with probability `p`; scale as `dropout`.

    Raises
    ------
    ValueError
        If `input` has another rank.
    """
    if input.ndim not in (2, 3):
        raise ValueError(
            f"dropout1d: the input has rank {input.ndim} {input.shape}, expected rank 2 or 3"
        )
    return DropoutSlices.apply(input, p, input.ndim - 1) if training else input


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each channel of `input` (N, C, *) with probability `p` and scale the rest by 1/(1-p).

    Neighbouring pixels are alike, so that without single ones little is missing (Tompson et al.
    2015); nothing in evaluation.
    """
    return DropoutSlices.apply(input, p, 2) if training else input


def stochastic_depth(
    input: Tensor, p: float, mode: StochasticDepthMode, training: bool = True
) -> Tensor:
    """Drop a residual branch with probability `p`, else scale it by 1/(1-p).

    For all samples at once, `mode` 'batch', or for each, 'row' (Huang et al. 2016; torchvision's
    function); nothing in evaluation.

    Raises
    ------
    ValueError
        For another mode.
    """
    if mode not in ("batch", "row"):
        raise ValueError(f"stochastic_depth: mode must be 'batch' or 'row', got {mode!r}")
    return DropoutSlices.apply(input, p, 1 if mode == "row" else 0) if training else input
