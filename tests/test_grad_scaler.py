"""The scaler of mixed precision, and the trainer that uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import nn, optim
from convolith import primitives as P
from convolith.amp import GradScaler, autocast
from convolith.data import DataLoader, TensorDataset
from convolith.nn import functional as F
from convolith.tensor import Tensor
from convolith.train import LAST, Trainer, load_checkpoint
from test_autocast import gradient_of, halves, images, network, random, there

pytestmark = pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")


def overflowing(scaler: GradScaler, model: nn.Module) -> Tensor:
    """Backward through a linear layer in float16; the gradient of its output is the scale."""
    with autocast("emu", "float16"):
        y = model(there(np.ones((2, 8))))
        loss = F.cross_entropy(y, cv.tensor([0, 1]).to("emu"), reduction="sum")
    scaler.scale(loss).backward()
    return loss


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_an_overflow_costs_a_step_and_half_of_the_scale(kind: Any) -> None:
    model = nn.Linear(8, 8).to("emu")
    optimizer = kind(model.parameters(), lr=0.1)
    scaler = GradScaler("emu", init_scale=2.0**18)  # float16 ends at 2^16
    before = {name: p.numpy() for name, p in model.named_parameters()}
    scales = []
    for _ in range(10):
        optimizer.zero_grad()
        overflowing(scaler, model)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        changed = [np.any(p.numpy() != before[name]) for name, p in model.named_parameters()]
        if not scaler.state_dict()["_growth_tracker"]:
            assert not any(changed)
            assert optimizer.state == {}
            continue
        assert all(changed)
        break
    assert scales[0] == 2.0**17
    assert len(scales) > 1
    assert scales[-1] == scales[-2] == 2.0 ** (18 - len(scales) + 1)
    assert all(np.isfinite(p.numpy()).all() for p in model.parameters())


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("device", ["cpu", "emu"])
def test_one_bad_number_in_one_gradient_is_found(device: str, bad: float) -> None:
    parameters = [nn.Parameter(np.ones(n, np.float32)) for n in (3, 700, 5)]
    for parameter in parameters:
        parameter._array = Tensor(parameter._array).to(device)._array
        parameter.grad = Tensor(np.ones(parameter.shape, np.float32)).to(device)
    gradient = np.ones(700, np.float32)
    gradient[699] = bad
    parameters[1].grad = Tensor(gradient).to(device)
    optimizer = optim.SGD(parameters, lr=1.0)
    scaler = GradScaler(device, init_scale=4.0)
    scaler.step(optimizer)
    scaler.update()
    assert all(np.all(p.numpy() == 1) for p in parameters)
    assert scaler.get_scale() == 2.0
    for parameter in parameters:
        parameter.grad = Tensor(np.ones(parameter.shape, np.float32)).to(device)
    scaler.step(optimizer)
    scaler.update()
    assert all(np.all(p.numpy() == 0.5) for p in parameters)
    assert scaler.get_scale() == 2.0


def one_step(scaler: GradScaler, optimizer: Any, gradient: float) -> None:
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = there(np.full(parameter.shape, gradient))
    scaler.step(optimizer)
    scaler.update()


def weight_and_optimizer() -> tuple[nn.Parameter, Any]:
    w = nn.Parameter(random(8)._array)
    return w, optim.SGD([w], lr=0.1)


def test_the_scale_grows_after_good_steps_in_a_row() -> None:
    _, optimizer = weight_and_optimizer()
    scaler = GradScaler("emu", init_scale=8.0, growth_interval=3)
    scales = []
    for gradient in (1, 1, 1, 1, 1, np.inf, 1, 1, 1, 1):
        one_step(scaler, optimizer, gradient)
        scales.append(scaler.get_scale())
    assert scales == [8, 8, 16, 16, 16, 8, 8, 8, 16, 16]


def test_the_scale_stays_a_number_whose_inverse_is_one() -> None:
    w, optimizer = weight_and_optimizer()
    scaler = GradScaler("emu", init_scale=1e-37, growth_interval=1, growth_factor=1e6)
    for _ in range(8):
        one_step(scaler, optimizer, np.nan)
    assert scaler.get_scale() == 2.0**-126
    for _ in range(15):
        one_step(scaler, optimizer, 0)
    assert scaler.get_scale() == 2.0**126
    assert np.isfinite(w.numpy()).all()


def test_unscaled_gradients_are_those_without_a_scaler() -> None:
    model, x = network().to("emu"), random(4, 3, 8, 8)
    target = cv.tensor([0, 1, 2, 3]).to("emu")
    F.cross_entropy(model(x), target).backward()
    expected = {name: gradient_of(p) for name, p in model.named_parameters()}
    model.zero_grad()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scaler = GradScaler("emu")
    loss = scaler.scale(F.cross_entropy(model(x), target))
    loss.backward()
    scaler.unscale_(optimizer)
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(gradient_of(p), expected[name])  # powers of 2 round nothing
    scaler.step(optimizer)
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(gradient_of(p), expected[name])  # and not once more


def test_each_optimizer_is_judged_by_its_own_gradients() -> None:
    (w, first), (v, second) = weight_and_optimizer(), weight_and_optimizer()
    before = w.numpy()
    scaler = GradScaler("emu")
    w.grad, v.grad = there(np.full(8, np.inf)), there(np.ones(8))
    scaler.step(first)
    scaler.step(second)
    scaler.update()
    np.testing.assert_array_equal(w.numpy(), before)
    assert np.all(v.numpy() != before)
    assert scaler.get_scale() == 2.0**15


def test_without_being_enabled_it_does_nothing() -> None:
    w, optimizer = weight_and_optimizer()
    scaler = GradScaler("emu", enabled=False)
    loss = random(3)
    assert scaler.scale(loss) is loss
    w.grad = there(np.full(8, np.inf))
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert np.isinf(w.numpy()).all()
    assert (scaler.get_scale(), scaler.state_dict()) == (1.0, {})
    scaler.load_state_dict({})


def test_its_state_goes_on() -> None:
    _, optimizer = weight_and_optimizer()
    scaler = GradScaler("emu", 4.0, growth_factor=4.0, growth_interval=3)
    one_step(scaler, optimizer, 1)
    one_step(scaler, optimizer, 1)
    other = GradScaler("emu")
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()
    one_step(other, optimizer, 1)
    assert other.get_scale() == 16.0


def test_found_inf_stays_in_one_place_of_the_device() -> None:
    """So that what was captured on a GPU finds it there again."""
    _, optimizer = weight_and_optimizer()
    scaler = GradScaler("emu")
    places = []
    for gradient in (1, np.inf, 1):
        one_step(scaler, optimizer, gradient)
        run = scaler._runs[optimizer]
        scalars = (run.found_inf, scaler._factor, scaler._inverse)
        places.append([np.from_dlpack(a).ctypes.data for a in scalars])
    assert places[0] == places[1] == places[2]


# Training


def trainer(directory: Path | None, precision: Any, device: str = "emu") -> tuple[Trainer, Any]:
    cv.manual_seed(2)
    model = network().to(device)
    loader = DataLoader(TensorDataset(*images(24)), 8, shuffle=True)
    optimizer = optim.SGD(model.parameters(), 0.05, momentum=0.9)
    return Trainer(model, optimizer, directory=directory, precision=precision), loader


@halves
def test_a_trainer_resumes_to_the_same_bits(tmp_path: Path, half: str) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    runs = []
    for folder, epochs in (("whole", (3,)), ("parts", (2, 3))):
        for until in epochs:
            run, loader = trainer(tmp_path / folder, half)
            if run.scaler.state_dict():
                run.scaler._growth_interval = 5
            if until != epochs[0]:
                run.resume(tmp_path / folder / LAST)
            run.fit(loader, loader, epochs=until)
        runs.append(run)
    whole, parts = runs
    arrays, info = load_checkpoint(tmp_path / "whole" / LAST)
    again, state = load_checkpoint(tmp_path / "parts" / LAST)
    assert all(array.tobytes() == again[name].tobytes() for name, array in arrays.items())
    assert all(a.dtype in (np.float32, np.int64) for a in arrays.values())
    assert info["precision"] == half
    assert state["scaler_state"] == info["scaler_state"]
    if half == "float16":
        assert info["scaler_state"]["scale"] == 2.0**17  # 9 steps, of which 5 made it grow
    else:
        assert info["scaler_state"] == {}
    assert [r["val_loss"] for r in parts.history] == [r["val_loss"] for r in whole.history]


@halves
def test_evaluation_is_in_the_same_precision(half: str) -> None:
    run, loader = trainer(None, half)
    seen = []
    run.model.register_forward_hook(lambda module, args, output: seen.append(str(output.dtype)))
    assert np.isfinite(run.evaluate(loader)["loss"])
    assert seen == [half] * 3


def scaled(*calls: str, gradient: Any = np.float32) -> Callable[[], None]:
    """These methods of a scaler, one after the other, on an optimizer with one gradient."""

    def run() -> None:
        w, optimizer = weight_and_optimizer()
        w.grad = random(8, dtype=gradient)
        scaler = GradScaler("emu")
        for call in calls:
            getattr(scaler, call)(*(() if call == "update" else (optimizer,)))

    return run


def resumed_in_another_precision(folder: Path) -> None:
    first, loader = trainer(folder, "float32")
    first.fit(loader, epochs=1)
    trainer(folder, "bfloat16")[0].resume(folder / LAST)


def without_gradient() -> None:
    GradScaler("emu").step(weight_and_optimizer()[1])


INVALID: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "init_scale": (
        lambda: GradScaler("emu", 0.0),
        ValueError,
        "GradScaler: init_scale is 0.0, expected a positive number",
    ),
    "growth_factor": (
        lambda: GradScaler("emu", growth_factor=1.0),
        ValueError,
        "growth_factor is 1.0, expected more than 1",
    ),
    "backoff_factor": (
        lambda: GradScaler("emu", backoff_factor=1.0),
        ValueError,
        "backoff_factor is 1.0, expected between 0 and 1",
    ),
    "growth_interval": (
        lambda: GradScaler("emu", growth_interval=0),
        ValueError,
        "growth_interval is 0, expected at least 1",
    ),
    "unscaled twice": (
        scaled("unscale_", "unscale_"),
        RuntimeError,
        r"GradScaler: the gradients are unscaled already; call update\(\) first",
    ),
    "unscaled late": (
        scaled("step", "unscale_"),
        RuntimeError,
        "the gradients are stepped already",
    ),
    "stepped twice": (scaled("step", "step"), RuntimeError, "the gradients are stepped already"),
    "updated early": (
        scaled("update"),
        RuntimeError,
        r"GradScaler: update\(\) comes after step\(\), and there was none",
    ),
    "updated twice": (scaled("step", "update", "update"), RuntimeError, "there was none"),
    "no gradient": (
        without_gradient,
        RuntimeError,
        r"GradScaler: no parameter of SGD has a gradient; call scale\(loss\).backward\(\) first",
    ),
    "gradients of halves": (
        scaled("step", gradient=np.float16),
        ValueError,
        "GradScaler: gradients are float16, expected float32; keep the parameters in float32",
    ),
    "loss elsewhere": (
        lambda: GradScaler("emu").scale(cv.tensor(1.0)),
        ValueError,
        "scale: x is on cpu but factor is on emu",
    ),
    "empty state": (
        lambda: GradScaler("emu").load_state_dict({}),
        RuntimeError,
        "GradScaler: the state is empty",
    ),
    "factor of a half": (
        lambda: P.scale_forward(random(3, dtype=np.float16)._array, there(2, np.float16)._array),
        TypeError,
        "scale: factor must be float32 beside x of float16, got float16",
    ),
    "precision": (
        lambda: trainer(None, "half"),
        ValueError,
        "Trainer: precision is 'half', expected one of float32, bfloat16, float16",
    ),
    "training on the CPU": (
        lambda: trainer(None, "bfloat16", "cpu"),
        ValueError,
        "the CPU has no kernels for halves",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name: str) -> None:
    call, error, words = INVALID[name]
    with pytest.raises(error, match=words):
        call()


def test_a_run_goes_on_in_its_own_precision(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a run in float32, and this one is in bfloat16"):
        resumed_in_another_precision(tmp_path)
