"""Activations, addition and dropout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cases.table import case, normal, specials

# Element-wise: shapes.
ELEMENTWISE: dict[str, tuple[int, ...]] = {
    "scalar": (),
    "one": (1,),
    "three": (3,),
    "seven": (7,),
    "sixteen": (16,),
    "seventeen": (17,),
    "nchw": (2, 3, 5, 7),
    "several_blocks": (70001,),
    "empty": (0, 3),
}

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
for _name, _shape in ELEMENTWISE.items():
    case(
        "add_forward",
        _name,
        lambda rng, dtype, s=_shape: ((normal(rng, s, dtype), normal(rng, s, dtype)), {}),
        exact=True,  # one rounding, of the sum of two rounded numbers
    )

# Dropout: shape, p, seed and offset.
DROPOUT: dict[str, tuple[tuple[int, ...], float, dict[str, int]]] = {
    **{name: (shape, 0.5, {"seed": 7}) for name, shape in ELEMENTWISE.items()},
    "keeps_all": ((33,), 0.0, {}),
    "drops_all": ((33,), 1.0, {}),
    "few": ((1003,), 0.1, {}),
    "most": ((1003,), 0.9, {"seed": 1, "offset": 1}),
    "large_seed": ((1003,), 0.5, {"seed": 2**63 + 11}),
    "largest_offset": ((1003,), 0.25, {"seed": 2**64 - 1, "offset": 2**64 - 1}),
    "large_offset": ((1003,), 0.25, {"seed": 2**32, "offset": 2**40 + 3}),
}
for _name, (_shape, _p, _options) in DROPOUT.items():
    for _direction in ("forward", "backward"):
        case(
            f"dropout_{_direction}",
            _name,
            lambda rng, dtype, s=_shape, p=_p, o=_options: ((normal(rng, s, dtype), p), dict(o)),
        )
