"""Gradients against finite differences, of the reference itself and of the compiled primitives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convolith import _C, reference
from convolith.reference.dropout import philox4x32
from gradients import CHECKS, central_differences
from tolerance import DIFFERENCE_ERROR, largest, tolerance


@pytest.mark.parametrize("implementation", [reference, _C], ids=["reference", "compiled"])
@pytest.mark.parametrize("primitive", CHECKS)
def test_gradient(primitive: str, implementation: Any) -> None:
    _C.set_num_threads(1)  # thousands of tiny calls
    rng = np.random.default_rng(0)
    for f, x, backward in CHECKS[primitive](implementation, rng):
        y = f(x)
        dy = np.asarray(rng.standard_normal(y.shape))
        expected = central_differences(f, x, dy)
        # Every difference is a sum over all outputs, each rounded.
        magnitude = 1 + largest(y) * largest(dy) + largest(expected)
        error = largest(backward(dy) - expected)
        assert error <= tolerance(DIFFERENCE_ERROR, y.size, magnitude)


def test_no_gradient_is_forgotten() -> None:
    assert set(CHECKS) == {name for name in reference.__all__ if "_backward" in name}


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_gives_the_published_words(
    counter: list[int], key: tuple[int, int], words: str
) -> None:
    """The known answers that accompany Salmon et al. 2011 (Random123)."""
    block = philox4x32(np.array(counter, dtype=np.uint64), key)
    assert " ".join(f"{int(word):08x}" for word in block) == words
