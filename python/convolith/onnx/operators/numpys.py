"""Differentiable functions that have no kernel, by NumPy, on the CPU only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convolith import primitives as P
from convolith.device import Array, device_of
from convolith.tensor import Function, Node


def _on_cpu(*arrays: Array) -> None:
    for array in arrays:
        if device_of(array) != "cpu":
            raise ValueError(f"it has no kernel on {array.device} and runs on the CPU only")


class Elementwise(Function):
    """``value(*arrays)`` with broadcasting; ``slopes`` are derivatives, of ``(*arrays, y)``."""

    @staticmethod
    def forward(
        ctx: Node,
        *arrays: Array,
        value: Callable[..., Any],
        slopes: tuple[Callable[..., Any], ...],
    ) -> Array:
        _on_cpu(*arrays)
        y: Array = np.asarray(value(*arrays))
        ctx.save(arrays, y, slopes)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        arrays, y, slopes = ctx.saved
        with np.errstate(all="ignore"):
            return tuple(
                P.add_backward(np.asarray(dy * slope(*arrays, y), dy.dtype), x.shape)
                if need
                else None
                for x, slope, need in zip(arrays, slopes, ctx.needs, strict=True)
            )


class Take(Function):
    """``x[index]``; an element that is taken several times adds its gradients up."""

    @staticmethod
    def forward(ctx: Node, x: Array, *, index: tuple[Any, ...]) -> Array:
        _on_cpu(x)
        ctx.save(x.shape, index)
        return np.asarray(x[index])

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        shape, index = ctx.saved
        dx = np.zeros(shape, dy.dtype)
        np.add.at(dx, index, dy)
        return (dx,)
