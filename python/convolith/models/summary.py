"""A table of what a network is made of."""

from __future__ import annotations

import math

from convolith import nn
from convolith._table import aligned
from convolith.models.receptive_field import Field, receptive_fields
from convolith.models.trace import Input, Step, trace

_HEAD = ("layer", "type", "output", "parameters", "FLOPs", "field")


def summary(model: nn.Module, input: Input) -> str:
    """Every layer in order of use: output shape, parameters, FLOPs, receptive field; and memory.

    Parameters
    ----------
    model : Module
        Run once in evaluation mode, and left as it was.
    input : tuple of int, Tensor or array
        (N, C, H, W), or what has this shape.

    Returns
    -------
    str
        A table and its totals. FLOPs are those of convolutions and linear layers for this input,
        two for each multiply-add. The field is the side of the square of pixels, or rows x columns,
        that an element of the output sees, padding included (Araujo, Norris and Sim 2019); 'all' is
        the whole image. Where branches meet it is the largest but that of gates, which see it all.
        Activations are the outputs of all layers.

    Raises
    ------
    ValueError
        If the input does not fit, or in a block of `convolith.no_grad`.
    """
    start, *steps = trace(model, input)
    fields = receptive_fields([start, *steps])
    layers = [step for step in steps if step.module is not None]
    cells = [_HEAD, *(_row(step, fields[step]) for step in layers)]
    head, *rows = aligned(cells, "lllrrr")
    parameters = sum(parameter._array.size for parameter in model.parameters())
    flops = sum(map(_flops, layers))
    own = sum(p._array.nbytes for p in (*model.parameters(), *model.buffers()))
    total = (
        f"{parameters:,} parameters, {flops:,} FLOPs (2 per multiply-add) "
        f"for input {_shape(start.input)}\n"
        f"memory: {_size(own)} of parameters and buffers, "
        f"{_size(sum(step.nbytes for step in layers))} of activations"
    )
    rule = "-" * len(head)
    return "\n".join([head, rule, *rows, rule, total])


def _row(step: Step, field: Field) -> tuple[str, ...]:
    own = () if step.module is None else step.module.parameters()
    parameters = sum(parameter._array.size for parameter in own)
    shapes = " ".join(map(_shape, step.outputs))
    return step.name, step.kind, shapes, f"{parameters:,}", f"{_flops(step):,}", _field(field)


def _flops(step: Step) -> int:
    layer = step.module
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
        return 2 * math.prod(step.outputs[0]) * math.prod(layer.weight.shape[1:])
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d):
        return 2 * math.prod(step.input) * math.prod(layer.weight.shape[1:])
    if isinstance(layer, nn.LocallyConnected2d):
        return 2 * math.prod(step.outputs[0]) * layer.weight.shape[2]
    return 0


def _field(field: Field) -> str:
    sides = ["all" if math.isinf(size) else str(math.ceil(size)) for size, _ in field]
    return sides[0] if len(set(sides)) == 1 else "x".join(sides)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _size(count: float) -> str:
    """Bytes, with a unit."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.{int(unit != 'B')}f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
