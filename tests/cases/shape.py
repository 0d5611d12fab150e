"""Concatenation, flatten."""

from __future__ import annotations

import numpy as np

from cases.table import case, normal
from convolith import reference

# Shapes.
for _name, _shape, _dims in (
    ("default", (2, 3, 4, 5), ()),
    ("middle", (2, 3, 4, 5), (1, 2)),
    ("all", (2, 3, 4), (0, -1)),
    ("one_axis", (2, 3, 4), (1, 1)),
    ("matrix", (3, 7), ()),
    ("many_images", (2200, 3, 2), ()),
    ("empty_batch", (0, 3, 4), ()),
):
    case(
        "flatten_forward",
        _name,
        lambda rng, dtype, s=_shape, d=_dims: ((normal(rng, s, dtype), *d), {}),
        exact=True,
    )
    case(
        "flatten_backward",
        _name,
        lambda rng, dtype, s=_shape, d=_dims: (
            (normal(rng, reference.flatten_forward(np.zeros(s), *d).shape, dtype), s),
            {},
        ),
        exact=True,
    )
for _name, _shape, _dim, _sizes in (
    ("channels", (2, 0, 5, 7), 1, (3, 1, 4)),
    ("two", (2, 0, 4, 4), 1, (16, 16)),
    ("one", (2, 0, 3), 1, (5,)),
    ("dim0", (0, 3, 5), 0, (2, 3)),
    ("last", (3, 4, 0), -1, (7, 1, 2, 5)),
    ("vectors", (0,), 0, (3, 17)),
    ("large", (2, 0, 31, 37), 1, (5, 6)),
    ("rows", (2, 0, 10, 13), 1, (3, 2)),
    ("empty_batch", (0, 0, 3), 1, (2, 3)),
):
    _shapes = [
        tuple(k if i == _dim % len(_shape) else n for i, n in enumerate(_shape)) for k in _sizes
    ]
    _whole = tuple(sum(_sizes) if i == _dim % len(_shape) else n for i, n in enumerate(_shape))
    case(
        "concat_forward",
        _name,
        lambda rng, dtype, ss=_shapes, d=_dim: (([normal(rng, s, dtype) for s in ss], d), {}),
        exact=True,
    )
    case(
        "concat_backward",
        _name,
        lambda rng, dtype, s=_whole, k=_sizes, d=_dim: ((normal(rng, s, dtype), list(k), d), {}),
        exact=True,
    )
