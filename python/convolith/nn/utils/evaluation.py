"""A model as it is evaluated, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convolith.nn.module import Module


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Have all parts of `model` in evaluation mode; afterwards each is in the mode that it was in.

    Parameters
    ----------
    model : Module
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
