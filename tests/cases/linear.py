"""Linear."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from cases.table import Arguments, case, integers, normal

# Linear: leading axes of x, I, O.
LINEAR = {
    "few": ((4,), 5, 3),
    "one": ((1,), 1, 1),
    "vector": ((), 7, 9),
    "three_axes": ((2, 3), 17, 6),
    "classifier": ((5,), 515, 10),
    "blocks": ((33,), 131, 70),
    "many_rows": ((301,), 6, 5),
    "wide": ((1,), 33, 515),
    "eights": ((37,), 72, 104),
    "eights_long": ((3,), 4608, 16),
    "empty_batch": ((0,), 5, 3),
}


def _linear_rows(name: str, values: Callable[..., np.ndarray], exact: bool) -> None:
    lead, I, O = LINEAR[name]
    bias = [] if name == "three_axes" else [(O,)]
    x, w, dy = (*lead, I), (O, I), (*lead, O)
    for column, length, shapes in (
        ("forward", I, [x, w, *bias]),
        ("backward_input", O, [dy, w]),
        ("backward_weight", prod(lead), [dy, x]),
        ("backward_bias", prod(lead), [dy]),
    ):

        def build(rng: Generator, dtype: DTypeLike, shapes: Any = shapes) -> Arguments:
            return tuple(values(rng, shape, dtype) for shape in shapes), {}

        case("linear_" + column, name + "_exact" * exact, build, length, exact=exact)


for _name in LINEAR:
    _linear_rows(_name, normal, exact=False)
for _name in ("few", "vector", "blocks", "many_rows", "eights", "eights_long"):
    _linear_rows(_name, integers, exact=True)
