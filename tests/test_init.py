"""Initial values: their distribution, by formula; the seed, by the bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
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
    "lecun": (init.lecun_uniform_, (), math.sqrt(3 / FAN_IN)),
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
    "lecun": (init.lecun_normal_, (), math.sqrt(1 / FAN_IN)),
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


# mean, std, a, b: the default, one side, far out on either side, and no bounds to speak of
TRUNCATED = [
    (0.0, 1.0, -2.0, 2.0),
    (1.0, 0.5, 0.9, 3.0),
    (0.0, 1.0, 3.0, 5.0),
    (0.0, 0.1, -math.inf, -0.5),
    (2.0, 3.0, -1e3, 1e3),
]


@pytest.mark.parametrize(("mean", "std", "a", "b"), TRUNCATED)
def test_truncated_normal(mean: float, std: float, a: float, b: float) -> None:
    """Against the cumulative distribution: the test of Kolmogorov and Smirnov, at 1e-6."""
    values = np.sort(drawn(init.trunc_normal_, mean, std, a, b).ravel())
    assert a <= values[0]
    assert values[-1] <= b

    def beyond(x: float) -> float:
        return NormalDist().cdf((mean - x) / std)

    sample = values[::50]
    expected = [(beyond(a) - beyond(x)) / (beyond(a) - beyond(b)) for x in sample]
    place = np.arange(0, values.size, 50) / values.size
    assert np.abs(place - np.array(expected)).max() < math.sqrt(-math.log(5e-7) / 2 / values.size)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6), (4, 3, 3, 2), (9, 2, 2, 1)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    cv.manual_seed(0)
    w = init.orthogonal_(cv.tensor(np.empty(shape)), gain=3.0).numpy().reshape(shape[0], -1) / 3
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)


def test_orthogonal_has_no_preferred_direction() -> None:
    """Without the signs of R, the diagonal of Q would have one."""
    cv.manual_seed(0)
    q = [init.orthogonal_(cv.tensor(np.empty((3, 3)))).numpy().copy() for _ in range(2000)]
    mean = np.mean(q, axis=0)
    assert np.abs(mean).max() < 5 * math.sqrt(1 / 3 / 2000)
    assert 800 < sum(np.linalg.det(m) > 0 for m in q) < 1200


def test_identities() -> None:
    np.testing.assert_array_equal(init.eye_(cv.tensor(np.full((3, 5), 7.0))), np.eye(3, 5))
    for groups, shape in (
        (1, (4, 4, 3, 3)),
        (1, (6, 4, 3, 5)),
        (2, (8, 4, 3, 3)),
        (4, (4, 1, 5, 5)),
    ):
        w = init.dirac_(cv.tensor(np.full(shape, 7.0)), groups)
        channels = shape[1] * groups
        x = np.random.default_rng(0).standard_normal((2, channels, 6, 7))
        y = nn.functional.conv2d(cv.tensor(x), w, padding="same", groups=groups).numpy()
        filters, kept = shape[0] // groups, min(shape[0] // groups, shape[1])
        y, x = y.reshape(2, groups, filters, 6, 7), x.reshape(2, groups, shape[1], 6, 7)
        np.testing.assert_array_equal(y[:, :, :kept], x[:, :, :kept])
        np.testing.assert_array_equal(y[:, :, kept:], 0)
    np.testing.assert_array_equal(
        init.dirac_(cv.tensor(np.full((2, 2, 3), 7.0))), np.eye(2)[:, :, None] * [0, 1, 0]
    )


def test_sparse() -> None:
    cv.manual_seed(0)
    values = init.sparse_(cv.tensor(np.empty((100, 50))), 0.253, std=2.0).numpy()
    zeros = values == 0
    assert (zeros.sum(axis=0) == 26).all()
    assert len({column.tobytes() for column in zeros.T}) > 1
    n = np.count_nonzero(~zeros)
    assert abs(values[~zeros].std() / 2 - 1) < 5 / math.sqrt(2 * n)


FILLS: dict[str, Callable[[Any], Any]] = {
    "uniform": init.uniform_,
    "constant": lambda t: init.constant_(t, 2.5),
    "kaiming": init.kaiming_normal_,
    "trunc": init.trunc_normal_,
    "orthogonal": init.orthogonal_,
    "dirac": init.dirac_,
}


@pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", FILLS)
def test_values_on_a_device_are_the_cpus(name: str, dtype: str) -> None:
    cv.manual_seed(3)
    here = FILLS[name](cv.tensor(np.zeros((4, 3, 2, 2), np.float32)))
    cv.manual_seed(3)
    there = cv.tensor(np.zeros((4, 3, 2, 2), np.float32)).to("emu").to(dtype)
    assert FILLS[name](there) is there
    assert str(there.dtype) == dtype
    np.testing.assert_array_equal(there.numpy(), here.to("emu").to(dtype).numpy())


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "trunc_std": (lambda: init.trunc_normal_(cv.tensor(np.ones(3)), std=0), "trunc_normal_: std"),
    "trunc_ab": (lambda: init.trunc_normal_(cv.tensor(np.ones(3)), a=2), "a 2 and b 2.0"),
    "orthogonal": (
        lambda: init.orthogonal_(cv.tensor(np.ones(3))),
        r"orthogonal_: shape is \(3",
    ),
    "eye": (lambda: init.eye_(cv.tensor(np.ones(3))), r"eye_: shape is \(3,\)"),
    "dirac": (lambda: init.dirac_(cv.tensor(np.ones((3, 3)))), r"dirac_: shape is \(3, 3\)"),
    "groups": (
        lambda: init.dirac_(cv.tensor(np.ones((3, 3, 3))), 2),
        "dirac_: 3 filters are no multiple of 2 groups",
    ),
    "sparse": (lambda: init.sparse_(cv.tensor(np.ones((3, 3))), 2), "sparsity 2"),
    "lecun": (lambda: init.lecun_normal_(cv.tensor(np.ones(3))), r"\(3,\) has no fan_in"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_filled(name: str) -> None:
    call, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        call()


def test_gains_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    for name in ("conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


def test_gains() -> None:
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("selu") == 3 / 4
    assert init.calculate_gain("conv_transpose2d") == 1
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
