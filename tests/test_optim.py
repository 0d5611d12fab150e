"""Optimizers: a few steps by hand, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import nn, optim
from convolith.optim.lr_scheduler import CosineAnnealingLR

START = np.array([1.0, -2.0])
GRADS = (np.array([0.5, 1.0]), np.array([-1.0, 0.25]), np.array([2.0, 0.0]))


def steps(kind: Any, **options: Any) -> np.ndarray:
    """Where `START` is after a step along each of `GRADS`."""
    parameter = nn.Parameter(START.copy())
    optimizer = kind([parameter], **options)
    for grad in GRADS:
        optimizer.zero_grad()
        assert parameter.grad is None
        parameter.grad = cv.tensor(grad)
        optimizer.step()
    return parameter.numpy()


def test_sgd() -> None:
    np.testing.assert_allclose(steps(optim.SGD, lr=0.1), START - 0.1 * sum(GRADS), rtol=1e-14)


@pytest.mark.parametrize(("nesterov", "dampening"), [(False, 0.0), (False, 0.5), (True, 0.0)])
def test_sgd_with_everything(nesterov: bool, dampening: float) -> None:
    p, v = START.copy(), None
    for grad in GRADS:
        g = grad + 0.01 * p
        v = g if v is None else 0.9 * v + (1 - dampening) * g
        p -= 0.1 * (g + 0.9 * v if nesterov else v)
    options = {"momentum": 0.9, "dampening": dampening, "nesterov": nesterov}
    got = steps(optim.SGD, lr=0.1, weight_decay=0.01, **options)
    np.testing.assert_allclose(got, p, rtol=1e-14)


def test_adam() -> None:
    p, m, s = START.copy(), np.zeros(2), np.zeros(2)
    for t, grad in enumerate(GRADS, 1):
        g = grad + 0.01 * p
        m = 0.8 * m + 0.2 * g
        s = 0.95 * s + 0.05 * g * g
        p -= 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(s / (1 - 0.95**t)) + 1e-6)
    got = steps(optim.Adam, lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.01)
    np.testing.assert_allclose(got, p, rtol=1e-13)


def test_groups_have_their_own_options() -> None:
    a, b, frozen = (nn.Parameter(START.copy()) for _ in range(3))
    optimizer = optim.SGD([{"params": [a], "lr": 1.0}, {"params": [b, frozen]}], lr=0.5)
    a.grad = b.grad = cv.tensor(GRADS[0])
    optimizer.step()
    np.testing.assert_array_equal(a, START - GRADS[0])
    np.testing.assert_array_equal(b, START - 0.5 * GRADS[0])
    np.testing.assert_array_equal(frozen, START)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("kind", "options"),
    [(optim.SGD, {"momentum": 0.9}), (optim.Adam, {"betas": (0.5, 0.9)})],
)
def test_state_dict_continues_to_the_same_bits(kind: Any, options: dict[str, Any]) -> None:
    expected = steps(kind, lr=0.1, **options)
    parameter = nn.Parameter(START.copy())
    optimizer = kind([parameter], lr=0.1, **options)
    for number, grad in enumerate(GRADS):
        if number == 2:
            state = optimizer.state_dict()
            optimizer = kind([parameter], lr=7.0)
            optimizer.load_state_dict(state)
        parameter.grad = cv.tensor(grad)
        optimizer.step()
    np.testing.assert_array_equal(parameter, expected)


def test_state_of_another_optimizer_is_refused() -> None:
    one = optim.SGD([nn.Parameter(START)], momentum=0.9)
    two = optim.SGD([nn.Parameter(START), nn.Parameter(START)])
    with pytest.raises(ValueError, match=r"SGD: the state is for groups of \[1\].*has \[2\]"):
        two.load_state_dict(one.state_dict())
    state = one.state_dict()
    state["state"] = {0: {"momentum_buffer": np.zeros(3)}}
    with pytest.raises(ValueError, match=r"momentum_buffer of parameter 0 is \(3,\)"):
        one.load_state_dict(state)
    assert one.state == {}


WRONG = {
    "nothing": (lambda: optim.SGD([]), "SGD: there are no parameters"),
    "lr": (lambda: optim.SGD([nn.Parameter(START)], lr=-1), "SGD: lr is -1"),
    "momentum": (lambda: optim.SGD([nn.Parameter(START)], momentum=-1), "momentum is -1"),
    "nesterov": (
        lambda: optim.SGD([nn.Parameter(START)], nesterov=True),
        "nesterov needs momentum above 0 and dampening 0, not 0.0 and 0.0",
    ),
    "betas": (
        lambda: optim.Adam([nn.Parameter(START)], betas=(0.9, 1.0)),
        r"Adam: betas are \(0.9, 1.0\)",
    ),
    "eps": (lambda: optim.Adam([nn.Parameter(START)], eps=-1), "Adam: eps is -1"),
    "T_max": (
        lambda: CosineAnnealingLR(optim.SGD([nn.Parameter(START)]), 0),
        "CosineAnnealingLR: T_max is 0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options(name: str) -> None:
    call, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        call()


def test_the_base_class_updates_nothing() -> None:
    parameter = nn.Parameter(START.copy())
    parameter.grad = cv.tensor(GRADS[0])
    with pytest.raises(NotImplementedError):
        optim.Optimizer([parameter], {"lr": 1.0}).step()


def test_nesterov_needs_momentum_in_every_group() -> None:
    with pytest.raises(ValueError, match="nesterov needs momentum"):
        optim.SGD([{"params": [nn.Parameter(START)], "momentum": 0.0}], momentum=0.9, nesterov=True)


def test_maximize_is_the_step_along_the_negative_gradient() -> None:
    for kind in (optim.SGD, optim.Adam, optim.RMSprop, optim.LAMB):
        up = steps(kind, lr=0.1, maximize=True)
        parameter = nn.Parameter(START.copy())
        optimizer = kind([parameter], lr=0.1)
        for grad in GRADS:
            parameter.grad = cv.tensor(-grad)
            optimizer.step()
        np.testing.assert_array_equal(parameter, up)


def test_l1_pulls_to_zero_by_the_same_amount_everywhere() -> None:
    parameter = nn.Parameter(np.array([3.0, -0.5, 0.0]))
    optimizer = optim.SGD([parameter], lr=0.1, l1=2.0)
    parameter.grad = cv.tensor(np.zeros(3))
    optimizer.step()
    np.testing.assert_allclose(parameter, [2.8, -0.3, 0.0], rtol=1e-15)


def test_velocity_as_a_running_mean_is_dampening() -> None:
    """v = beta v + (1 - beta) g, from v = g on."""
    p, v = START.copy(), GRADS[0]
    for number, grad in enumerate(GRADS):
        v = 0.9 * v + 0.1 * grad if number else v
        p = p - 0.1 * v
    got = steps(optim.SGD, lr=0.1, momentum=0.9, dampening=0.9)
    np.testing.assert_allclose(got, p, rtol=1e-14)


def test_a_group_that_is_added_is_optimized() -> None:
    a, b = nn.Parameter(START.copy()), nn.Parameter(START.copy())
    optimizer = optim.SGD([a], lr=0.5, momentum=0.9)
    a.grad = b.grad = cv.tensor(GRADS[0])
    optimizer.step()
    np.testing.assert_array_equal(b, START)
    optimizer.add_param_group({"params": b, "lr": 1.0})
    optimizer.step()
    np.testing.assert_array_equal(b, START - GRADS[0])
    assert optimizer.param_groups[1]["momentum"] == 0.9
    assert set(optimizer.state) == {0, 1}
    with pytest.raises(ValueError, match="SGD: a parameter is given more than once"):
        optimizer.add_param_group({"params": [b]})
    with pytest.raises(ValueError, match="SGD: lr is -1"):
        optimizer.add_param_group({"params": [nn.Parameter(START)], "lr": -1})
    assert len(optimizer.param_groups) == 2


def test_gradients_are_forgotten_or_zero() -> None:
    parameter = nn.Parameter(START.copy())
    optimizer = optim.SGD([parameter, nn.Parameter(START)])
    parameter.grad = grad = cv.tensor(GRADS[0])
    optimizer.zero_grad(set_to_none=False)
    assert parameter.grad is grad
    np.testing.assert_array_equal(grad, 0)
    optimizer.zero_grad()
    assert parameter.grad is None


def test_gradients_of_several_backwards_add_up() -> None:
    parameter = nn.Parameter(START.copy())
    optimizer = optim.SGD([parameter], lr=0.5)
    for grad in GRADS:
        (parameter * cv.tensor(grad)).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(parameter, START - 0.5 * sum(GRADS), rtol=1e-15)


def test_a_closure_computes_the_loss() -> None:
    parameter = nn.Parameter(START.copy())
    optimizer = optim.SGD([parameter], lr=0.25)

    def closure() -> cv.Tensor:
        optimizer.zero_grad()
        loss = (parameter * parameter).sum()
        loss.backward()
        return loss

    assert [optimizer.step(closure).item() for _ in range(2)] == [5.0, 1.25]
    assert optimizer.step() is None


@pytest.mark.parametrize(
    "kind", [optim.AdamW, optim.NAdam, optim.Adamax, optim.LAMB, optim.Adagrad, optim.RMSprop]
)
def test_every_state_continues_to_the_same_bits(kind: Any) -> None:
    test_state_dict_continues_to_the_same_bits(kind, {"weight_decay": 0.1})
