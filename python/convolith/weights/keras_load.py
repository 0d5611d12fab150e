"""Weights of Keras into a model that has the same layers."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import nn
from convolith.weights.keras import KerasLayer, read_keras
from convolith.weights.load import LoadReport, Rename, load_weights

Arrays = dict[str, npt.NDArray[Any]]
_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def load_keras(
    model: nn.Module,
    source: str | os.PathLike[str] | Sequence[KerasLayer],
    *,
    strict: bool = True,
    rename: Rename | None = None,
) -> LoadReport:
    """Copy weights of Keras into a model with the same layers: all that fit, or, on an error, none.

    Layers are matched by `rename`, or by the names of Keras's ResNets, or else by their order:
    the n-th of a kind and shape in the file is the n-th in the model. The order of the whole has to
    agree, too: where branches come in another order, equal shapes might be taken for each other.

    A convolution's bias that the model lacks, because a batch norm follows, is subtracted from that
    batch norm's running mean. A scale or shift that Keras's batch norm lacks is 1 or 0.

    Parameters
    ----------
    model : Module
    source : path, or sequence of KerasLayer
        What `read_keras` reads, or what it returned.
    strict : bool
        Whether anything missing, unexpected or mismatched is an error.
    rename : callable, or mapping of str to str, optional
        From the name of a layer in Keras to the name of the module in the model.

    Returns
    -------
    LoadReport
        Unexpected are layers under Keras's name.

    Raises
    ------
    ValueError
        If the orders disagree; if `strict` and something did not find its place; or if the file is
        not read.
    OSError, ImportError
        As `read_keras`.
    """
    layers = read_keras(source) if isinstance(source, (str, os.PathLike)) else source
    modules = {n: m for n, m in model.named_modules() if isinstance(m, (*_WEIGHTED, *_NORMS))}
    names = _by_name(layers, rename) or _by_order(layers, modules)
    norms = dict(_followed(model))
    state: Arrays = {}
    for layer in layers:
        name = names.get(layer.name, layer.name)
        arrays = dict(layer.arrays)
        if name in modules:
            _complete(arrays, modules[name])
        state |= {f"{name}.{part}": array for part, array in arrays.items()}
    for name, norm in norms.items():
        bias, mean = f"{name}.bias", f"{norm}.running_mean"
        if bias in state and modules[name].bias is None and mean in state:
            state[mean] = state[mean] - state.pop(bias)
    return load_weights(model, state, strict=strict)


def _complete(arrays: Arrays, module: Any) -> None:
    """What a batch norm of Keras does not have."""
    if isinstance(module, _NORMS) and "running_mean" in arrays:
        for part, value in (("weight", 1), ("bias", 0)):
            if getattr(module, part) is not None:
                arrays.setdefault(part, np.full_like(arrays["running_mean"], value))


def _followed(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of every convolution and of the batch norm that is applied directly after it."""
    for prefix, module in model.named_modules():
        for chain in module.chains():
            for name, following in itertools.pairwise(chain):
                first, second = getattr(module, name), getattr(module, following)
                if isinstance(first, _WEIGHTED) and isinstance(second, _NORMS):
                    dot = f"{prefix}." if prefix else ""
                    yield dot + name, dot + following


def _by_name(layers: Sequence[KerasLayer], rename: Rename | None) -> dict[str, str]:
    """From the name of each layer to that of a module; empty if names say nothing."""
    if isinstance(rename, Mapping):
        return {layer.name: rename.get(layer.name, layer.name) for layer in layers}
    if rename is not None:
        return {layer.name: rename(layer.name) for layer in layers}
    names = {layer.name: _residual_name(layer.name) for layer in layers}
    return {} if None in names.values() else {k: v for k, v in names.items() if v is not None}


def _residual_name(name: str) -> str | None:
    """The module's name for a layer of Keras's ResNet50, ResNet101 or ResNet152."""
    if name in ("predictions", "probs"):
        return "fc"
    if match := re.fullmatch(r"conv1_(conv|bn)", name):
        return f"{match[1]}1"
    if match := re.fullmatch(r"conv(\d)_block(\d+)_(\d)_(conv|bn)", name):
        block = f"layer{int(match[1]) - 1}.{int(match[2]) - 1}"
        if match[3] == "0":
            return f"{block}.downsample.{int(match[4] == 'bn')}"
        return f"{block}.{match[4]}{match[3]}"
    return None


def _by_order(layers: Sequence[KerasLayer], modules: Mapping[str, nn.Module]) -> dict[str, str]:
    """From the name of each layer to that of the module of its kind, shape and place."""
    given: dict[Any, list[str]] = {}
    for layer in _as_made(layers):
        given.setdefault(_layer_key(layer), []).append(layer.name)
    own: dict[Any, list[str]] = {}
    for name, module in modules.items():
        own.setdefault(_module_key(module), []).append(name)
    pairs: dict[str, str] = {}
    for key, names in given.items():
        if len(names) == len(own.get(key, [])):
            pairs |= dict(zip(names, own[key], strict=True))
    _check_order(layers, pairs, modules)
    return pairs


def _check_order(
    layers: Sequence[KerasLayer], pairs: Mapping[str, str], modules: Mapping[str, nn.Module]
) -> None:
    """Layers of one kind come one after the other in the model as in the file."""
    place = {name: i for i, name in enumerate(modules)}
    last: dict[str, str] = {}  # by kind
    for layer in _as_made(layers):
        if layer.name not in pairs:
            continue
        before = last.get(layer.kind, layer.name)
        if place[pairs[before]] > place[pairs[layer.name]]:
            raise ValueError(
                f"load_keras: {before} comes before {layer.name}, but their places in the model, "
                f"{pairs[before]} and {pairs[layer.name]}, the other way round; pass rename="
            )
        last[layer.kind] = layer.name


def _as_made(layers: Sequence[KerasLayer]) -> list[KerasLayer]:
    """In the order of the numbers that Keras gives to layers without a name, if all have one."""
    numbers = [re.fullmatch(r"([a-z_]+[12]d|[a-z_]+)(?:_(\d+))?(/\w+)?", n.name) for n in layers]
    automatic = ("conv2d", "depthwise_conv2d", "separable_conv2d", "dense", "batch_normalization")
    if not all(match and match[1] in (*automatic, "predictions") for match in numbers):
        return list(layers)
    places = [int(match[2] or 0) if match else 0 for match in numbers]
    return [layers[i] for i in sorted(range(len(layers)), key=places.__getitem__)]


def _layer_key(layer: KerasLayer) -> Any:
    if layer.kind == "batch_norm":
        return "batch_norm", layer.arrays["running_mean"].shape
    weight = layer.arrays.get("weight")
    return layer.kind if weight is None else _weight_key(weight.shape)


def _module_key(module: Any) -> Any:
    if isinstance(module, _NORMS):
        return "batch_norm", (module.num_features,)
    return _weight_key(module.weight.shape)


def _weight_key(shape: tuple[int, ...]) -> Any:
    """A linear layer is a 1x1 convolution."""
    return "weight", shape[:2] if shape[2:] == (1, 1) else shape
