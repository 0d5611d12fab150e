"""What the losses share: their reduction, and its gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64

F = TypeVar("F", bound=Callable[..., Any])


def quiet(function: F) -> F:
    """A loss in which 0 * inf, inf - inf, log 0 and 0 / 0 are what they are, without a warning."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return cast(F, run)


def one(weight: Floats | None) -> Float64s:
    """The weights, or a 1 that stands for all of them."""
    return np.ones(()) if weight is None else float64(weight)


def reduce(
    losses: Float64s, reduction: str, out: Floats | None, divisor: float | None = None
) -> Floats:
    """The losses, their sum, or their sum over `divisor`, which is their number by default."""
    if reduction == "none":
        return deliver(losses, out)
    total = losses.sum()
    if reduction == "mean":
        total = total / np.float64(losses.size if divisor is None else divisor)
    return deliver(np.asarray(total), out)


def spread(
    dloss: Floats,
    slope: Float64s,
    reduction: str,
    out: Floats | None,
    divisor: float | None = None,
) -> Floats:
    """The gradient: the derivative of every loss times what the reduction makes of dloss."""
    g = float64(dloss)
    if reduction == "mean":
        g = g / np.float64(slope.size if divisor is None else divisor)
    return deliver(np.asarray(g * slope), out)
