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
    for _primitive in (
        f"{family}_{direction}"
        for family in ("dropout", "alpha_dropout")
        for direction in ("forward", "backward")
    ):
        case(
            _primitive,
            _name,
            lambda rng, dtype, s=_shape, p=_p, o=_options: ((normal(rng, s, dtype), p), dict(o)),
        )

# Shape, p, axes, seed and offset.
SLICES: dict[str, tuple[tuple[int, ...], float, int, dict[str, int]]] = {
    "channels": ((5, 7, 3, 5), 0.5, 2, {"seed": 7}),
    "channels_rank2": ((13, 17), 0.3, 2, {}),
    "channels_rank3": ((3, 40, 11), 0.2, 2, {"offset": 2**40 + 3}),
    "channels_large": ((2, 3, 91, 97), 0.5, 2, {"seed": 3}),
    "many_channels": ((1, 300, 3), 0.5, 2, {"seed": 2**63 + 11}),
    "samples": ((9, 4, 3, 5), 0.5, 1, {"seed": 7}),
    "samples_rank1": ((77,), 0.5, 1, {}),
    "large_samples": ((5, 3, 61, 67), 0.5, 1, {"seed": 1, "offset": 1}),
    "all_kept": ((2, 3, 5, 7), 0.5, 0, {"seed": 3}),
    "all_dropped": ((2, 3, 5, 7), 0.5, 0, {"seed": 0}),
    "scalar": ((), 0.5, 0, {}),
    "keeps_all": ((3, 4, 5), 0.0, 2, {}),
    "drops_all": ((3, 4, 5), 1.0, 1, {}),
    "empty_batch": ((0, 3, 4), 0.5, 2, {}),
    "empty_plane": ((2, 3, 0), 0.5, 2, {}),
}
for _name, (_shape, _p, _axes, _options) in SLICES.items():
    for _direction in ("forward", "backward"):
        case(
            f"dropout_slices_{_direction}",
            _name,
            lambda rng, dtype, s=_shape, p=_p, a=_axes, o=_options: (
                (normal(rng, s, dtype), p, a),
                dict(o),
            ),
        )
