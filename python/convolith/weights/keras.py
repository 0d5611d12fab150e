"""Weights that Keras wrote as HDF5, in PyTorch's names and layouts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class KerasLayer:
    """A layer with weights.

    Parameters
    ----------
    name : str
        Keras's; of a separable convolution with ``/depthwise`` or ``/pointwise`` behind it.
    kind : {'conv', 'depthwise', 'conv_transpose', 'dense', 'batch_norm', 'other'}
    arrays : dict of str to array
        What PyTorch calls ``weight``, ``bias``, ``running_mean`` and ``running_var``, in its
        layouts. Of other layers what Keras has.
    """

    name: str
    kind: str
    arrays: Arrays


# By Keras's class in lower case; groups of Keras 3 have its words with lines between them.
_KINDS = {
    "conv1d": "conv",
    "conv2d": "conv",
    "depthwiseconv2d": "depthwise",
    "separableconv2d": "separable",
    "conv2dtranspose": "conv_transpose",
    "dense": "dense",
    "batchnormalization": "batch_norm",
    "flatten": "flatten",
}
_VARIABLES = {
    "conv": ("kernel", "bias"),
    "depthwise": ("depthwise_kernel", "bias"),
    "separable": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "conv_transpose": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
}
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def read_keras(path: str | os.PathLike[str], *, flattened: int | None = None) -> list[KerasLayer]:
    """The layers in a file of weights, or of a whole model, that Keras 2 or 3 wrote as HDF5.

    Kernels (R, S, C, K) become (K, C, R, S), those of depthwise convolutions (R, S, C, M) become
    (C M, 1, R, S), and of dense layers (C, K) become (K, C). Keras flattens an image as (H, W, C)
    and PyTorch as (C, H, W), so where there is a layer Flatten the inputs of the first dense layer
    are put in PyTorch's order.

    Parameters
    ----------
    path : path
    flattened : int, optional
        C of the image that is flattened, by default the channels of the last convolution before the
        first dense layer, which is wrong behind a concatenation. 1 leaves the order as it is.

    Returns
    -------
    list of KerasLayer
        In the order of the model. Files ``.weights.h5`` of Keras 3 do not keep it: there in the
        order of their names for each kind of layer.

    Raises
    ------
    ValueError
        Naming the file, if it is no HDF5 file or not one of Keras.
    OSError
        If it cannot be read.
    ImportError
        If h5py is missing.
    """
    size = Path(path).stat().st_size
    h5py = _h5py()
    if not h5py.is_hdf5(path):
        raise ValueError(f"{path}: no HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            found = list(_layers(file, size))
            layers = [layer for entry in found for layer in _converted(*entry)]
    except Exception as error:  # a broken file raises nearly anything
        raise ValueError(f"{path}: not read as weights of Keras: {error}") from error
    if not layers:
        raise ValueError(f"{path}: an HDF5 file, but without layers of Keras")
    flattens = any(kind == "flatten" or "flatten" in name for name, kind, _ in found)
    return _flattened(layers, flattened) if flattens or flattened else layers


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError("reading files of Keras needs h5py: pip install h5py") from error
    return h5py


def _layers(file: Any, size: int) -> Iterator[tuple[str, str, Arrays]]:
    """Name, kind and Keras's arrays of each layer."""
    room = [size]  # what is not compressed takes no more memory than the file
    root = file.get("model_weights", file)
    if "layer_names" in root.attrs:
        kinds = _kinds(file.attrs.get("model_config", "{}"))
        for name in _texts(root.attrs["layer_names"]):
            group = root[name]
            names = _texts(group.attrs["weight_names"])
            yield name, kinds.get(name, ""), {_variable(n): _array(group[n], room) for n in names}
    else:
        for group in sorted(_groups(file), key=lambda group: _by_number(group.name)):
            name = _texts([group["vars"].attrs.get("name", group.name)])[0]
            places = sorted(group["vars"], key=int)
            arrays = [_array(group["vars"][place], room) for place in places]
            words = re.sub(r"_\d+$", "", group.name.split("/")[-1])
            kind = _KINDS.get(words.replace("_", ""), "other")
            yield name, kind, dict(zip(_variables(kind, arrays), arrays, strict=True))


def _kinds(config: str | bytes) -> dict[str, str]:
    """By the name of each layer, in the description of a whole model; none if there is none."""
    inner = json.loads(config).get("config", {})
    layers = inner if isinstance(inner, list) else inner.get("layers", [])
    return {n["config"]["name"]: _KINDS.get(n["class_name"].lower(), "other") for n in layers}


