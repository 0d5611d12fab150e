"""What may be chosen by name in several networks."""

from __future__ import annotations

from typing import Literal

from convolith import nn

Activation = Literal["tanh", "relu", "sigmoid"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def activation_layer(network: str, name: str) -> nn.Module:
    """The activation `name`, for `network`, or a ValueError."""
    if name not in ACTIVATIONS:
        known = " or ".join(ACTIVATIONS)
        raise ValueError(f"{network}: activation is {name!r}, expected {known}")
    return ACTIVATIONS[name]()
