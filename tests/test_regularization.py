"""Dropout of slices, alpha dropout, stochastic depth, and the norms of weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn
from convolith.nn import functional as F

emulated = pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")

# The call with x (50, 40, 3, 2), and which axes an element shares its fate along.
DROPS: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[int, ...]]] = {
    "dropout2d": (F.dropout2d, (2, 3)),
    "row": (lambda x, p: F.stochastic_depth(x, p, "row"), (1, 2, 3)),
    "batch": (lambda x, p: F.stochastic_depth(x, p, "batch"), (0, 1, 2, 3)),
}


@pytest.mark.parametrize("name", DROPS)
def test_slices_are_dropped_as_one(name: str) -> None:
    call, axes = DROPS[name]
    shares = []
    for seed in range(30):
        cv.manual_seed(seed)
        x = Tensor(np.ones((50, 40, 3, 2)), requires_grad=True)
        y = call(x, 0.25)
        y.sum().backward()
        assert x.grad is not None
        np.testing.assert_array_equal(x.grad, y)
        assert set(np.unique(y)) <= {0.0, 1 / 0.75}
        np.testing.assert_array_equal(y.numpy().min(axes), y.numpy().max(axes))
        shares.append(np.mean(y.numpy() == 0))
    slices = 30 * x.numpy().size / np.prod([y.shape[axis] for axis in axes])
    assert abs(np.mean(shares) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / slices)


def test_dropout1d_drops_channels_of_batches_and_of_one_sample() -> None:
    cv.manual_seed(1)
    for shape in ((9, 30, 5), (30, 5)):
        y = F.dropout1d(Tensor(np.ones(shape)), 0.5).numpy()
        np.testing.assert_array_equal(y.min(-1), y.max(-1))
        assert set(np.unique(y)) == {0.0, 2.0}
        assert np.ptp(y, axis=-2).max() == 2
    with pytest.raises(ValueError, match=r"dropout1d: the input has rank 4"):
        F.dropout1d(Tensor(np.ones((2, 3, 4, 5))))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p: float) -> None:
    cv.manual_seed(0)
    x = np.random.default_rng(0).standard_normal(200_000)
    y = F.alpha_dropout(Tensor(x), p, training=True).numpy()
    assert abs(y.mean()) < 5 / np.sqrt(x.size)
    assert abs(y.var() - 1) < 5 * np.sqrt(3 / x.size)
    lowest, count = max(zip(*np.unique(y, return_counts=True), strict=True), key=lambda v: v[1])
    assert abs(count / x.size - p) < 5 * np.sqrt(p * (1 - p) / x.size)
    assert lowest < 0


@emulated
@pytest.mark.parametrize("name", DROPS)
def test_devices_draw_the_same(name: str) -> None:
    x = Tensor(np.random.default_rng(0).standard_normal((5, 7, 3, 2)).astype(np.float32))
    drawn = []
    for device in ("cpu", "emu"):
        cv.manual_seed(5)
        drawn.append([DROPS[name][0](x.to(device), 0.4).cpu().numpy() for _ in range(3)])
    np.testing.assert_array_equal(*drawn)


LAYERS: dict[str, nn.Module] = {
    "Dropout1d(p=0.9)": nn.Dropout1d(0.9),
    "Dropout2d(p=0.9)": nn.Dropout2d(0.9),
    "AlphaDropout(p=0.9)": nn.AlphaDropout(0.9),
    "StochasticDepth(p=0.9, mode='row')": nn.StochasticDepth(0.9, "row"),
}


@pytest.mark.parametrize("text", LAYERS)
def test_layers(text: str) -> None:
    layer, x = LAYERS[text], Tensor(np.ones((50, 4, 3)))
    assert repr(layer) == text
    assert np.unique(layer.train()(x)).size == 2
    assert layer.eval()(x) is x


def test_stochastic_depth_knows_two_modes() -> None:
    mode: Any = "channel"
    with pytest.raises(ValueError, match="mode must be 'batch' or 'row', got 'channel'"):
        nn.StochasticDepth(0.5, mode).eval()(Tensor(np.ones(3)))


@pytest.mark.parametrize("device", ["cpu", pytest.param("emu", marks=emulated)])
def test_max_norm(device: str) -> None:
    cv.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(5, 4)).to(device)
    before = {name: p.cpu().numpy().copy() for name, p in net.named_parameters()}
    nn.utils.max_norm_(net, 0.6)
    norms = []
    for name, parameter in net.named_parameters():
        after = parameter.cpu().numpy()
        if after.ndim < 2:
            np.testing.assert_array_equal(after, before[name])
            continue
        rows, old = after.reshape(len(after), -1), before[name].reshape(len(after), -1)
        length = np.linalg.norm(old, axis=1, keepdims=True)
        np.testing.assert_allclose(rows, old * np.minimum(1, 0.6 / length), rtol=1e-6)
        norms += [float(n) for n in length.ravel()]
    assert min(norms) < 0.6 < max(norms)
    with pytest.raises(ValueError, match="max_norm_: max_value is 0"):
        nn.utils.max_norm_(net, 0)
