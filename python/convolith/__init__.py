"""convolith: CNN primitives as hand-written kernels, under a thin Python layer.

Arrays in, arrays out: `convolith.primitives`; what each means: `convolith.reference`. Networks:
`convolith.nn`, `optim`, `data`, `models`, `weights`, `metrics`, `train`, `viz`, with PyTorch's
names and defaults. Those are imported at first use, so that ``import convolith`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convolith._C import build_info, get_num_threads, set_num_threads
from convolith._random import manual_seed
from convolith.algorithms import exact
from convolith.amp import autocast
from convolith.config import show_config
from convolith.device import bfloat16, devices, synchronize
from convolith.tensor import Tensor, from_dlpack, is_grad_enabled, no_grad, tensor

if TYPE_CHECKING:
    from convolith import (
        amp,
        cuda,
        data,
        emu,
        filters,
        metrics,
        models,
        nn,
        optim,
        primitives,
        reference,
        train,
        viz,
        weights,
    )
    from convolith import onnx as onnx  # not in __all__: it needs the package onnx

__version__ = build_info()["version"]

_SUBMODULES = (
    "amp",
    "cuda",
    "data",
    "emu",
    "filters",
    "metrics",
    "models",
    "nn",
    "onnx",
    "optim",
    "primitives",
    "reference",
    "train",
    "viz",
    "weights",
)

__all__ = [
    "Tensor",
    "__version__",
    "amp",
    "autocast",
    "bfloat16",
    "cuda",
    "data",
    "devices",
    "emu",
    "exact",
    "filters",
    "from_dlpack",
    "get_num_threads",
    "is_grad_enabled",
    "manual_seed",
    "metrics",
    "models",
    "nn",
    "no_grad",
    "optim",
    "primitives",
    "reference",
    "set_num_threads",
    "show_config",
    "synchronize",
    "tensor",
    "train",
    "viz",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"convolith.{name}")
    raise AttributeError(f"module 'convolith' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
