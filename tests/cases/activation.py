"""Activations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cases.elementwise import ELEMENTWISE
from cases.table import case, normal, specials

_Y: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: x,  # its backward takes the input
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
for _f, _y in _Y.items():
    _exact = _f == "relu"
    _slopes = [{}] if _f != "leaky_relu" else [{}, {"negative_slope": 0.2}, {"negative_slope": 0}]
    for _name, _shape in ELEMENTWISE.items():
        _option = _slopes[len(_name) % len(_slopes)]
        case(
            f"{_f}_forward",
            _name,
            lambda rng, dtype, s=_shape, o=_option: ((normal(rng, s, dtype, 3),), dict(o)),
            exact=_exact,
        )
        case(
            f"{_f}_backward",
            _name,
            lambda rng, dtype, s=_shape, o=_option, y=_y: (
                (normal(rng, s, dtype), np.asarray(y(normal(rng, s, dtype)), dtype)),
                dict(o),
            ),
            exact=_exact,
        )
    case(
        f"{_f}_forward",
        "specials",
        lambda rng, dtype: ((specials(rng, (29,), dtype),), {}),
        exact=_exact,
    )
for _f in ("relu", "leaky_relu"):
    case(
        f"{_f}_backward",
        "specials",
        lambda rng, dtype: ((normal(rng, (29,), dtype), specials(rng, (29,), dtype)), {}),
        exact=_f == "relu",
    )
