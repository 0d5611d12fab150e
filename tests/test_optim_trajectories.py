"""A hundred steps of every optimizer, along the reference's and along PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from conftest import devices
from convolith import nn, optim, reference
from tolerance import largest, rounding, tolerance

STEPS = 100
SHAPE = (7, 11)


def gradient(rng: np.random.Generator, param: np.ndarray) -> np.ndarray:
    """Noise around that of a parabola: steps neither vanish nor run away."""
    return np.asarray(rng.standard_normal(param.shape) + 0.3 * param)


def start(rng: np.random.Generator, dtype: Any) -> np.ndarray:
    """Values, and a zero, which has no sign."""
    values = rng.standard_normal(SHAPE).astype(dtype)
    values[0, 0] = 0
    return values


Step = Callable[..., None]
# By name: the optimizer and its options; then of the reference which step, which states, and the
# options of step t.
TRAJECTORIES: dict[str, tuple[Any, dict[str, Any], Step, list[str], Callable[[int], Any]]] = {
    "sgd": (
        optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.9, "weight_decay": 0.01, "l1": 0.01},
        reference.sgd_step,
        ["velocity"],
        lambda t: {
            **{"lr": 0.1, "momentum": 0.9, "dampening": 0.9, "weight_decay": 0.01, "l1": 0.01},
            "first": t == 1,
        },
    ),
    "lars": (
        optim.LARS,
        {"lr": 1.0, "weight_decay": 0.01, "trust_coefficient": 0.01},
        reference.lars_step,
        ["velocity"],
        lambda t: {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 0.01},
    ),
    "adam": (
        optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.01, "amsgrad": True, "l1": 0.1},
        reference.adam_step,
        ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
        lambda t: (
            {"step": t, "lr": 0.01, "beta1": 0.8, "beta2": 0.99, "weight_decay": 0.01} | {"l1": 0.1}
        ),
    ),
    "adamw": (
        optim.AdamW,
        {"lr": 0.01, "maximize": True},
        reference.adam_step,
        ["exp_avg", "exp_avg_sq"],
        lambda t: (
            {"step": t, "lr": 0.01, "weight_decay": 0.01, "decoupled_weight_decay": True}
            | {"maximize": True}
        ),
    ),
    "adamax": (
        optim.Adamax,
        {},
        reference.adamax_step,
        ["exp_avg", "exp_inf"],
        lambda t: {"step": t},
    ),
    "nadam": (
        optim.NAdam,
        {"lr": 0.01, "momentum_decay": 0.1},
        reference.nadam_step,
        ["exp_avg", "exp_avg_sq"],
        lambda t: {"step": t, "lr": 0.01, **dozats_momenta(t, 0.9, 0.1)},
    ),
    "lamb": (
        optim.LAMB,
        {"lr": 0.01, "weight_decay": 0.1},
        reference.lamb_step,
        ["exp_avg", "exp_avg_sq"],
        lambda t: {"step": t, "lr": 0.01, "weight_decay": 0.1},
    ),
    "adagrad": (
        optim.Adagrad,
        {"lr": 0.1, "lr_decay": 0.1},
        reference.adagrad_step,
        ["state_sum"],
        lambda t: {"lr": 0.1 / (1 + 0.1 * (t - 1))},
    ),
    "adadelta": (
        optim.Adadelta,
        {"rho": 0.5},
        reference.adadelta_step,
        ["square_avg", "acc_delta"],
        lambda t: {"rho": 0.5},
    ),
    "rmsprop": (
        optim.RMSprop,
        {"alpha": 0.9, "centered": True, "momentum": 0.5},
        reference.rmsprop_step,
        ["square_avg", "grad_avg", "momentum_buffer"],
        lambda t: {"alpha": 0.9, "momentum": 0.5},
    ),
}


def dozats_momenta(t: int, beta: float, decay: float) -> dict[str, float]:
    mu = [beta * (1 - 0.96 ** (i * decay) / 2) for i in range(1, t + 2)]
    return {"mu": mu[-2], "mu_next": mu[-1], "mu_product": float(np.prod(mu[:-1]))}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On the CPU in both types, on a device in float32."""
    if "place" in metafunc.fixturenames:
        places = [("cpu", np.float32), ("cpu", np.float64)]
        places += [(device, np.float32) for device in devices(metafunc.config)]
        ids = [f"{device}-{dtype.__name__}" for device, dtype in places]
        metafunc.parametrize("place", places, ids=ids)


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_hundred_steps_are_the_references(name: str, place: tuple[str, Any]) -> None:
    kind, options, step, states, options_at = TRAJECTORIES[name]
    device, dtype = place
    rng = np.random.default_rng(0)
    values = start(rng, dtype)
    expected = values.astype(np.float64)
    arrays = {name: np.zeros(SHAPE) for name in states}
    parameter = nn.Parameter(cv.tensor(values).to(device)._array)
    optimizer = kind([parameter], **options)
    for t in range(1, STEPS + 1):
        grad = gradient(rng, expected).astype(dtype)
        parameter.grad = cv.tensor(grad).to(device)
        optimizer.step()
        step(expected, grad.astype(np.float64), **arrays, **options_at(t))
    assert largest(expected - values) > 0.05  # it went somewhere
    error = np.abs(parameter.numpy() - expected)
    # Every step adds a rounding error of the parameter.
    assert np.all(error <= tolerance(rounding(dtype), STEPS, 1 + largest(expected, values)))


WITH_PYTORCH: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.9, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True},
    ],
    "Adam": [
        {},
        {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True},
        {"lr": 0.01, "weight_decay": 0.1, "maximize": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [{"lr": 0.01}, {"lr": 0.01, "amsgrad": True, "maximize": True}],
    "NAdam": [
        {},
        {"weight_decay": 0.1, "momentum_decay": 0.1},
        {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "Adamax": [{}, {"weight_decay": 0.1, "maximize": True}],
    "Adagrad": [
        {},
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        {"maximize": True},
    ],
    "Adadelta": [{}, {"rho": 0.5, "weight_decay": 0.1, "maximize": True}],
    "RMSprop": [
        {},
        {"lr": 0.01, "alpha": 0.9, "momentum": 0.9, "centered": True, "weight_decay": 0.1},
        {"centered": True, "maximize": True},
    ],
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id=f"{name}-{number}")
        for name, rows in WITH_PYTORCH.items()
        for number, options in enumerate(rows)
    ],
)
def test_a_hundred_steps_are_pytorchs(name: str, options: dict[str, Any]) -> None:
    """The second half continues from the state of PyTorch's optimizer."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    values = start(rng, np.float32)
    parameter, theirs = nn.Parameter(values.copy()), torch.nn.Parameter(torch.tensor(values))
    optimizer = getattr(optim, name)([parameter], **options)
    peer = getattr(torch.optim, name)([theirs], **options)
    for t in range(STEPS):
        grad = gradient(rng, parameter.numpy()).astype(np.float32)
        parameter.grad, theirs.grad = cv.tensor(grad), torch.tensor(grad)
        optimizer.step()
        peer.step()
        if t == STEPS // 2:
            state = peer.state_dict()
            assert set(optimizer.state_dict()["state"][0]) >= {
                key for key, value in state["state"].get(0, {}).items() if value is not None
            }
            optimizer = getattr(optim, name)([parameter])
            optimizer.load_state_dict(state)
    expected = theirs.detach().numpy()
    error = np.abs(parameter.numpy() - expected)
    assert np.all(error <= tolerance(rounding(np.float32), STEPS, 1 + largest(expected)))