def _groups(group: Any) -> Iterator[Any]:
    """Those of layers, of Keras 3."""
    for name, part in group.items():
        if hasattr(part, "items") and name != "vars":
            if "vars" in part:
                yield part
            yield from _groups(part)


def _by_number(name: str) -> list[Any]:
    """So that conv2d_10 comes behind conv2d_9, and conv2d before conv2d_1."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if part.isdigit() else part for part in parts]


def _variables(kind: str, arrays: list[Any]) -> tuple[str, ...]:
    """The names of a layer's arrays, of which Keras 3 keeps the order alone."""
    if kind == "batch_norm":
        return {4: _NORM, 3: _NORM[1:], 2: _NORM[2:]}[len(arrays)]
    if kind in _VARIABLES:
        return _VARIABLES[kind][: len(arrays)]
    return tuple(map(str, range(len(arrays))))


def _texts(values: Any) -> list[str]:
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values]


def _variable(name: str) -> str:
    """conv2d/kernel:0 is kernel."""
    return name.split("/")[-1].split(":")[0]


def _array(dataset: Any, room: list[int]) -> npt.NDArray[Any]:
    room[0] -= dataset.size * dataset.dtype.itemsize
    if room[0] < 0:
        raise ValueError("its arrays are larger than the file")
    return np.asarray(dataset[()])


def _converted(name: str, kind: str, arrays: Arrays) -> Iterator[KerasLayer]:
    """A Keras layer as PyTorch's, a separable convolution as two; nothing without arrays."""
    kind = kind or _kind(name, arrays)
    bias = {"bias": arrays["bias"]} if "bias" in arrays else {}
    kernel = arrays.get("kernel", arrays.get("depthwise_kernel"))
    if kind == "batch_norm":
        names = ("weight", "bias", "running_mean", "running_var")
        pairs = zip(names, _NORM, strict=True)
        yield KerasLayer(name, kind, {ours: arrays[k] for ours, k in pairs if k in arrays})
    elif kind == "separable" and kernel is not None:
        yield KerasLayer(f"{name}/depthwise", "depthwise", {"weight": _depthwise(kernel)})
        weight = _turned(arrays["pointwise_kernel"])
        yield KerasLayer(f"{name}/pointwise", "conv", {"weight": weight, **bias})
    elif kind == "depthwise" and kernel is not None:
        yield KerasLayer(name, kind, {"weight": _depthwise(kernel), **bias})
    elif kernel is not None and kind != "other":
        yield KerasLayer(name, kind, {"weight": _turned(kernel), **bias})
    elif arrays:
        yield KerasLayer(name, "other", arrays)


def _kind(name: str, arrays: Mapping[str, Any]) -> str:
    """From the name of a layer and its arrays, where its class is not known."""
    if "moving_mean" in arrays:
        return "batch_norm"
    if "pointwise_kernel" in arrays:
        return "separable"
    if "depthwise_kernel" in arrays or "depthwise" in name:
        return "depthwise"
    if "transpose" in name:
        return "conv_transpose"
    kernel = arrays.get("kernel")
    return "dense" if kernel is not None and kernel.ndim == 2 else "conv"


def _turned(kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(..., C, K) to (K, C, ...)."""
    last = kernel.ndim - 1
    return np.ascontiguousarray(kernel.transpose(last, last - 1, *range(last - 1)))


def _depthwise(kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(R, S, C, M) to (C M, 1, R, S)."""
    r, s, c, m = kernel.shape
    return np.ascontiguousarray(kernel.reshape(r, s, 1, c * m).transpose(3, 2, 0, 1))


def _flattened(layers: list[KerasLayer], channels: int | None) -> list[KerasLayer]:
    """The inputs of the first dense layer as PyTorch flattens them."""
    first = next((i for i, layer in enumerate(layers) if layer.kind == "dense"), None)
    if first is None:
        return layers
    before = [layer for layer in layers[:first] if layer.kind in ("conv", "depthwise")]
    if channels is None and before:
        channels = len(before[-1].arrays["weight"])
    name, weight = layers[first].name, layers[first].arrays["weight"]
    inputs = weight.shape[1]
    if channels is None or channels == 1 or inputs == channels:
        return layers
    if inputs % channels:
        raise ValueError(
            f"read_keras: {name} has {inputs} inputs, no multiple of {channels} channels; pass "
            "flattened="
        )
    image = weight.reshape(len(weight), inputs // channels, channels)
    turned = np.ascontiguousarray(image.swapaxes(1, 2)).reshape(weight.shape)
    changed = KerasLayer(name, "dense", {**layers[first].arrays, "weight": turned})
    return [*layers[:first], changed, *layers[first + 1 :]]
