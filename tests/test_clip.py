"""Clipped gradients and averages of weights, on every device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convolith as cv
from conftest import devices
from convolith import nn, optim
from convolith.amp import GradScaler
from convolith.nn.utils import clip_grad_norm_, clip_grad_value_
from tolerance import rounding, tolerance

SHAPES = [(3, 4, 2, 2), (5,), (2, 300)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", ["cpu", *devices(metafunc.config)])


def arrays(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]


def there(array: np.ndarray, device: str) -> Any:
    return cv.tensor(array).to(device)._array


def parameters(device: str, gradients: list[np.ndarray]) -> list[nn.Parameter]:
    """With these gradients, and a frozen one without."""
    params = [nn.Parameter(there(np.ones_like(g), device)) for g in gradients]
    for param, gradient in zip(params, gradients, strict=True):
        param.grad = cv.Tensor(there(gradient, device))
    return [*params, nn.Parameter(there(np.ones(3, np.float32), device))]


def gradients_of(params: list[nn.Parameter]) -> list[np.ndarray]:
    return [param.grad.numpy() for param in params if param.grad is not None]


def norm_of(gradients: list[np.ndarray], order: float) -> float:
    return float(np.linalg.norm(np.concatenate([g.ravel() for g in gradients]), order))


@pytest.mark.parametrize("order", [1, 2, float("inf")])
def test_norm(device: str, order: float) -> None:
    before = arrays()
    params = parameters(device, before)
    expected = norm_of(before, order)
    allowed = tolerance(rounding(np.float32), sum(g.size for g in before), 1)
    for limit in (0.5 * expected, 2 * expected):
        total = clip_grad_norm_(params, limit, order)
        assert (total.device, total.shape) == (device, ())
        assert total.item() == pytest.approx(expected, rel=allowed)
        expected = min(expected, limit)
        clipped = gradients_of(params)
        assert norm_of(clipped, order) == pytest.approx(expected, rel=allowed)
    share = expected / norm_of(before, order)
    for a, b in zip(clipped, before, strict=True):
        np.testing.assert_allclose(a, share * b, rtol=allowed)


def test_a_norm_below_the_limit_changes_no_bit(device: str) -> None:
    before = arrays()
    params = parameters(device, before)
    clip_grad_norm_(params, 1e3)
    for a, b in zip(gradients_of(params), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_norms_that_are_not_finite(device: str, bad: float) -> None:
    before = arrays()
    before[1][2] = bad
    params = parameters(device, before)
    with pytest.raises(RuntimeError, match=r"clip_grad_norm_: the norm of order 2.0 .* (inf|nan)"):
        clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    for a, b in zip(gradients_of(params), before, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_equal(clip_grad_norm_(params, 1.0).item(), bad)
    # x * 1 / inf, x * NaN
    np.testing.assert_array_equal(gradients_of(params)[0], np.full(SHAPES[0], 1 / bad))


def test_norms_of_nothing_and_of_one() -> None:
    assert clip_grad_norm_([nn.Parameter(np.ones(3))], 1.0).item() == 0
    parameter = nn.Parameter(np.ones(2))
    parameter.grad = cv.tensor([3.0, 4.0])
    assert clip_grad_norm_(parameter, 1.0).item() == 5
    with pytest.raises(ValueError, match="total_norm: p must be 1, 2 or inf, got 3"):
        clip_grad_norm_(parameter, 1.0, norm_type=3)


def test_values(device: str) -> None:
    before = arrays()
    before[1][2] = np.nan
    params = parameters(device, before)
    clip_grad_value_(params, 0.5)
    for a, b in zip(gradients_of(params), before, strict=True):
        np.testing.assert_array_equal(a, np.clip(b, -0.5, 0.5))


def test_clipping_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for order in (1, 2, float("inf")):
        params = parameters("cpu", arrays())
        theirs = [torch.nn.Parameter(torch.ones(g.shape)) for g in arrays()]
        for param, gradient in zip(theirs, arrays(), strict=True):
            param.grad = torch.tensor(gradient)
        total = clip_grad_norm_(params, 3.0, order)
        expected = torch.nn.utils.clip_grad_norm_(theirs, 3.0, order)
        allowed = tolerance(rounding(np.float32), sum(g.size for g in arrays()), 1)
        assert total.item() == pytest.approx(expected.item(), rel=allowed)
        for a, b in zip(gradients_of(params), theirs, strict=True):
            np.testing.assert_allclose(a, b.grad.numpy(), rtol=allowed)


def test_clipping_sees_the_unscaled_gradients(device: str) -> None:
    model = nn.Linear(3, 2).to(device)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    scaler = GradScaler(device, init_scale=2.0**10)
    before = model.weight.numpy().copy()
    loss = model(cv.tensor(np.full((1, 3), 2, np.float32)).to(device))
    ones = cv.tensor(np.full((1, 2), 2.0**10, np.float32)).to(device)
    loss.backward(ones)  # as of a loss that was scaled
    scaler.unscale_(optimizer)
    total = clip_grad_norm_(model.parameters(), 0.5)
    assert total.item() == pytest.approx(np.sqrt(6 * 4 + 2), rel=1e-6)
    scaler.step(optimizer)
    moved = before - model.weight.numpy()
    np.testing.assert_allclose(moved, np.full((2, 3), 0.5 * 2 / np.sqrt(26)), rtol=1e-5)


# Averages


def a_model(device: str) -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).to(device)


def walk(model: nn.Module, rng: np.random.Generator) -> list[np.ndarray]:
    """New values for all parameters."""
    values = [rng.standard_normal(p.shape).astype(np.float32) for p in model.parameters()]
    for param, value in zip(model.parameters(), values, strict=True):
        param.copy_(value)
    return values


def values_of(model: nn.Module) -> list[np.ndarray]:
    return [p.numpy().copy() for p in model.parameters()]


def test_exponential_average(device: str) -> None:
    model, rng = a_model(device), np.random.default_rng(0)
    expected = [v.astype(np.float64) for v in values_of(model)]
    ema = optim.EMA(model, decay=0.8)
    for _ in range(10):
        new = walk(model, rng)
        expected = [0.8 * a + 0.2 * b for a, b in zip(expected, new, strict=True)]
        ema.update()
    last = values_of(model)
    with ema.apply():
        for a, b in zip(values_of(model), expected, strict=True):
            np.testing.assert_allclose(a, b, atol=tolerance(rounding(np.float32), 10, 4))
    for a, b in zip(values_of(model), last, strict=True):
        np.testing.assert_array_equal(a, b)
    again = optim.EMA(model.parameters(), decay=0.1)
    again.load_state_dict(ema.state_dict())
    assert (again.decay, again.updates) == (0.8, 10)
    walk(model, rng)
    ema.update()
    again.update()
    ema.copy_to()
    averages = values_of(model)
    again.copy_to()
    for a, b in zip(values_of(model), averages, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_error_within_apply_brings_the_parameters_back() -> None:
    model = a_model("cpu")
    ema = optim.EMA(model)
    last = walk(model, np.random.default_rng(0))
    with pytest.raises(KeyError), ema.apply():
        raise KeyError
    for a, b in zip(values_of(model), last, strict=True):
        np.testing.assert_array_equal(a, b)


def test_plain_average(device: str) -> None:
    model, rng = a_model(device), np.random.default_rng(0)
    swa, seen = optim.SWA(model), []
    for _ in range(7):
        seen.append(walk(model, rng))
        swa.update()
    swa.copy_to()
    for a, b in zip(values_of(model), zip(*seen, strict=True), strict=True):
        np.testing.assert_allclose(
            a, np.mean(b, axis=0), atol=tolerance(rounding(np.float32), 7, 4)
        )


def test_wrong_averages() -> None:
    with pytest.raises(ValueError, match=r"EMA: decay is 1\.5, expected 0 to 1"):
        optim.EMA(a_model("cpu"), decay=1.5)
    with pytest.raises(ValueError, match="SWA: there are no parameters to average"):
        optim.SWA([])
    ema = optim.EMA([nn.Parameter(np.ones(3))])
    with pytest.raises(ValueError, match=r"EMA: the averages are \[\(2,\)\], expected \[\(3,\)\]"):
        ema.load_state_dict({"decay": 0.5, "updates": 1, "averages": [np.ones(2)]})


@pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")
def test_gradients_of_halves_have_a_norm_of_float32() -> None:
    parameter = nn.Parameter(cv.tensor(np.zeros(2, np.float32)).to("emu").to("bfloat16")._array)
    parameter.grad = cv.tensor(np.array([3, 4], np.float32)).to("emu").to("bfloat16")
    total = clip_grad_norm_(parameter, 2.5)
    assert (total.dtype, total.item()) == (np.float32, 5)
    np.testing.assert_array_equal(parameter.grad.numpy(), [1.5, 2.0])
