"""Norms of gradients, and bounds."""

from __future__ import annotations

import numpy as np

from cases.elementwise import ELEMENTWISE
from cases.table import case, integers, normal, specials, with_nan

# Arrays of one element, of tails, of several blocks and of several pieces, and empty ones.
SHAPES = {
    "one": [(1,)],
    "tail": [(17, 59)],
    "several": [(3, 4, 5), (7,), (), (2, 2, 3, 3)],
    "blocks": [(5, 1003), (33,)],
    "pieces": [(3, 16411), (5,)],
    "empty": [(0, 3)],
    "one_empty": [(0,), (5,)],
}
for _order, _p in {"1": 1.0, "2": 2.0, "inf": np.inf}.items():
    for _name, _shapes in SHAPES.items():
        case(
            "total_norm_forward",
            f"{_name}_{_order}",
            lambda rng, dtype, shapes=_shapes, p=_p: (
                ([normal(rng, s, dtype) for s in shapes], p),
                {},
            ),
            length=sum(int(np.prod(s)) for s in _shapes),
        )
    case(
        "total_norm_forward",
        f"nan_{_order}",
        lambda rng, dtype, p=_p: (([with_nan(rng, (3, 70), dtype), np.ones(5, dtype)], p), {}),
    )
    case(
        "total_norm_forward",
        f"infinite_{_order}",
        lambda rng, dtype, p=_p: (([np.array([1, -np.inf], dtype), np.ones(5, dtype)], p), {}),
    )
case(
    "total_norm_forward",
    "exact",
    lambda rng, dtype: (([integers(rng, (31, 33), dtype)], 1), {}),
    exact=True,
)

for _name, _shape in ELEMENTWISE.items():
    case(
        "clip_forward",
        _name,
        lambda rng, dtype, s=_shape: ((normal(rng, s, dtype), 0.5), {}),
        exact=True,
    )
case("clip_forward", "specials", lambda rng, dtype: ((specials(rng, (29,), dtype), 2.0), {}))
case("clip_forward", "zero", lambda rng, dtype: ((normal(rng, (5,), dtype), 0.0), {}))
