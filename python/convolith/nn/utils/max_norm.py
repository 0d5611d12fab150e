"""A constraint on weights."""

from __future__ import annotations

import numpy as np

from convolith.device import assign, to_numpy
from convolith.nn.module import Module


def max_norm_(module: Module, max_value: float) -> None:
    """Scale down the weights of every unit whose norm is above `max_value`, in place.

    A unit is a row of a linear layer's weight or a filter of a convolution: what stands at one
    index of the first axis of each parameter named ``weight`` with two axes or more. Call it after
    every step of the optimizer; with dropout it lets the learning rate be large (Srivastava et al.
    2014, "Dropout", section 5.1, where 3 to 4 is typical).

    Parameters
    ----------
    module : Module
        With everything below it.
    max_value : float
        Above 0; the largest Euclidean norm.

    Raises
    ------
    ValueError
        If `max_value` is not above 0.
    """
    if not max_value > 0:
        raise ValueError(f"max_norm_: max_value is {max_value}, expected a number above 0")
    for name, parameter in module.named_parameters():
        if name.split(".")[-1] != "weight" or parameter.ndim < 2:
            continue
        weight = to_numpy(parameter._array)
        norms = np.sqrt(np.square(weight, dtype=np.float64).reshape(len(weight), -1).sum(1))
        scale = max_value / np.maximum(norms, max_value)
        shape = (-1, *[1] * (weight.ndim - 1))
        assign(parameter._array, (weight * scale.reshape(shape)).astype(weight.dtype))
