"""What optimizers share: groups of parameters with options, and a state per parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from convolith import _C
from convolith.device import Array, assign, device_of, is_array, to_numpy, zeros_like
from convolith.tensor import Tensor

State = dict[str, Any]
NUMBERS = {"step": int, "mu_product": float}  # states that are no arrays
COMMON = ("lr", "weight_decay", "l1", "maximize")  # options of every primitive
AT_LEAST_ZERO = (
    *("lr", "weight_decay", "l1", "momentum", "eps", "lr_decay", "momentum_decay"),
    *("initial_accumulator_value", "trust_coefficient"),
)


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
        self.defaults = dict(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, State] = {}
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Optimize more parameters from now on: to unfreeze layers of a network, for instance.

        Parameters
        ----------
        param_group : dict
            "params", one or several, and options that differ from the defaults.

        Raises
        ------
        ValueError
            If a parameter is here already, or an option is out of range.
        """
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        every = [id(param) for param in (*self._params(), *params)]
        if len(set(every)) < len(every):
            raise ValueError(f"{type(self).__name__}: a parameter is given more than once")
        group = {**self.defaults, **param_group, "params": params}
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError if an option of `group` is out of range."""
        for name in AT_LEAST_ZERO:
            if group.get(name, 0) < 0:
                raise ValueError(
                    f"{type(self).__name__}: {name} is {group[name]}, expected at least 0"
                )
        for beta in group.get("betas", ()):
            if not 0 <= beta < 1:
                raise ValueError(
                    f"{type(self).__name__}: betas are {group['betas']}, expected 0 <= beta < 1"
                )

    def update(self, param: Array, grad: Array, state: State, group: Mapping[str, Any]) -> None:
        """Change `param` in place; `state` is empty the first time."""
        raise NotImplementedError

    # What an `update` is made of

    def zeros(self, param: Array) -> Array:
        """What a state begins with, of the shape of `param`."""
        if _C.is_capturing(device_of(param)):
            raise RuntimeError(
                f"{type(self).__name__}: its first step makes its state and cannot be captured; "
                "take one before the graph block"
            )
        return zeros_like(param)

    def arrays(self, state: State, param: Array, *names: str) -> list[Array]:
        """The states of these names, zeros at first."""
        for name in names:
            if name not in state:
                state[name] = self.zeros(param)
        return [state[name] for name in names]

    def count(self, state: State, param: Array) -> int:
        """The number of this step, from 1."""
        if _C.is_capturing(device_of(param)):
            hint = "; pass capturable=True" if "capturable" in self.defaults else ""
            raise RuntimeError(f"{type(self).__name__}: a graph cannot count steps in Python{hint}")
        number: int = state.get("step", 0) + 1
        state["step"] = number
        return number

    def options(self, group: Mapping[str, Any], *names: str) -> dict[str, Any]:
        """The options of these names, and those that every primitive takes."""
        options = {name: group[name] for name in (*names, *COMMON)}
        if "betas" in group:
            options["beta1"], options["beta2"] = group["betas"]
        return options

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Called first: forgets the gradients, computes the loss and calls its ``backward()``.

        Returns
        -------
        object
            What `closure` returns, usually the loss; None without one.
        """
        loss = None if closure is None else closure()
        number = 0
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    state = self.state.setdefault(number, {})
                    self.update(param._array, param.grad._array, state, group)
                number += 1
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; or fill them with 0, in place."""
        for param in self._params():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                assign(param.grad._array, zeros_like(param.grad._array))

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """State and options, with parameters by number; the arrays are shared, not copied.

        Layout and keys are PyTorch's. "step" is an int where PyTorch has a tensor, and the arrays
        are NumPy's or a device's.
        """
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

        It may be PyTorch's, whose tensors are read as arrays.

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
        owners = [group for group in groups for _ in group["params"]]
        for key, values in state_dict["state"].items():
            number = int(key)
            state[number] = {
                name: self._loaded(name, value, number, params[number], owners[number])
                for name, value in values.items()
                if value is not None
            }
        self.state = state
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update({name: value for name, value in group.items() if name != "params"})

    def _loaded(
        self, name: str, value: Any, number: int, param: Tensor, group: Mapping[str, Any]
    ) -> Any:
        """A copy of a state of parameter `number`, on the device of that."""
        array = value if is_array(value) else np.asarray(value)
        if name in NUMBERS:
            count = NUMBERS[name](to_numpy(array).item())
            if not group.get("capturable"):
                return count
            array = np.array(count)
        elif array.shape != param.shape:
            raise ValueError(
                f"{type(self).__name__}: {name} of parameter {number} is {array.shape} "
                f"and the parameter {param.shape}"
            )
        return _C.to_device(array, param.device)
