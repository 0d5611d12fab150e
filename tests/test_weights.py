"""Callbacks that clip gradients and average weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import nn, optim
from convolith.cli import main
from convolith.data import DataLoader, TensorDataset
from convolith.train import (
    LAST,
    AverageWeights,
    Callback,
    ClipGradients,
    DeadReLU,
    EarlyStopping,
    GradientNorm,
    Trainer,
    load_checkpoint,
    load_model,
    recipe,
)
from test_callbacks import Script, weights
from test_cli import mnist  # noqa: F401  a fixture
from test_train import make, network, untimed


def trained(directory: Path | None, *callbacks: Any, epochs: int = 3) -> Trainer:
    """A run whose callbacks may be made of the model."""
    trainer, *loaders = make(directory)
    trainer.callbacks = [c(trainer.model) if isinstance(c, type(make)) else c for c in callbacks]
    trainer.fit(*loaders, epochs=epochs)
    return trainer


class Gradients(Callback):
    """Keeps the gradients of every step."""

    def __init__(self) -> None:
        self.steps: list[np.ndarray] = []

    def on_step_begin(self, trainer: Trainer) -> None:
        arrays = [p.grad.numpy().ravel() for p in trainer.model.parameters() if p.grad is not None]
        self.steps.append(np.concatenate(arrays))


def test_gradients_are_clipped_before_the_step() -> None:
    before, after = Gradients(), Gradients()
    trained(None, before, ClipGradients(norm=0.1), after)
    for raw, clipped in zip(before.steps, after.steps, strict=True):
        norm = float(np.linalg.norm(raw))
        np.testing.assert_allclose(clipped, raw * min(1, 0.1 / (norm + 1e-6)), rtol=1e-5)
    before, after = Gradients(), Gradients()
    trained(None, before, ClipGradients(value=0.01), after)
    for raw, clipped in zip(before.steps, after.steps, strict=True):
        np.testing.assert_array_equal(clipped, raw.clip(np.float32(-0.01), np.float32(0.01)))
    both = Gradients()
    trained(None, ClipGradients(norm=0.1, value=0.01), both)
    assert max(abs(step).max() for step in both.steps) <= np.float32(0.01)
    assert max(float(np.linalg.norm(step)) for step in both.steps) <= 0.1 + 1e-6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "expected norm or value, and neither is given"),
        ({"norm": 0}, "norm is 0, expected more than 0"),
        ({"value": -1.0}, "value is -1.0, expected more than 0"),
    ],
)
def test_wrong_arguments(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=f"ClipGradients: {words}"):
        ClipGradients(**options)


class Way(Callback):
    """Keeps the weights after every step."""

    def __init__(self, model: nn.Module) -> None:
        self.first = {name: p.numpy().astype(np.float64) for name, p in model.named_parameters()}
        self.steps: list[dict[str, np.ndarray]] = []

    def on_step_end(self, trainer: Trainer) -> None:
        named = trainer.model.named_parameters()
        self.steps.append({name: p.numpy().astype(np.float64) for name, p in named})

    def average(self, decay: float) -> dict[str, np.ndarray]:
        """By the formula."""
        average = dict(self.first)
        for step in self.steps:
            average = {k: decay * a + (1 - decay) * step[k] for k, a in average.items()}
        return average


def average(model: nn.Module) -> AverageWeights:
    return AverageWeights(model, 0.8)


def test_training_ends_with_the_averages_and_goes_on_without(tmp_path: Path) -> None:
    plain = trained(tmp_path)
    raw, _ = load_checkpoint(tmp_path / LAST)
    trainer, *loaders = make(tmp_path)
    path = Way(trainer.model)
    trainer.callbacks = [path, average(trainer.model)]
    trainer.fit(*loaders, epochs=3)
    expected = path.average(0.8)
    for name, array in expected.items():
        np.testing.assert_allclose(weights(trainer)[name], array, rtol=1e-4, atol=1e-6)
    assert [row["loss"] for row in trainer.history] == [row["loss"] for row in plain.history]
    assert trainer.history[-1]["val_loss"] != plain.history[-1]["val_loss"]

    arrays, _ = load_checkpoint(tmp_path / LAST)
    for name, array in raw.items():
        np.testing.assert_array_equal(arrays[name], array)
    fresh = network()
    load_model(fresh, tmp_path / LAST)
    for name, tensor in fresh.state_dict().items():
        np.testing.assert_array_equal(tensor, weights(trainer)[name])
    trainer.callbacks = []
    assert trainer.evaluate(loaders[1])["loss"] == trainer.history[-1]["val_loss"]


def test_averages_are_resumed_to_the_same_bits(tmp_path: Path) -> None:
    whole = trained(None, average, epochs=4)
    trained(tmp_path, average, epochs=2)
    trainer, *loaders = make(tmp_path)
    trainer.callbacks = [average(trainer.model)]
    trainer.resume(tmp_path / LAST)
    trainer.fit(*loaders, epochs=4)
    assert untimed(trainer.history) == untimed(whole.history)
    for name, array in weights(whole).items():
        assert array.tobytes() == weights(trainer)[name].tobytes()


def test_the_best_weights_are_the_averages_that_were_measured() -> None:
    best = trained(None, average, epochs=2)
    script = Script("score", [2, 1, 3, 4])
    stopping = EarlyStopping("score", patience=2, restore_best=True)
    stopped = trained(None, script, stopping, average, epochs=9)
    assert stopped.epoch == 4
    for name, array in weights(best).items():
        assert array.tobytes() == weights(stopped)[name].tobytes()


def on_device(device: str, precision: Any, directory: Path) -> Trainer:
    """Two epochs with everything that reads or writes weights and gradients."""
    cv.manual_seed(0)
    images = np.random.default_rng(0).normal(size=(24, 1, 6, 6)).astype(np.float32)
    data = TensorDataset(images, np.arange(24) % 2)
    layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
    model = nn.Sequential(*layers).to(device)
    callbacks = [
        GradientNorm(),
        ClipGradients(norm=1.0, value=0.5),
        DeadReLU(),
        EarlyStopping(restore_best=True),
        AverageWeights(model, 0.9),
    ]
    optimizer = optim.SGD(model.parameters(), 0.05)
    options: dict[str, Any] = {"precision": precision, "directory": directory, "accumulate": 2}
    trainer = Trainer(model, optimizer, callbacks=callbacks, **options)
    trainer.fit(DataLoader(data, 5, shuffle=True), DataLoader(data, 12), epochs=2)
    return trainer


@pytest.mark.skipif("emu" not in cv.devices(), reason="the emulator is not built")
def test_callbacks_do_the_same_on_a_device(tmp_path: Path) -> None:
    here, there = (on_device(device, "float32", tmp_path / device) for device in ("cpu", "emu"))
    for row, other in zip(untimed(here.history), untimed(there.history), strict=True):
        assert other == pytest.approx(row, rel=1e-3)
    for name, array in weights(here).items():
        np.testing.assert_allclose(weights(there)[name], array, rtol=1e-3, atol=1e-4)
    again = on_device("emu", "float16", tmp_path / "half")
    assert again.history[-1]["val_loss"] == pytest.approx(here.history[-1]["val_loss"], rel=0.1)
    again.resume(tmp_path / "half" / LAST)
    assert again.epoch == 2


def test_the_command_line_clips_and_averages(
    mnist: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--epochs", "2", "--ema", "0.9", "--clip-norm", "1", "--clip-value", "0.1"]
    assert main(["train", "--data", str(mnist), "--out", str(tmp_path), *options]) == 0
    said = capsys.readouterr().out
    assert main(["eval", str(tmp_path / LAST), "--data", str(mnist)]) == 0
    assert capsys.readouterr().out.strip().split("\n")[0] in said
    model, _, _ = recipe.load_classifier(tmp_path / LAST)
    arrays, _ = load_checkpoint(tmp_path / LAST)
    assert not np.array_equal(model.state_dict()["c1.weight"], arrays["c1.weight"])
