"""What a layer has learnt, and what it makes of an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from convolith import nn
from convolith.nn.utils import evaluating
from convolith.tensor import Tensor, no_grad
from convolith.viz.grid import Array, chw, sheet

_COLUMNS = 8


def filters(
    layer: nn.Conv2d,
    channel: int | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draw the filters of a convolution, each on a scale of its own.

    Parameters
    ----------
    layer : Conv2d
        With weights (K, C/G, R, S).
    channel : int, optional
        The input channel to draw; 0 if not given, but filters of three channels are in colour.
    path : path, optional
        Where to write it as a PNG file.

    Returns
    -------
    matplotlib.figure.Figure
        K images.

    Raises
    ------
    ValueError
        If there is no such channel.
    ImportError
        If matplotlib is missing.
    """
    weight = layer.weight.numpy().astype(np.float64)
    channels = weight.shape[1]
    if channel is not None and not 0 <= channel < channels:
        raise ValueError(f"filters: channel is {channel}, and the filters have {channels}")
    pictures = [chw(w if channel is None else w[channel : channel + 1]) for w in weight]
    titles = [str(number) for number in range(len(pictures))]
    return sheet("pictures", pictures, titles, min(_COLUMNS, len(pictures)), path)


def feature_maps(
    model: nn.Module,
    image: Tensor | Array,
    layers: Sequence[str] | None = None,
    limit: int = _COLUMNS,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draw what layers make of an image: a row of channels for each layer.

    Parameters
    ----------
    model : Module
        Run once in evaluation mode, and left as it was.
    image : Tensor or array
        (C, H, W), as the model was trained on; or (1, C, H, W).
    layers : sequence of str, optional
        Names from ``model.named_modules()``; every `Conv2d` if not given.
    limit : int
        Channels in a row, the first ones.
    path : path, optional
        Where to write it as a PNG file.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such layer, it was not run, or its output is no image (1, C, H, W).
    ImportError
        If matplotlib is missing.
    """
    modules = dict(model.named_modules())
    if layers is None:
        layers = [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]
    for name in layers:
        if name not in modules:
            raise ValueError(f"feature_maps: there is no layer {name!r}, only {', '.join(modules)}")
    outputs = _outputs(model, {modules[name]: name for name in layers}, image)
    pictures: list[Array | None] = []
    titles = []
    for name in layers:
        maps = outputs.get(name)
        if maps is None or maps.ndim != 4:
            found = "nothing" if maps is None else str(maps.shape)
            raise ValueError(f"feature_maps: {name} gave {found}, expected (1, C, H, W)")
        for number in range(limit):
            pictures.append(maps[0, number] if number < maps.shape[1] else None)
            titles.append(f"{name}: {number}")
    return sheet("pictures", pictures, titles, limit, path)


def _outputs(
    model: nn.Module, names: dict[nn.Module, str], image: Tensor | Array
) -> dict[str, Array]:
    """What the modules in `names` return for `image`."""
    outputs: dict[str, Array] = {}

    def keep(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        outputs[names[module]] = output.numpy().astype(np.float64)

    x = as_batch(model, image)
    handles = [module.register_forward_hook(keep) for module in names]
    try:
        with evaluating(model), no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def as_batch(model: nn.Module, image: Tensor | Array) -> Tensor:
    """`image`, (C, H, W) or (1, C, H, W), as a batch where and of the dtype that `model` is."""
    parameter = next(model.parameters())
    wide = parameter.dtype == np.float64
    x = np.asarray(image, np.float64 if wide else np.float32)
    x = x[None] if x.ndim == 3 else x
    return Tensor(x).to(parameter.device).to(parameter.dtype)
