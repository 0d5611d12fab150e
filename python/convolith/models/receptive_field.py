"""Receptive fields: how much of the input an element of an output sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from convolith import nn
from convolith.models.trace import Step

# Along one axis: pixels of the input that are seen, and from one output to the next.
Axis = tuple[float | Fraction, Fraction]
Field = tuple[Axis, ...]  # of images (rows, columns); empty where it is not known

_WHOLE: Axis = (math.inf, Fraction(1))
_TRANSPOSED = nn.ConvTranspose1d | nn.ConvTranspose2d
_RESIZING = nn.Upsample | nn.PixelShuffle | nn.PixelUnshuffle | nn.MaxUnpool2d
_ADAPTIVE = (
    nn.AdaptiveAvgPool1d
    | nn.AdaptiveMaxPool1d
    | nn.AdaptiveAvgPool2d
    | nn.AdaptiveMaxPool2d
    | nn.GlobalAvgPool2d
    | nn.GlobalMaxPool2d
)
_TAPS = {"bilinear": 2, "bicubic": 4}


def receptive_fields(steps: Sequence[Step]) -> dict[Step, Field]:
    """The receptive field of every step (Araujo, Norris and Sim 2019, eq. 2 and section 3).

    From layer to layer the size r and the distance j of neighbours become r + (k - 1) j and j s,
    with window k and stride s. Where branches meet the largest counts, of those that do not see the
    whole image: the gate of squeeze-excitation would make every later field infinite. Windows are
    those of layers: what a function between layers looks at is not known.
    """
    fields: dict[Step, Field] = {}
    for step in steps:
        if step.sources:
            fields[step] = _advance(step, _largest([fields[source] for source in step.sources]))
        else:
            start: Axis = (1, Fraction(1))
            fields[step] = (start,) * (len(step.input) - 2) if step.kind == "input" else ()
    return fields


def _largest(fields: Sequence[Field]) -> Field:
    bounded = [field for field in fields if all(math.isfinite(size) for size, _ in field)]
    return tuple(
        (max(size for size, _ in axes), max(jump for _, jump in axes))
        for axes in zip(*(bounded or fields), strict=False)
    )


def _advance(step: Step, field: Field) -> Field:
    if step.module is None or not field:
        return field
    out = step.outputs[0][2:]
    if len(out) != len(field):
        return (_WHOLE,) * max(1, len(out))  # flattened
    return tuple(
        (size + (taps - 1) * jump, jump * stride)
        for (size, jump), (taps, stride) in zip(field, _windows(step, out), strict=True)
    )


def _windows(step: Step, out: Sequence[int]) -> list[tuple[float, Fraction]]:
    """How many neighbours the layer looks at along each axis, and its stride."""
    layer, sizes = step.module, list(zip(step.input[2:], out, strict=True))
    if isinstance(layer, _ADAPTIVE):
        return [
            (math.inf if p == 1 else h - (p - 1) * (h // p), Fraction(max(h // p, 1)))
            for h, p in sizes
        ]
    if isinstance(layer, _RESIZING):
        taps = _TAPS.get(getattr(layer, "mode", ""), 1)
        return [(max(taps, h // p), Fraction(h, p)) for h, p in sizes]
    options = [_per_axis(layer, name, len(out)) for name in ("kernel_size", "stride", "dilation")]
    windows: list[tuple[float, Fraction]] = []
    for kernel, stride, dilation in zip(*options, strict=True):
        taps = dilation * (kernel - 1) + 1
        if isinstance(layer, _TRANSPOSED):
            windows.append((math.ceil(taps / stride), Fraction(1, stride)))
        else:
            windows.append((taps, Fraction(stride)))
    return windows


def _per_axis(layer: Any, name: str, axes: int) -> Sequence[int]:
    """The option of that name for each axis; a layer that has none looks at one position."""
    value = getattr(layer, name, 1)
    if value is None:  # a pool's stride
        value = layer.kernel_size
    return (value,) * axes if isinstance(value, int) else tuple(value)
