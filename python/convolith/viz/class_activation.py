"""Where a network sees what it names, by its own features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import nn, primitives
from convolith._spelling import did_you_mean
from convolith.nn.utils import evaluating
from convolith.tensor import Tensor, no_grad
from convolith.viz.grid import Array
from convolith.viz.layers import as_batch

Map = npt.NDArray[np.float32]


def class_activation(
    model: nn.Module,
    image: Tensor | Array,
    target: int | None = None,
    layer: str | None = None,
) -> Map:
    """How much each place of an image speaks for a class: Grad-CAM (Selvaraju et al. 2017).

    The channels of a layer are added, each with a weight that is the mean gradient of the class's
    logit over its positions, and what is negative is cut off. Where global average pooling and a
    linear layer follow, that is the class activation map of Zhou et al. 2016 divided by the number
    of positions.

    Parameters
    ----------
    model : Module
        Images to logits; run in evaluation mode, and left as it was, gradients included.
    image : Tensor or array
        (C, H, W), as the model was trained on; or (1, C, H, W).
    target : int, optional
        The class; the most probable one if not given.
    layer : str, optional
        Whose output is looked at, a name from ``model.named_modules()``; if not given, the last one
        that gives channels (1, C, P, Q) with more than one position.

    Returns
    -------
    (H, W) float32
        In units of the logit for each position of the layer, scaled up bilinearly.

    Raises
    ------
    ValueError
        If there is no such class, or no such layer, or the layer's output is of another shape.
    """
    x = as_batch(model, image)
    with evaluating(model), _without_gradients(model):
        chosen = _last_maps(model, x) if layer is None else _named(model, layer)
        logits, maps = _from_here(model, chosen, x)
        target = class_of("class_activation", logits, target)
        gradient = np.zeros(logits.shape, np.float32)
        gradient[0, target] = 1
        logits.backward(Tensor(gradient).to(logits.device).to(logits.dtype))
    assert maps.grad is not None
    channels, slopes = maps.numpy().astype(np.float32), maps.grad.numpy().astype(np.float32)
    weights = slopes.mean((2, 3), keepdims=True)
    coarse = np.maximum((weights * channels).sum(1, keepdims=True), 0)
    size = (x.shape[2], x.shape[3])
    fine = primitives.interpolate2d_forward(coarse, size=size, mode="bilinear")
    return np.asarray(fine[0, 0])


def class_of(who: str, logits: Tensor | Array, target: int | None) -> int:
    """`target`, if `logits` (1, classes) has it; the most probable class if it is None."""
    if logits.ndim != 2:
        raise ValueError(f"{who}: the model gave {logits.shape}, expected logits (1, classes)")
    classes = logits.shape[1]
    if target is None:
        return int(np.asarray(logits)[0].argmax())
    if not 0 <= target < classes:
        raise ValueError(f"{who}: target is {target}, and the model has {classes} classes")
    return target


@contextmanager
def _without_gradients(model: nn.Module) -> Iterator[None]:
    """No parameter requires a gradient, so that none gets one."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad = True


def _named(model: nn.Module, layer: str) -> nn.Module:
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ValueError(
            f"class_activation: there is no layer {layer!r}{did_you_mean(layer, modules)}"
        )
    return modules[layer]


def _last_maps(model: nn.Module, x: Tensor) -> nn.Module:
    """The last part of `model` that gives channels with more than one position."""
    found: list[nn.Module] = []

    def look(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and max(output.shape[2:]) > 1:
            found.append(module)

    handles = [module.register_forward_hook(look) for module in model.modules()]
    try:
        with no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError(
            "class_activation: no layer gives channels with more than one position "
            f"for an image {x.shape[1:]}"
        )
    return found[-1]


def _from_here(model: nn.Module, layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the output of `layer`, where the tape begins."""
    leaves: list[Tensor] = []

    def begin(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        if output.ndim != 4:
            raise ValueError(
                f"class_activation: the layer gave {output.shape}, expected (1, C, P, Q)"
            )
        leaves.append(Tensor(output.detach()._array, requires_grad=True))
        return leaves[-1]

    handle = layer.register_forward_hook(begin)
    try:
        logits: Tensor = model(x)
    finally:
        handle.remove()
    if not leaves:
        raise ValueError("class_activation: the layer is no part of the forward pass")
    return logits, leaves[-1]
