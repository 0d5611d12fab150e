"""Gradients along with training: accumulated over batches, measured, and dead behind a ReLU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import nn, optim
from convolith.data import DataLoader, TensorDataset
from convolith.train import Callback, DeadReLU, GradientNorm, Trainer
from test_callbacks import run, weights

# Accumulation


def still(batch_size: int, accumulate: int, kind: Any = optim.SGD, device: str = "cpu") -> Trainer:
    """A run of two epochs over 25 images, without what looks at a batch as a whole."""
    cv.manual_seed(2)
    rng = np.random.default_rng(0)
    images = TensorDataset(rng.normal(size=(25, 4)).astype(np.float32), np.arange(25) % 3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).to(device)
    trainer = Trainer(model, kind(model.parameters(), lr=0.1), accumulate=accumulate)
    trainer.fit(DataLoader(images, batch_size, shuffle=True), epochs=2)
    return trainer


@pytest.mark.parametrize(("batch_size", "accumulate"), [(4, 2), (2, 4), (1, 8), (3, 3), (9, 1)])
def test_accumulated_batches_are_one_large_one(batch_size: int, accumulate: int) -> None:
    """Also where the last batch is smaller, and the last step has fewer batches."""
    whole, parts = still(batch_size * accumulate, 1), still(batch_size, accumulate)
    for name, array in weights(whole).items():
        np.testing.assert_allclose(weights(parts)[name], array, rtol=1e-5, atol=1e-6)
    losses = [[row["loss"] for row in trainer.history] for trainer in (whole, parts)]
    np.testing.assert_allclose(losses[1][0], losses[0][0], rtol=1e-5)


@pytest.mark.skipif("emu" not in cv.devices(), reason="the emulator is not built")
def test_accumulation_on_a_device() -> None:
    for name, array in weights(still(8, 1)).items():
        np.testing.assert_allclose(
            weights(still(4, 2, device="emu"))[name], array, rtol=1e-4, atol=1e-5
        )


# Gradients and activations


def test_gradient_norms_are_those_of_the_layers() -> None:
    seen: list[dict[str, np.ndarray]] = []

    class Spy(Callback):
        def on_step_begin(self, trainer: Trainer) -> None:
            named = trainer.model.named_parameters()
            seen.append({name: p.grad.numpy().copy() for name, p in named if p.grad is not None})

    trainer = run(Spy(), GradientNorm(), epochs=1)
    row = trainer.history[0]
    names = {key for key in row if key.startswith("grad_norm")}
    assert names == {"grad_norm", "grad_norm.0", "grad_norm.1", "grad_norm.5"}
    both = [np.append(g["0.weight"], g["0.bias"]) for g in seen]
    assert row["grad_norm.0"] == pytest.approx(np.mean([np.linalg.norm(g) for g in both]))
    every = [np.linalg.norm(np.concatenate([a.ravel() for a in g.values()])) for g in seen]
    assert row["grad_norm"] == pytest.approx(np.mean(every))
    some = run(GradientNorm(every=2), epochs=1).history[0]
    assert some["grad_norm"] == pytest.approx(np.mean(every[::2]))


def test_sigmoids_make_gradients_vanish_and_relus_do_not() -> None:
    ratios = {}
    for kind in (nn.Sigmoid, nn.ReLU):
        cv.manual_seed(0)
        rng = np.random.default_rng(0)
        images = TensorDataset(rng.normal(size=(64, 16)).astype(np.float32), np.arange(64) % 4)
        layers = [layer for _ in range(6) for layer in (nn.Linear(16, 16), kind())]
        model = nn.Sequential(*layers, nn.Linear(16, 4))
        trainer = Trainer(model, optim.SGD(model.parameters(), 1e-3), callbacks=[GradientNorm()])
        (row,) = trainer.fit(DataLoader(images, 16))
        ratios[kind] = row["grad_norm.0"] / row["grad_norm.12"]
    assert ratios[nn.Sigmoid] < 1e-3
    assert ratios[nn.ReLU] > 10 * ratios[nn.Sigmoid]


@pytest.mark.parametrize("images", [(12, 3), (12, 3, 5, 5)])
def test_dead_relus_are_counted(images: tuple[int, ...]) -> None:
    first = nn.Linear(3, 4) if len(images) == 2 else nn.Conv2d(3, 4, 3)
    first.bias.numpy()[:3] = [-1e3, -1e3, 1e3]  # dead, dead, alive
    features = 4 if len(images) == 2 else 36
    model = nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(features, 2))
    data = TensorDataset(np.random.default_rng(0).random(images, np.float32), np.arange(12) % 2)
    trainer = Trainer(model, optim.SGD(model.parameters(), 1e-6), callbacks=[DeadReLU()])
    first.bias.numpy()[3] = 0.5
    trainer.fit(DataLoader(data, 4), DataLoader(data, 4), epochs=2)
    assert [row["dead_relu.1"] for row in trainer.history] == [0.5, 0.5]
    assert not model[1]._forward_hooks
