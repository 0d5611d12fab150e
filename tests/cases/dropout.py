"""Dropout."""

from __future__ import annotations

from cases.elementwise import ELEMENTWISE
from cases.table import case, normal

# Shape, p, seed and offset.
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
