"""Schedules: their formulas, PyTorch's sequences, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import nn, optim
from convolith.optim import lr_scheduler

EPOCHS = 50
RATES = (0.1, 0.2)  # of two groups


def an_optimizer(kind: Any = optim.SGD, **options: Any) -> optim.Optimizer:
    groups = [{"params": [nn.Parameter(np.ones(2))], "lr": lr} for lr in RATES]
    return kind(groups, **options)


def sequence(schedule: Any, epochs: int = EPOCHS) -> np.ndarray:
    """The learning rates of every epoch: (epochs, groups)."""
    rates = []
    for _ in range(epochs):
        rates.append([group["lr"] for group in schedule.optimizer.param_groups])
        assert schedule.get_last_lr() == rates[-1]
        schedule.step()
    return np.array(rates)


def half_a_cosine(low: float, high: float, done: float) -> float:
    return low + (high - low) * (1 + math.cos(math.pi * done)) / 2


def restart(t: int) -> int:
    """The last one before t, of periods of 5, 10, 20 and 40."""
    return max(at for at in (0, 5, 15, 35) if at <= t)


# Each schedule of a module (ours or PyTorch's) for an optimizer, and the learning rate that comes
# of lr in epoch t.
Row = tuple[Callable[[Any, Any], Any], Callable[[float, int], float]]
SCHEDULES: dict[str, Row] = {
    "step": (lambda m, o: m.StepLR(o, 7), lambda lr, t: lr * 0.1 ** (t // 7)),
    "multi_step": (
        lambda m, o: m.MultiStepLR(o, [30, 3, 9, 9], 0.5),
        lambda lr, t: lr * 0.5 ** sum(t >= at for at in (3, 9, 9, 30)),
    ),
    "exponential": (lambda m, o: m.ExponentialLR(o, 0.9), lambda lr, t: lr * 0.9**t),
    "linear": (lambda m, o: m.LinearLR(o), lambda lr, t: lr * min(1, 1 / 3 + 2 / 15 * t)),
    "linear_down": (
        lambda m, o: m.LinearLR(o, 0.9, 0.1, 20),
        lambda lr, t: lr * max(0.1, 0.9 - 0.04 * t),
    ),
    "constant": (lambda m, o: m.ConstantLR(o), lambda lr, t: lr * (1 if t >= 5 else 1 / 3)),
    "polynomial": (
        lambda m, o: m.PolynomialLR(o, 20, 2.0),
        lambda lr, t: lr * max(0, 1 - t / 20) ** 2,
    ),
    "cosine": (
        lambda m, o: m.CosineAnnealingLR(o, 20, 0.01),
        lambda lr, t: half_a_cosine(0.01, lr, t / 20),
    ),
    "restarts": (
        lambda m, o: m.CosineAnnealingWarmRestarts(o, 7, eta_min=0.01),
        lambda lr, t: half_a_cosine(0.01, lr, t % 7 / 7),
    ),
    "growing_restarts": (  # at 5, 15, 35
        lambda m, o: m.CosineAnnealingWarmRestarts(o, 5, 2),
        lambda lr, t: half_a_cosine(0, lr, (t - restart(t)) / (5 + restart(t))),
    ),
    "lambda": (lambda m, o: m.LambdaLR(o, lambda t: 0.95**t), lambda lr, t: lr * 0.95**t),
    "sequential": (
        lambda m, o: m.SequentialLR(
            o,
            [
                m.LinearLR(o, 0.1, total_iters=5),
                m.CosineAnnealingLR(o, 40, 0.01),
                m.ExponentialLR(o, 0.9),
            ],
            [5, 30],
        ),
        lambda lr, t: (
            lr * (0.1 + 0.18 * t)
            if t < 5
            else half_a_cosine(0.01, lr, (t - 5) / 40)
            if t < 30
            else lr * 0.9 ** (t - 30)
        ),
    ),
    "chained": (
        lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.1, 4), m.ExponentialLR(o, 0.9)]),
        lambda lr, t: lr * 0.9**t * (0.1 if t < 4 else 1),
    ),
    "one_cycle": (  # up until step 17
        lambda m, o: m.OneCycleLR(o, 0.5, total_steps=60),
        lambda lr, t: (
            half_a_cosine(0.5, 0.02, t / 17) if t < 17 else half_a_cosine(2e-6, 0.5, (t - 17) / 42)
        ),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_formula(name: str) -> None:
    make, formula = SCHEDULES[name]
    options = {"momentum": 0.9} if name == "one_cycle" else {}
    got = sequence(make(lr_scheduler, an_optimizer(**options)))
    expected = [[formula(lr, t) for lr in RATES] for t in range(EPOCHS)]
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-16)


THREE_PHASES: dict[str, Any] = {
    **{"epochs": 6, "steps_per_epoch": 10, "three_phase": True, "anneal_strategy": "linear"},
}
PEERS: dict[str, Callable[[Any, Any], Any]] = {
    **{name: make for name, (make, _) in SCHEDULES.items()},
    "three_phases": lambda m, o: m.OneCycleLR(o, [0.5, 0.7], **THREE_PHASES),
}


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", PEERS)
def test_sequence_is_pytorchs(name: str, kind: str) -> None:
    """Momentum included."""
    torch = pytest.importorskip("torch")
    options = {"momentum": 0.9} if kind == "SGD" else {}
    ours = an_optimizer(getattr(optim, kind), **options)
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr} for lr in RATES]
    theirs = getattr(torch.optim, kind)(groups, **options)
    schedule = PEERS[name](lr_scheduler, ours)
    peer = PEERS[name](torch.optim.lr_scheduler, theirs)
    for _ in range(EPOCHS):
        for a, b in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert a["lr"] == pytest.approx(b["lr"], rel=1e-13)
            assert a.get("momentum", 0) == pytest.approx(b.get("momentum", 0), rel=1e-13)
            assert a.get("betas", ()) == pytest.approx(b.get("betas", ()), rel=1e-13)
        theirs.step()
        schedule.step()
        peer.step()


def test_one_cycle_takes_the_momentum_the_other_way() -> None:
    optimizer = an_optimizer(optim.Adam)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=20, pct_start=0.5)
    momenta = []
    for _ in range(20):
        momenta.append(optimizer.param_groups[0]["betas"][0])
        assert optimizer.param_groups[0]["betas"][1] == 0.999
        schedule.step()
    assert momenta[0] == momenta[-1] == 0.95
    assert momenta[9] == min(momenta) == pytest.approx(0.85)
    with pytest.raises(ValueError, match="OneCycleLR: step 21 comes after the last of 20 steps"):
        schedule.step()


def test_warmup_and_another() -> None:
    optimizer = an_optimizer()
    then = lr_scheduler.StepLR(optimizer, 2)
    schedule = lr_scheduler.warmup(optimizer, 3, then)
    got = sequence(schedule, 7)[:, 0]
    np.testing.assert_allclose(got, [0.025, 0.05, 0.075, 0.1, 0.1, 0.01, 0.01], rtol=1e-14)


def test_restarts_within_an_epoch() -> None:
    optimizer = an_optimizer()
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4)
    schedule.step(6.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(half_a_cosine(0, 0.1, 2.5 / 4))
    assert schedule.last_epoch == 6


@pytest.mark.parametrize("name", SCHEDULES)
def test_state_continues_the_sequence(name: str) -> None:
    """Through JSON, as checkpoints do."""
    make = SCHEDULES[name][0]
    options = {"momentum": 0.9} if name == "one_cycle" else {}
    whole = sequence(make(lr_scheduler, an_optimizer(**options)), 20)
    schedule = make(lr_scheduler, an_optimizer(**options))
    sequence(schedule, 8)
    state = json.loads(json.dumps(schedule.state_dict()))
    optimizer = an_optimizer(**options)
    again = make(lr_scheduler, optimizer)
    again.load_state_dict(state)
    assert again.last_epoch == 8
    assert again.get_last_lr() == whole[8].tolist()
    again.step()
    np.testing.assert_array_equal(sequence(again, 11), whole[9:])


def test_last_epoch_goes_on_with_an_optimizer() -> None:
    optimizer = an_optimizer()
    with pytest.raises(ValueError, match="StepLR: last_epoch is 4, but a parameter group has no"):
        lr_scheduler.StepLR(optimizer, 2, last_epoch=4)
    sequence(lr_scheduler.StepLR(optimizer, 2), 5)
    schedule = lr_scheduler.StepLR(optimizer, 2, last_epoch=4)
    assert schedule.get_last_lr() == pytest.approx([0.001, 0.002])


# Losses that fall, stay, and rise again.
LOSSES = [1.0, 0.5, 0.5, 0.5, 0.4999, 0.3, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.2, 0.2, 0.2]
PLATEAUS: dict[str, dict[str, Any]] = {
    "default": {"patience": 2},
    "cooldown": {"patience": 1, "factor": 0.5, "cooldown": 2},
    "max": {"mode": "max", "patience": 3, "threshold": 0.1, "min_lr": [0.05, 0.001]},
    "abs": {"patience": 0, "threshold": 0.1, "threshold_mode": "abs", "factor": 0.9},
    "max_abs": {"mode": "max", "patience": 0, "threshold": 0.01, "threshold_mode": "abs"},
    "eps": {"patience": 0, "eps": 0.015, "factor": 0.8},
}


def test_plateau() -> None:
    """0.4999 is not better than 0.5 by a share of 1e-3: the third bad epoch in a row."""
    optimizer = an_optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, threshold=1e-3)
    rates = []
    for loss in LOSSES:
        schedule.step(cv.tensor(np.array(loss)))
        rates.append(optimizer.param_groups[0]["lr"])
    expected = [0.1] * 4 + [0.01] * 4 + [0.001] * 3 + [1e-4] * 5
    np.testing.assert_allclose(rates, expected, rtol=1e-14)
    again = lr_scheduler.ReduceLROnPlateau(optimizer)
    again.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    assert (again.best, again.num_bad_epochs, again.last_epoch) == (0.2, 2, 16)


@pytest.mark.parametrize("name", PLATEAUS)
def test_plateau_is_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours = an_optimizer()
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr} for lr in RATES]
    theirs = torch.optim.SGD(groups)
    schedule = lr_scheduler.ReduceLROnPlateau(ours, **PLATEAUS[name])
    peer = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **PLATEAUS[name])
    for loss in [*LOSSES, float("nan"), *LOSSES]:
        schedule.step(loss)
        peer.step(loss)
        assert schedule.get_last_lr() == [group["lr"] for group in theirs.param_groups]


M = lr_scheduler
WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "T_max": (lambda o: M.CosineAnnealingLR(o, 0), "CosineAnnealingLR: T_max is 0"),
    "T_0": (lambda o: M.CosineAnnealingWarmRestarts(o, 0), "WarmRestarts: T_0 is 0"),
    "T_mult": (lambda o: M.CosineAnnealingWarmRestarts(o, 1, 0), "T_mult is 0"),
    "step_size": (lambda o: M.StepLR(o, 0), "StepLR: step_size is 0"),
    "start_factor": (lambda o: M.LinearLR(o, 0), "LinearLR: start_factor is 0"),
    "end_factor": (lambda o: M.LinearLR(o, 0.5, 2), "LinearLR: end_factor is 2"),
    "linear_iters": (lambda o: M.LinearLR(o, total_iters=0), "LinearLR: total_iters is 0"),
    "poly_iters": (lambda o: M.PolynomialLR(o, 0), "PolynomialLR: total_iters is 0"),
    "factor": (lambda o: M.ConstantLR(o, 1.5), "ConstantLR: factor is 1.5"),
    "lambdas": (lambda o: M.LambdaLR(o, [abs]), "LambdaLR: there are 1 lr_lambda for 2 groups"),
    "steps": (lambda o: M.OneCycleLR(o, 0.1), "neither total_steps nor epochs"),
    "no_steps": (lambda o: M.OneCycleLR(o, 0.1, 0), "OneCycleLR: there are 0 steps"),
    "pct_start": (lambda o: M.OneCycleLR(o, 0.1, 9, pct_start=2), "pct_start is 2"),
    "strategy": (lambda o: M.OneCycleLR(o, 0.1, 9, anneal_strategy="sin"), "is 'sin'"),  # type: ignore[arg-type]
    "max_lr": (lambda o: M.OneCycleLR(o, [0.1], 9), "max_lr has 1 values for 2 groups"),
    "momentum": (
        lambda o: M.OneCycleLR(an_optimizer(optim.Adagrad), 0.1, 9),
        "Adagrad has no momentum to cycle; pass cycle_momentum=False",
    ),
    "milestones": (
        lambda o: M.SequentialLR(o, [M.StepLR(o, 1)], [3]),
        "SequentialLR: there are 1 milestones for 1 schedulers",
    ),
    "falling": (
        lambda o: M.SequentialLR(o, [M.StepLR(o, 1)] * 3, [3, 2]),
        r"milestones are \[3, 2\]",
    ),
    "foreign": (
        lambda o: M.SequentialLR(o, [M.StepLR(an_optimizer(), 1)], []),
        r"schedulers\[0\] is of another optimizer",
    ),
    "plateau_in_a_sequence": (
        lambda o: M.SequentialLR(o, [M.ReduceLROnPlateau(o)], []),  # type: ignore[list-item]
        r"schedulers\[0\] is a ReduceLROnPlateau, expected an LRScheduler",
    ),
    "nothing": (lambda o: M.ChainedScheduler([]), "there are no schedulers to chain"),
    "warmup": (lambda o: M.warmup(o, 0, M.StepLR(o, 1)), "warmup: steps is 0"),
    "mode": (lambda o: M.ReduceLROnPlateau(o, "low"), "mode is 'low'"),  # type: ignore[arg-type]
    "plateau_factor": (lambda o: M.ReduceLROnPlateau(o, factor=1.0), "factor is 1.0"),
    "threshold_mode": (
        lambda o: M.ReduceLROnPlateau(o, threshold_mode="x"),  # type: ignore[arg-type]
        "threshold_mode is 'x'",
    ),
    "min_lr": (lambda o: M.ReduceLROnPlateau(o, min_lr=[0.1]), "min_lr has 1 values for 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options(name: str) -> None:
    call, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        call(an_optimizer())


def test_the_base_class_has_no_rates() -> None:
    with pytest.raises(NotImplementedError):
        M.LRScheduler(an_optimizer())
