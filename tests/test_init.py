"""Initial values: their distribution, by formula; the seed, by the bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import _random, nn
from convolith.nn import init

SHAPE = (64, 32, 5, 5)
FAN_IN, FAN_OUT = 32 * 25, 64 * 25


def drawn(fill: Callable[..., Any], *args: Any, **kwargs: Any) -> np.ndarray:
    cv.manual_seed(0)
    t = cv.tensor(np.full(SHAPE, np.nan))
    assert fill(t, *args, **kwargs) is t
    return t.numpy()


UNIFORM = {
    "uniform": (init.uniform_, (-2.0, 2.0), 2.0),
    "default": (init.fan_in_uniform_, (FAN_IN,), 1 / math.sqrt(FAN_IN)),
    "xavier": (init.xavier_uniform_, (2.0,), 2 * math.sqrt(6 / (FAN_IN + FAN_OUT))),
    "kaiming": (init.kaiming_uniform_, (), math.sqrt(6 / FAN_IN)),
    "kaiming as PyTorch's layers": (
        init.kaiming_uniform_,
        (math.sqrt(5),),
        1 / math.sqrt(FAN_IN),
    ),
}
NORMAL = {
    "normal": (init.normal_, (0.0, 3.0), 3.0),
    "xavier": (init.xavier_normal_, (), math.sqrt(2 / (FAN_IN + FAN_OUT))),
    "kaiming": (init.kaiming_normal_, (0.0, "fan_out", "relu"), math.sqrt(2 / FAN_OUT)),
}


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform(name: str) -> None:
    fill, args, bound = UNIFORM[name]
    values = drawn(fill, *args)
    n = values.size
    assert np.abs(values).max() <= bound
    assert np.abs(values).max() > bound * (1 - 100 / n)
    assert abs(values.mean()) < 5 * bound / math.sqrt(3 * n)
    assert abs(values.std() / (bound / math.sqrt(3)) - 1) < 5 / math.sqrt(n)


@pytest.mark.parametrize("name", NORMAL)
def test_normal(name: str) -> None:
    fill, args, std = NORMAL[name]
    values = drawn(fill, *args)
    n = values.size
    assert abs(values.mean()) < 5 * std / math.sqrt(n)
    assert abs(values.std() / std - 1) < 5 / math.sqrt(2 * n)
    assert abs((values**4).mean() / (3 * std**4) - 1) < 5 * math.sqrt(96 / 9 / n)


def test_constants() -> None:
    assert (drawn(init.zeros_) == 0).all()
    assert (drawn(init.ones_) == 1).all()
    assert (drawn(init.constant_, 2.5) == 2.5).all()


def test_gains() -> None:
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("selu") == 3 / 4
    assert init.calculate_gain("leaky_relu", 1.0) == 1
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / 1.0001)
    with pytest.raises(ValueError, match="nonlinearity is 'swish', expected one of linear"):
        init.calculate_gain("swish")


def test_vectors_have_no_fans() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\) has no fan_in"):
        init.xavier_uniform_(cv.tensor([1.0, 2.0, 3.0]))


def test_layers_are_drawn_within_their_bounds() -> None:
    cv.manual_seed(0)
    for layer, fan_in in ((nn.Conv2d(8, 64, (3, 5), groups=2), 60), (nn.Linear(300, 50), 300)):
        for parameter in layer.parameters():
            values = np.abs(parameter.numpy())
            assert 0.7 / math.sqrt(fan_in) < values.max() <= 1 / math.sqrt(fan_in)


def test_the_seed_decides_every_bit_and_streams_differ() -> None:
    first = [nn.Linear(4, 4).weight.numpy() for _ in range(2) if not cv.manual_seed(5)]
    second = nn.Linear(4, 4).weight.numpy()
    np.testing.assert_array_equal(first[0], first[1])
    assert (second != first[0]).all()
    state = _random.get_state()
    third = nn.Linear(4, 4).weight.numpy()
    _random.set_state(state)
    np.testing.assert_array_equal(nn.Linear(4, 4).weight, third)
    assert _random.initial_seed() == 5
    cv.manual_seed(2**64 - 1)
    assert (nn.Linear(4, 4).weight.numpy() != first[0]).all()


def test_streams_of_different_purpose_are_unrelated() -> None:
    draws = [_random.generator(1, 2, purpose).random(100) for purpose in _random.Purpose]
    assert len({values.tobytes() for values in draws}) == len(_random.Purpose)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed: int) -> None:
    with pytest.raises(ValueError, match=f"manual_seed: seed is {seed}"):
        cv.manual_seed(seed)
