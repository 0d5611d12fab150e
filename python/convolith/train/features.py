"""What a network makes of images, short of its answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from convolith._spelling import did_you_mean
from convolith.data import DataLoader, TensorDataset
from convolith.nn import Module
from convolith.nn.utils import evaluating, find_head
from convolith.tensor import Tensor, no_grad


def extract_features(
    model: Module,
    images: npt.NDArray[Any] | Tensor | DataLoader,
    layer: str | None = None,
    batch_size: int = 32,
    progress: bool = False,
) -> npt.NDArray[Any]:
    """Run images through a network and keep what one of its layers gives.

    Parameters
    ----------
    model : Module
        Run in evaluation mode and without gradients, and left as it was.
    images : (N, C, H, W), or DataLoader
        Of a loader's batches the first array is taken.
    layer : str, optional
        A name from ``model.named_modules()``, for its output; if not given, what the last layer
        (`nn.utils.find_head`) gets, the features that the network decides by.
    batch_size : int
        Of images that are no loader.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    (N, ...) array
        In the order of the images, or of the loader.

    Raises
    ------
    ValueError
        If there are no images, no such layer, or the layer is no part of the forward pass.
    """
    from tqdm import tqdm

    if isinstance(images, DataLoader):
        loader = images
    else:
        loader = DataLoader(TensorDataset(images), batch_size)
    modules = dict(model.named_modules())
    name = find_head(model)[0] if layer is None else layer
    if name not in modules:
        raise ValueError(
            f"extract_features: there is no layer {name!r}{did_you_mean(name, modules)}"
        )
    seen: list[npt.NDArray[Any]] = []

    def keep(module: Module, args: tuple[Any, ...], output: Any) -> None:
        seen.append(np.asarray(args[0] if layer is None else output))

    parameter = next(model.parameters())
    batches = []
    handle = modules[name].register_forward_hook(keep)
    hidden = None if progress else True  # None: unless standard error is a terminal
    try:
        with evaluating(model), no_grad():
            for first, *_ in tqdm(loader, unit=" batches", disable=hidden, dynamic_ncols=True):
                model(first.to(parameter.device))
                if not seen:
                    raise ValueError(
                        f"extract_features: the layer {name!r} is no part of the forward pass"
                    )
                batches.append(seen[-1])
                seen.clear()
    finally:
        handle.remove()
    if not batches:
        raise ValueError("extract_features: there are no images")
    return np.concatenate(batches)
