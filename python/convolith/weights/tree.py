"""From what a checkpoint holds to arrays by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from convolith import _pickles
from convolith.weights.tensors import Tensor

# Under which of its keys a checkpoint holds the weights, the likeliest first.
WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "params",
    "state_dict_ema",
    "model_ema",
    "params_ema",
)
LONGEST_NAME = 512
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile


def named_arrays(tree: Any) -> dict[str, npt.NDArray[Any]]:
    """The weights in a checkpoint, of which nothing else is read.

    Parameters
    ----------
    tree : object
        What the checkpoint holds: a state dict, or a dict that holds one. Dicts in a dict give
        dotted names; what has no name, or is neither tensor nor array, is passed over.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = list(_leaves(_unwrapped(tree), "", set()))
    if not found:
        raise ValueError("it holds no tensors with names")
    return {name: leaf.built() for name, leaf in without_prefix(dict(found)).items()}


def without_prefix(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The same without what a wrapper of the model has put in front of every name."""
    for prefix in PREFIXES:
        if arrays and all(name.startswith(prefix) for name in arrays):
            return without_prefix({name[len(prefix) :]: a for name, a in arrays.items()})
    return dict(arrays)


def _unwrapped(tree: Any) -> Any:
    if isinstance(tree, dict):
        for key in WRAPPERS:
            if isinstance(tree.get(key), dict) and any(_leaves(tree[key], "", set())):
                return tree[key]
    return tree


def _leaves(tree: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Name and note of each tensor; a dict that comes again is passed over."""
    if isinstance(tree, dict) and id(tree) not in seen:
        seen.add(id(tree))
        for key, value in tree.items():
            if not isinstance(key, str):
                continue
            name = prefix + key
            if len(name) > LONGEST_NAME:
                raise ValueError(f"it holds a name of {len(name)} characters")
            if isinstance(value, (Tensor, _pickles.Array)):
                yield name, value
            else:
                yield from _leaves(value, f"{name}.", seen)
