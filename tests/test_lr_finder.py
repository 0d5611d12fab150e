"""The learning rate range test, and the example that searches for hyperparameters."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith import optim
from convolith.data import DataLoader, TensorDataset
from convolith.train import GradientNorm, lr_find
from convolith.train.lr_finder import smooth, steepest
from test_train import EPOCHS, make, untimed

EXAMPLE = Path(__file__).parent.parent / "examples" / "tune.py"


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_everything_is_put_back(kind: Any) -> None:
    """Before training and in its midst: what follows has the bits that it would have had."""
    plain, *loaders = make(None, kind)
    plain.fit(*loaders, epochs=EPOCHS)
    tried, *loaders = make(None, kind)
    tried.callbacks = [GradientNorm()]
    lr_find(tried, loaders[0], steps=20)
    tried.fit(*loaders, epochs=2)
    curve = lr_find(tried, loaders[0], steps=20)
    tried.fit(*loaders, epochs=EPOCHS)
    rows = [{k: v for k, v in row.items() if "norm" not in k} for row in untimed(tried.history)]
    assert rows == untimed(plain.history)
    state = tried.model.state_dict()
    for name, tensor in plain.model.state_dict().items():
        assert tensor.numpy().tobytes() == state[name].numpy().tobytes()
    assert len(curve.lrs) == len(curve.losses) == len(curve.smoothed) <= 20
    assert curve.suggestion in curve.lrs


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_it_ends_where_the_loss_explodes() -> None:
    trainer, loader, _ = make(None)
    curve = lr_find(trainer, loader, start=1e-3, end=1e6, steps=60)
    assert curve.lrs[0] == pytest.approx(1e-3)
    np.testing.assert_allclose(np.diff(np.log(curve.lrs)), math.log(1e9) / 59)
    assert len(curve.lrs) < 60
    assert not curve.smoothed[-1] < 4 * min(curve.smoothed)
    assert all(math.isfinite(loss) for loss in curve.losses[:-1])


def test_the_suggestion_is_the_steepest_descent() -> None:
    lrs = np.geomspace(1e-5, 10, 121)
    fall = 2 - 1.5 / (1 + np.exp(-3 * np.log(lrs / 1e-2)))
    losses = fall + (lrs > 0.5) * (lrs - 0.5) * 9
    assert steepest(lrs.tolist(), losses.tolist()) == pytest.approx(1e-2)


def test_smoothing_begins_at_the_first_value() -> None:
    assert smooth([3.0, 3.0, 3.0], 0.9) == pytest.approx([3, 3, 3])
    assert smooth([1.0, 3.0], 0.5) == pytest.approx([1, (0.25 + 1.5) / 0.75])
    assert smooth([1.0, 3.0], 0) == [1, 3]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": 1, "end": 0.1}, "start is 1, expected 0 < start < end"),
        ({"steps": 2}, "steps is 2, expected at least 3"),
        ({"smoothing": 1}, "smoothing is 1, expected 0 <= smoothing < 1"),
        ({"divergence": 1}, "divergence is 1, expected more than 1"),
        ({"start": 1e9, "end": 1e10}, "the loss never falls from 1e.09 on; choose a smaller"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_arguments(options: dict[str, float], words: str) -> None:
    trainer, loader, _ = make(None)
    with pytest.raises(ValueError, match=f"lr_find: {words}"):
        lr_find(trainer, loader, **options)  # type: ignore[arg-type]


def test_an_empty_loader_is_an_error() -> None:
    trainer, *_ = make(None)
    nothing = TensorDataset(np.zeros((0, 1, 6, 6), np.float32), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="the length of the loader is 0, expected at least 1"):
        lr_find(trainer, DataLoader(nothing))


def test_the_example_finds_something() -> None:
    pytest.importorskip("optuna")
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "6"], capture_output=True, text=True, check=True
    )
    words = done.stdout.split()
    assert words[:2] == ["validation", "accuracy"]
    assert float(words[2].rstrip("%")) > 85
