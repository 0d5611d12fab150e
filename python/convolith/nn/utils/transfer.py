"""A trained network for another task: frozen parts, a new head, learning rates for each part.

Patterns are those of `fnmatch` and name parameters: ``"features.*"``, ``"*.bias"``. A star goes
across dots.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from convolith._spelling import did_you_mean
from convolith.nn.conv import Conv2d
from convolith.nn.linear import Linear
from convolith.nn.module import Buffer, Module, Parameter


def freeze(model: Module, *patterns: str) -> list[str]:
    """Keep parameters as they are: they require no gradient, and no optimizer changes them.

    A layer with running statistics (batch norm) of which all parameters are frozen is frozen as a
    whole: it stays in evaluation mode, whatever `Module.train` is called on, so that the statistics
    of another task neither replace nor change what it has learnt. `unfreeze` ends that.

    Parameters
    ----------
    model : Module
    *patterns : str
        Names of parameters, see above; all of them if none is given.

    Returns
    -------
    list of str
        The names of the parameters that the patterns match.

    Raises
    ------
    ValueError
        If a pattern matches no parameter; it names the nearest that there is.
    """
    return _set_frozen("freeze", model, patterns, True)


def unfreeze(model: Module, *patterns: str) -> list[str]:
    """Let parameters learn again: arguments, result and errors are those of `freeze`.

    Layers with running statistics follow the mode of the model again, from now on.
    """
    return _set_frozen("unfreeze", model, patterns, False)


def _set_frozen(who: str, model: Module, patterns: tuple[str, ...], frozen: bool) -> list[str]:
    parameters = dict(model.named_parameters())
    names: dict[str, None] = {}
    for pattern in patterns or ("*",):
        names.update(dict.fromkeys(_matching(who, parameters, pattern)))
    for name in names:
        parameters[name].requires_grad = not frozen
        parameters[name].grad = None
    for module in model.modules():
        own = list(vars(module).values())
        learnt = [part for part in own if isinstance(part, Parameter)]
        if learnt and any(isinstance(part, Buffer) for part in own):
            was, module.frozen = module.frozen, not any(p.requires_grad for p in learnt)
            if module.frozen != was:
                module.training = model.training and not module.frozen
    return list(names)


def _matching(who: str, names: Mapping[str, object], pattern: str) -> list[str]:
    """Those of `names` that `pattern` matches, at least one."""
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise ValueError(f"{who}: no parameter matches {pattern!r}{did_you_mean(pattern, names)}")
    return found


def parameter_groups(model: Module, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """Groups for an optimizer, each with a learning rate of its own.

    ``optim.Adam(parameter_groups(model, {"classifier.*": 1e-3, "features.*": 1e-5}))``.

    Parameters
    ----------
    model : Module
        Its frozen parameters are left out.
    rates : mapping of str to float
        From a pattern to the learning rate of what it matches and no pattern before it does.

    Returns
    -------
    list of dict
        A group for each pattern that is left with a parameter, then one with what no pattern
        matches, which has the optimizer's learning rate.

    Raises
    ------
    ValueError
        If a pattern matches no parameter; it names the nearest that there is.
    """
    named = dict(model.named_parameters())
    left = {name: parameter for name, parameter in named.items() if parameter.requires_grad}
    groups: list[dict[str, Any]] = []
    for pattern, rate in rates.items():
        names = [name for name in _matching("parameter_groups", named, pattern) if name in left]
        groups.append({"params": [left.pop(name) for name in names], "lr": rate})
    groups.append({"params": list(left.values())})
    return [group for group in groups if group["params"]]


def find_head(model: Module) -> tuple[str, Linear | Conv2d]:
    """The layer that makes the logits: the last one with parameters, as a model defines them.

    Parameters
    ----------
    model : Module

    Returns
    -------
    name, layer : str, Linear or Conv2d

    Raises
    ------
    ValueError
        If that layer is neither a `Linear` nor a 1x1 `Conv2d`.
    """
    layers = [(name, m) for name, m in model.named_modules() if _has_parameters(m)]
    name, layer = layers[-1] if layers else ("", model)
    if isinstance(layer, Linear) or (isinstance(layer, Conv2d) and layer.kernel_size == (1, 1)):
        return name, layer
    raise ValueError(
        f"find_head: the last layer of {type(model).__name__} with parameters is "
        f"{name or 'itself'}, {type(layer).__name__}; expected a Linear or a 1x1 Conv2d"
    )


def _has_parameters(module: Module) -> bool:
    return any(isinstance(part, Parameter) for part in vars(module).values())


def replace_head(model: Module, num_classes: int) -> str:
    """Give `model` a new last layer, for another number of classes.

    The last layer (`find_head`) makes way for a new one of its kind, with new parameters. Heads
    that are there for training alone (parts named aux..., of GoogLeNet and Inception v3) are taken
    off: they are for the old classes.

    Parameters
    ----------
    model : Module
    num_classes : int

    Returns
    -------
    str
        The name of the layer: ``unfreeze(model, f"{name}.*")``.

    Raises
    ------
    ValueError
        If `num_classes` is below 1, or there is no such layer.
    """
    name, old = find_head(model)
    bias, dtype, device = old.bias is not None, old.weight.dtype, old.weight.device
    new: Linear | Conv2d
    if isinstance(old, Linear):
        new = Linear(old.in_features, num_classes, bias)
    else:
        new = Conv2d(
            old.in_channels, num_classes, 1, old.stride, bias=bias, activation=old.activation
        )
    new.training = old.training
    owner, _, last = name.rpartition(".")
    setattr(dict(model.named_modules())[owner], last, new.to(device).to(dtype))
    for part, _ in list(model.named_children()):
        if part.lower().startswith("aux"):
            setattr(model, part, None)
    return name
