"""LeNet-5."""

from __future__ import annotations

from typing import Literal

from convolith import nn
from convolith.models.choices import Activation, activation_layer

Pool = Literal["avg", "max"]

_POOLS: dict[str, type[nn.AvgPool2d] | type[nn.MaxPool2d]] = {
    "avg": nn.AvgPool2d,
    "max": nn.MaxPool2d,
}


class LeNet5(nn.Sequential):
    """LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, fig. 2) for images (N, 1, 28, 28).

    The layers have the paper's names; the 32x32 input of the paper is the padding of C1. As in
    common use C3 sees all six planes of S2, the pools have no weights, and the output is linear.

    Parameters
    ----------
    activation : {'tanh', 'relu', 'sigmoid'}
    pool : {'avg', 'max'}
    num_classes : int

    Raises
    ------
    ValueError
        If a name is none of these.
    """

    def __init__(
        self, activation: Activation = "tanh", pool: Pool = "avg", num_classes: int = 10
    ) -> None:
        if pool not in _POOLS:
            raise ValueError(f"LeNet5: pool is {pool!r}, expected {' or '.join(_POOLS)}")
        pool2d = _POOLS[pool]

        def act() -> nn.Module:
            return activation_layer("LeNet5", activation)

        self.c1 = nn.Conv2d(1, 6, 5, padding=2)
        self.act1 = act()
        self.s2 = pool2d(2)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.act3 = act()
        self.s4 = pool2d(2)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.act5 = act()
        self.flatten = nn.Flatten()
        self.f6 = nn.Linear(120, 84)
        self.act6 = act()
        self.output = nn.Linear(84, num_classes)
