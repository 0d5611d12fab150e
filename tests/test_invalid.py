"""What is passed, which error comes, which words must be in it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from convolith import _C, reference
from invalid import I64, INVALID, Invalid, a


def family(primitive: str) -> str:
    return re.sub(r"_(forward|backward.*|step)$", "", primitive)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{row.primitive}-{row.name}") for row in INVALID]
)
def test_error_says_what_came_and_what_was_expected(row: Invalid) -> None:
    args = row.build()
    args, options = (args[:-1], args[-1]) if isinstance(args[-1], dict) else (args, {})
    arrays = [v for v in (*args, *options.values()) if isinstance(v, np.ndarray)]
    before = [v.copy() for v in arrays]
    with pytest.raises(row.error) as raised:
        getattr(_C, row.primitive)(*args, **options)
    message = str(raised.value)
    assert message.startswith(family(row.primitive) + ": ")
    assert "\n" not in message
    for word in row.words:
        assert word in message
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("primitive", ["conv2d_forward", "linear_forward", "max_pool2d_forward"])
def test_out_may_not_overlap_an_input(primitive: str) -> None:
    """Kernels read their inputs after they have begun to write."""
    x = a(1, 1, 4, 4)
    args, out = {
        "conv2d_forward": ((x, a(1, 1, 1, 1)), x),
        "linear_forward": ((x, a(4, 4)), x),
        "max_pool2d_forward": ((x, 1), (x, a(1, 1, 4, 4, dtype=I64))),
    }[primitive]
    with pytest.raises(ValueError, match=rf"^{family(primitive)}: .*shares memory"):
        getattr(_C, primitive)(*args, out=out)


def test_every_primitive_refuses_something() -> None:
    missing = set(reference.__all__) - {row.primitive for row in INVALID}
    assert not missing
