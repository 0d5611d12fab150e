"""What optimizers share: groups of parameters with options, and a state per parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convolith import _C
from convolith.device import Array, device_of, is_array, zeros_like
from convolith.tensor import Tensor

State = dict[str, Any]


class Optimizer:
    """Base of the optimizers; a subclass defines `update`.

    Parameters of a half work on a device: a step is computed in float32 and rounded, the state is
    of the same half. But a step of less than half a unit in the last place (a relative 2^-9 of
    bfloat16, 2^-12 of float16) is lost, and Adam's squares vanish below 6e-8 in float16: to train,
    keep parameters in float32 and compute in halves by `convolith.autocast`.

    Parameters
    ----------
    params : iterable of Parameter, or of dict
        A dict is a group: its "params", and options that differ from the defaults.
    defaults : dict
        The options of every group.

    Attributes
    ----------
    param_groups : list of dict
        "params" and the options of each group; change ``group["lr"]`` at any time.
    state : dict
        What is kept for each parameter, by its number in order.

    Raises
    ------
    ValueError
        If there are no parameters, or an option is out of range.
    """

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        given = list(params)
        if not given:
            raise ValueError(f"{type(self).__name__}: there are no parameters to optimize")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        self.param_groups: list[dict[str, Any]] = [
            {**defaults, **group, "params": list(group["params"])} for group in groups
        ]
        self.state: dict[int, State] = {}
        for group in self.param_groups:
            self.check(group)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError if an option of `group` is out of range."""
        for name in ("lr", "weight_decay", "momentum", "eps"):
            if group.get(name, 0) < 0:
                raise ValueError(
                    f"{type(self).__name__}: {name} is {group[name]}, expected at least 0"
                )

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """Change `param` in place; `state` is empty the first time."""
        raise NotImplementedError

    def zeros(self, param: Array) -> Array:
        """What a state begins with, of the shape of `param`."""
        if _C.is_capturing(device_of(param)):
            raise RuntimeError(
                f"{type(self).__name__}: its first step makes its state and cannot be captured; "
                "take one before the graph block"
            )
        return zeros_like(param)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        number = 0
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    state = self.state.setdefault(number, {})
                    self.update(param._array, param.grad._array, state, group)
                number += 1

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for param in group["params"]:
                param.grad = None

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """State and options, with parameters by number; the arrays are shared, not copied."""
        groups, number = [], 0
        for group in self.param_groups:
            count = len(group["params"])
            groups.append({**group, "params": list(range(number, number + count))})
            number += count
        return {
            "state": {i: dict(state) for i, state in self.state.items()},
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of an equal optimizer returned; the arrays are copied.

        Raises
        ------
        ValueError
            If the groups or the shapes differ; then nothing is changed.
        """
        params = self._params()
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        given = [len(group["params"]) for group in groups]
        if sizes != given:
            raise ValueError(
                f"{type(self).__name__}: the state is for groups of {given} parameters "
                f"and the optimizer has {sizes}"
            )
        state: dict[int, State] = {}
        for key, values in state_dict["state"].items():
            number = int(key)
            for name, value in values.items():
                if is_array(value) and value.shape not in (params[number].shape, ()):
                    raise ValueError(
                        f"{type(self).__name__}: {name} of parameter {number} is {value.shape} "
                        f"and the parameter {params[number].shape}"
                    )
            state[number] = {
                name: _C.to_device(value, params[number].device) if is_array(value) else value
                for name, value in values.items()
            }
        self.state = state
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update({name: value for name, value in group.items() if name != "params"})
