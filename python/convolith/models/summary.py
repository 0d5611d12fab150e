"""A table of what a network is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convolith import nn
from convolith.tensor import Tensor, no_grad

Row = tuple[str, str, tuple[int, ...], int, int]


def summary(model: nn.Module, input_shape: tuple[int, ...]) -> str:
    """Every layer in order of use: output shape, parameters, FLOPs.

    Parameters
    ----------
    model : Module
    input_shape : tuple of int
        (N, C, H, W).

    Returns
    -------
    str
        A table and its totals. FLOPs are those of convolutions and linear layers for this input,
        two for each multiply-add.
    """
    rows = _trace(model, input_shape)
    cells = [("layer", "type", "output", "parameters", "FLOPs")]
    cells += [(n, t, "x".join(map(str, s)), f"{p:,}", f"{f:,}") for n, t, s, p, f in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 3 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    parameters = sum(parameter.numpy().size for parameter in model.parameters())
    flops = sum(row[-1] for row in rows)
    shape = "x".join(map(str, input_shape))
    total = f"{parameters:,} parameters, {flops:,} FLOPs (2 per multiply-add) for input {shape}"
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], "-" * len(lines[0]), total])


def _trace(model: nn.Module, input_shape: tuple[int, ...]) -> list[Row]:
    """Run the model once and note every layer that has no parts of its own."""
    rows: list[Row] = []
    names = {module: name for name, module in model.named_modules()}

    def note(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        parameters = sum(parameter.numpy().size for parameter in module.parameters())
        kind = type(module).__name__
        rows.append((names[module], kind, output.shape, parameters, _flops(module, output.shape)))

    first = next(model.parameters(), Tensor(np.zeros(0, np.float32)))
    dtype, device = first.dtype, first.device
    modes = {module: module.training for module in names}
    handles = [m.register_forward_hook(note) for m in names if not any(m.children())]
    try:
        with no_grad():
            model.eval()(Tensor(np.zeros(input_shape, dtype)).to(device))
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    return rows


def _flops(module: nn.Module, output_shape: tuple[int, ...]) -> int:
    if isinstance(module, nn.Conv2d | nn.Linear):
        return 2 * math.prod(output_shape) * math.prod(module.weight.shape[1:])
    return 0
