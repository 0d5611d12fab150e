"""Weights from elsewhere into a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from convolith import nn
from convolith.device import Array, to_numpy
from convolith.tensor import Tensor
from convolith.weights.read import read_weights
from convolith.weights.tree import without_prefix

Rename = Callable[[str], str] | Mapping[str, str]


@dataclass(frozen=True)
class LoadReport:
    """What became of the arrays of a source and the entries of a model.

    Parameters
    ----------
    loaded : list of str
        Entries of the model that have their values from the source.
    missing : list of str
        Entries of the model that the source lacks; they stay as they are.
    unexpected : list of str
        Arrays of the source that the model has no entry for.
    mismatched : list of str
        Entries that both have, with both shapes or dtypes; they stay as they are.
    in_order : bool
        Whether no name was the same, and arrays were matched by their order.
    """

    loaded: list[str]
    missing: list[str]
    unexpected: list[str]
    mismatched: list[str]
    in_order: bool = False

    def __str__(self) -> str:
        said = [f"{len(self.loaded)} loaded{' in order' if self.in_order else ''}"]
        for word in ("missing", "unexpected", "mismatched"):
            entries = getattr(self, word)
            if entries:
                said.append(f"{len(entries)} {word} ({_some(entries)})")
        return ", ".join(said)

    @property
    def complete(self) -> bool:
        """Whether everything found its place."""
        return not (self.missing or self.unexpected or self.mismatched)


def load_weights(
    model: nn.Module,
    source: str | os.PathLike[str] | Mapping[str, Tensor | npt.NDArray[Any]],
    *,
    strict: bool = True,
    rename: Rename | None = None,
) -> LoadReport:
    """Copy weights from elsewhere into a model: all that fit, or, on an error, none.

    Floating values are cast to the dtype that the model has. A weight (K, C) and one (K, C, 1, 1)
    are the same, as a linear layer and a 1x1 convolution are. Counters of batches
    (``num_batches_tracked``), which old files do not have, may be missing.

    Where not one name is the same, for another library wrote the same network, arrays are taken in
    their order, if from the first to the last each has the shape and the last part of the name
    (``weight``, ``running_mean``) of the model's.

    Parameters
    ----------
    model : Module
    source : path, or mapping of str to Tensor or array
        A file that `read_weights` reads, or what it returned.
    strict : bool
        Whether anything missing, unexpected or mismatched is an error.
    rename : callable, or mapping of str to str, optional
        From a name in the source, as `read_weights` gives it, to the model's; or from how names
        begin to how they shall begin, of which the longest that fits is taken:
        ``{"backbone.": "", "head.": "fc."}``.

    Returns
    -------
    LoadReport

    Raises
    ------
    ValueError
        If `strict` and something did not find its place; if nothing did; if two arrays are renamed
        to the same name; or if the file cannot be read as weights.
    OSError
        If the file cannot be read.
    """
    given = source if isinstance(source, Mapping) else read_weights(source)
    arrays = _renamed(without_prefix(given), rename)
    own = model.state_dict()
    report, fitting = _compared(own, arrays)
    if not own.keys() & arrays.keys() and (ordered := _in_order(own, arrays)):
        report, fitting = _compared(own, ordered)
        report = replace(report, in_order=True)
    name = type(model).__name__
    if not report.loaded or (strict and not report.complete):
        raise ValueError(f"load_weights: the weights do not fit {name}: {report}")
    model.load_state_dict(fitting, strict=False)
    return report


def _renamed(arrays: Mapping[str, Any], rename: Rename | None) -> dict[str, Array]:
    """Every array under the name that it has in the model."""
    result: dict[str, Array] = {}
    for name, value in arrays.items():
        new = _new_name(name, rename)
        if new in result:
            raise ValueError(f"load_weights: two arrays are renamed to {new}")
        result[new] = value._array if isinstance(value, Tensor) else np.asarray(value)
    return result


def _new_name(name: str, rename: Rename | None) -> str:
    if rename is None:
        return name
    if not isinstance(rename, Mapping):
        return rename(name)
    beginnings = [beginning for beginning in rename if name.startswith(beginning)]
    if not beginnings:
        return name
    longest = max(beginnings, key=len)
    return rename[longest] + name[len(longest) :]


def _in_order(own: Mapping[str, Tensor], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """`arrays` under the model's names, if one by one they are of its kinds; else nothing."""

    def kinds(entries: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return [
            (name.split(".")[-1], *_without_ones(value.shape))
            for name, value in entries.items()
            if not _may_be_missing(name)
        ]

    if kinds(own) != kinds(arrays):
        return {}
    needed = (name for name in own if not _may_be_missing(name))
    given = (value for name, value in arrays.items() if not _may_be_missing(name))
    return dict(zip(needed, given, strict=True))


def _compared(
    own: Mapping[str, Tensor], arrays: Mapping[str, Array]
) -> tuple[LoadReport, dict[str, Tensor]]:
    fitting: dict[str, Tensor] = {}
    mismatched = []
    for name in own:
        if name in arrays:
            fitted = _fitted(arrays[name], own[name])
            if fitted is not None:
                fitting[name] = fitted
            else:
                mismatched.append(f"{name}: {_kind(arrays[name])} for {_kind(own[name])}")
    missing = [name for name in own if name not in arrays and not _may_be_missing(name)]
    unexpected = [name for name in arrays if name not in own]
    return LoadReport(list(fitting), missing, unexpected, mismatched), fitting


def _fitted(array: Array, tensor: Tensor) -> Tensor | None:
    """`array` in the shape and dtype of `tensor`, or None if it is something else."""
    if _without_ones(array.shape) != _without_ones(tensor.shape):
        return None
    if (array.dtype.kind == "f") != (tensor.dtype.kind == "f"):
        return None
    values = to_numpy(array).reshape(tensor.shape)
    if tensor.device == "cpu":
        return Tensor(values.astype(tensor.dtype))
    return Tensor(values.astype(np.float32)).to(tensor.device).to(tensor.dtype)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(K, C, 1, 1) as (K, C); others as they are."""
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else shape


def _may_be_missing(name: str) -> bool:
    return name.split(".")[-1] == "num_batches_tracked"


def _kind(array: Any) -> str:
    return f"{array.dtype} {tuple(array.shape)}"


def _some(entries: list[str]) -> str:
    """The first of them."""
    shown = ", ".join(entries[:6])
    return f"{shown}, ..." if len(entries) > 6 else shown
