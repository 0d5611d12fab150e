"""What a run is made of, to checkpoints and back."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import convolith
from convolith import _random
from convolith.device import is_array, to_numpy
from convolith.nn import Module
from convolith.train.callbacks.weights import AVERAGE
from convolith.train.callbacks.writing import BEST
from convolith.train.checkpoint import Arrays, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from convolith.train.trainer import Trainer

_OPTIMIZER, _CALLBACK = "optimizer.", "callback."
_AVERAGE = re.escape(_CALLBACK) + r"\d+\." + re.escape(AVERAGE) + "(.*)"

States = dict[str, dict[str, Any]]  # of parts, by number


def snapshot(trainer: Trainer) -> tuple[Arrays, dict[str, Any]]:
    """All that `restore` needs, as arrays and as what JSON can hold."""
    arrays = {name: tensor.numpy() for name, tensor in trainer.model.state_dict().items()}
    optimizer = trainer.optimizer.state_dict()
    callbacks = {i: callback.state_dict() for i, callback in enumerate(trainer.callbacks)}
    scheduler = trainer.scheduler
    info = {
        "version": convolith.__version__,
        "model": type(trainer.model).__name__,
        "optimizer": type(trainer.optimizer).__name__,
        "optimizer_state": {
            "state": _part(optimizer["state"], _OPTIMIZER, arrays),
            "param_groups": optimizer["param_groups"],
        },
        "scheduler_state": None if scheduler is None else scheduler.state_dict(),
        "callback_states": _part(callbacks, _CALLBACK, arrays),
        "precision": trainer.precision,
        "scaler_state": trainer.scaler.state_dict(),
        "random_state": _random.get_state(),
        "history": trainer.history,
        "config": trainer.config,
    }
    return arrays, info


def _part(states: dict[int, dict[str, Any]], prefix: str, arrays: Arrays) -> States:
    """Move the arrays of `states` to `arrays`, as PREFIX NUMBER.NAME; returns the rest."""
    scalars: States = {}
    for number, values in states.items():
        for name, value in values.items():
            if is_array(value):
                arrays[f"{prefix}{number}.{name}"] = to_numpy(value)
            else:
                scalars.setdefault(str(number), {})[name] = value
    return scalars


def _whole(scalars: States, prefix: str, arrays: Arrays) -> States:
    """The states that `_part` took apart."""
    states = {number: dict(values) for number, values in scalars.items()}
    for key in [key for key in arrays if key.startswith(prefix)]:
        number, name = key.removeprefix(prefix).split(".", 1)
        states.setdefault(number, {})[name] = arrays[key]
    return states


def restore(trainer: Trainer, path: str | os.PathLike[str]) -> None:
    """What `Trainer.resume` says."""
    arrays, info = load_checkpoint(path)
    own = type(trainer.optimizer).__name__
    if info["optimizer"] != own:
        raise ValueError(f"{path}: a run with {info['optimizer']}, and the optimizer is {own}")
    precision = info.get("precision", "float32")  # older checkpoints name none
    if precision != trainer.precision:
        raise ValueError(f"{path}: a run in {precision}, and this one is in {trainer.precision}")
    put_back(trainer, arrays, info, path)
    if trainer.directory is not None and not (trainer.directory / BEST).exists():
        save_checkpoint(trainer.directory / BEST, arrays, info)


def put_back(
    trainer: Trainer, arrays: Arrays, info: dict[str, Any], source: str | os.PathLike[str]
) -> None:
    """Take over what `snapshot` returned; `source` is what an error names."""
    load_arrays(trainer.model, arrays, source)
    saved = info["optimizer_state"]
    state = _whole(saved["state"], _OPTIMIZER, arrays)
    trainer.optimizer.load_state_dict({**saved, "state": state})
    if trainer.scheduler is not None:
        trainer.scheduler.load_state_dict(info["scheduler_state"])
    states = _whole(info.get("callback_states", {}), _CALLBACK, arrays)
    for number, callback in enumerate(trainer.callbacks):
        if str(number) in states:
            callback.load_state_dict(states[str(number)])
    trainer.scaler.load_state_dict(info.get("scaler_state", {}))
    trainer.history = info["history"]
    _random.set_state(tuple(info["random_state"]))


def load_model(model: Module, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load the parameters and buffers of `model` from a checkpoint of `Trainer`.

    Where the run averaged its weights (`AverageWeights`), these are the averages.

    Parameters
    ----------
    model : Module
        Changed in place, or left alone if there is an error.
    path : path

    Returns
    -------
    dict
        What else the checkpoint says: "version", "history", "config" and more.

    Raises
    ------
    ValueError
        If it is no checkpoint of such a model.
    """
    arrays, info = load_checkpoint(path)
    load_arrays(model, {**arrays, **averages(arrays)}, path)
    return info


def averages(arrays: Arrays) -> Arrays:
    """What a run averaged of the weights, by the names of the parameters."""
    found = ((re.fullmatch(_AVERAGE, key), array) for key, array in arrays.items())
    return {match[1]: array for match, array in found if match}


def load_arrays(model: Module, arrays: Arrays, path: str | os.PathLike[str]) -> None:
    """The part of `load_model` that follows reading: the arrays of the checkpoint `path`."""
    own = {k: array for k, array in arrays.items() if not k.startswith((_OPTIMIZER, _CALLBACK))}
    try:
        model.load_state_dict(own)
    except ValueError as error:
        raise ValueError(f"{path}: a checkpoint of another model: {error}") from error
