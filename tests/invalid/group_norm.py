"""Layer norm, group norm and instance norm."""

from __future__ import annotations

from invalid.table import F64, NAN, a, read_only, types, values

values(
    "layer_norm_forward",
    {
        "shape": (lambda: (a(4, 3), (4,)), "normalized_shape", "(4, 3)", "(4,)"),
        "shape_longer": (lambda: (a(3), (4, 3)), "normalized_shape", "(3,)", "(4, 3)"),
        "shape_empty": (lambda: (a(4, 3), ()), "normalized_shape", "at least one", "()"),
        "no_elements": (lambda: (a(4, 0), (0,)), "normalized_shape", "none of them empty"),
        "weight": (lambda: (a(4, 3), (3,), a(4)), "weight", "(3,)", "(4,)"),
        "bias": (lambda: (a(4, 3), (3,), a(3), a(1, 3)), "bias", "(3,)", "(1, 3)"),
        "eps_negative": (lambda: (a(4, 3), (3,), {"eps": -1e-5}), "eps"),
        "eps_nan": (lambda: (a(4, 3), (3,), {"eps": NAN}), "eps", "nan"),
    },
)
types(
    "layer_norm_forward",
    {
        "shape_type": (lambda: (a(4, 3), "3"), "normalized_shape", "a tuple of ints"),
        "mixed": (lambda: (a(4, 3), (3,), a(3, dtype=F64)), "weight", "float32", "float64"),
    },
)
values(
    "layer_norm_backward",
    {
        "dy": (lambda: (a(4, 2), a(4, 3), (3,), None, a(4), a(4)), "dy", "(4, 2)", "(4, 3)"),
        "mean": (lambda: (a(4, 3), a(4, 3), (3,), None, a(3), a(4)), "mean", "(4,)", "(3,)"),
        "invstd": (lambda: (a(4, 3), a(4, 3), (3,), None, a(4), a(3)), "invstd", "(4,)", "(3,)"),
    },
)
values(
    "group_norm_forward",
    {
        "rank": (lambda: (a(5), 1), "2 axes or more", "(5,)"),
        "empty": (lambda: (a(2, 3, 0), 1), "empty axis", "(2, 3, 0)"),
        "groups": (lambda: (a(4, 6), 4), "num_groups", "6 channels", "4"),
        "no_groups": (lambda: (a(4, 6), 0), "num_groups", "0"),
        "weight": (lambda: (a(4, 6), 2, a(2)), "weight", "(6,)", "(2,)"),
        "bias": (lambda: (a(4, 6), 2, a(6), a(4)), "bias", "(6,)", "(4,)"),
    },
)
types(
    "group_norm_forward",
    {"groups_type": (lambda: (a(4, 6), 2.5), "num_groups", "an int", "2.5")},
)
values(
    "group_norm_backward",
    {
        "mean": (lambda: (a(4, 6), a(4, 6), 2, None, a(4, 6), a(4, 2)), "mean", "(4, 2)", "(4, 6)"),
        "dy": (lambda: (a(6, 4), a(4, 6), 2, None, a(4, 2), a(4, 2)), "dy", "(6, 4)"),
    },
)
values(
    "instance_norm_forward",
    {
        "rank": (lambda: (a(5, 3),), "3 axes or more", "(5, 3)"),
        "one_value": (lambda: (a(5, 3, 1, 1),), "more than one value", "(5, 3, 1, 1)"),
        "running_mean": (lambda: (a(5, 3, 2), None, None, a(2)), "running_mean", "(3,)", "(2,)"),
        "running_read_only": (
            lambda: (a(5, 3, 2), None, None, a(3), read_only(a(3))),
            *("running_var", "read-only"),
        ),
        "momentum_nan": (lambda: (a(5, 3, 2), {"momentum": NAN}), "momentum", "nan"),
    },
)
types(
    "instance_norm_forward",
    {
        "mixed_running": (
            lambda: (a(5, 3, 2), None, None, a(3, dtype=F64)),
            *("running_mean", "float64"),
        )
    },
)
values(
    "instance_norm_backward",
    {
        "mean": (lambda: (a(4, 6, 2), a(4, 6, 2), None, a(6), a(4, 6)), "mean", "(4, 6)", "(6,)"),
    },
)
