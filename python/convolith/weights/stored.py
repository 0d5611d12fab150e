"""Weights that take half the memory: kept in bfloat16, widened whenever they are used."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from convolith import nn
from convolith.device import Array
from convolith.weights import bfloat16

Model = TypeVar("Model", bound=nn.Module)


class StoredParameter(nn.Parameter):
    """A parameter in bfloat16 that reads as float32; it is not learned, nor written to.

    Parameters
    ----------
    data : array of float32
    """

    __slots__ = ("_bits",)
    _bits: npt.NDArray[np.uint16]

    def __init__(self, data: npt.NDArray[np.float32]) -> None:
        super().__init__(data, requires_grad=False)

    @property
    def _array(self) -> Array:
        """The values; a new array each time, which is let go of after use."""
        values = bfloat16.to_float32(self._bits)
        values.flags.writeable = False
        return values

    @_array.setter
    def _array(self, values: Array) -> None:
        if not isinstance(values, np.ndarray) or values.dtype != np.float32:
            raise TypeError(
                "store_bfloat16: such a model stays on the CPU and in float32; on a device "
                "model.bfloat16() keeps weights in halves"
            )
        self._bits = bfloat16.from_float32(values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every dimension, without widening."""
        return self._bits.shape


def store_bfloat16(model: Model) -> Model:
    """Keep the weights of a model in bfloat16, which takes half the memory; returns the model.

    What has two and more axes (weights of convolutions and linear layers) is rounded to the nearest
    bfloat16, halves to even: 8 bits of precision. Biases and batch norm stay as they are. The CPU
    computes in float32 all the same, so each use widens the weights of one layer for as long as
    that takes. `state_dict` gives float32, which `save_weights` writes in bfloat16 without another
    rounding.

    Parameters
    ----------
    model : Module
        In float32 on the CPU; changed in place. These weights learn no more and cannot be written
        to, so load into it first. `nn.fuse` makes a copy that is float32 again.

    Returns
    -------
    Module

    Raises
    ------
    TypeError
        If it is on a device, or in another dtype.
    """
    stored: dict[int, StoredParameter] = {}
    for parameter in model.parameters():
        if parameter.ndim > 1:
            stored[id(parameter)] = StoredParameter(parameter._array)
    for module in model.modules():
        for name, part in list(vars(module).items()):
            if id(part) in stored:
                setattr(module, name, stored[id(part)])
    return model
