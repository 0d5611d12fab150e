"""What a check of a gradient is, and finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

from tolerance import DIFFERENCE_STEP

Array = np.ndarray
# f, the point x where its gradient is taken, and backward: dy -> the gradient of sum(f(x) * dy)
Check = tuple[Callable[[Array], Array], Array, Callable[[Array], Array]]
CHECKS: dict[str, Callable[[Any, Generator], Iterator[Check]]] = {}


def checks(function: Callable[[Any, Generator], Iterator[Check]]) -> None:
    """Registers the gradient checks of the backward function of that name; p is what to check."""
    CHECKS[function.__name__] = function


def central_differences(f: Callable[[Array], Array], x: Array, dy: Array) -> Array:
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = DIFFERENCE_STEP
        gradient[i] = np.sum((f(x + step) - f(x - step)) * dy) / (2 * DIFFERENCE_STEP)
    return gradient
