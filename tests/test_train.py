"""The training loop: history, checkpoints, and resuming to the same bits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import convolith as cv
from convolith import nn, optim
from convolith.data import DataLoader, RandomShift, TensorDataset, random_split
from convolith.optim.lr_scheduler import CosineAnnealingLR
from convolith.train import BEST, LAST, Trainer, load_checkpoint, load_model, save_checkpoint
from convolith.train.files import writable_directory, write_atomically
from convolith.viz import curves

EPOCHS = 4


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(48, 2),
    )


def make(directory: Path | None, kind: Any = optim.SGD, **options: Any) -> tuple[Trainer, Any, Any]:
    """A small run with everything random in it: initial values, order, shift, dropout."""
    cv.manual_seed(1)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 1, 6, 6)).astype(np.float32)
    labels = (images.mean((1, 2, 3)) > 0).astype(np.int64)
    training, validation = random_split(TensorDataset(images, labels), [45, 15])
    model = network()
    options = {"lr": 0.05, **({"momentum": 0.9} if kind is optim.SGD else {}), **options}
    optimizer = kind(model.parameters(), **options)
    trainer = Trainer(
        model,
        optimizer,
        scheduler=CosineAnnealingLR(optimizer, EPOCHS),
        directory=directory,
        config={"name": "small"},
    )
    loader = DataLoader(training, 10, shuffle=True, transform=RandomShift(1))
    return trainer, loader, DataLoader(validation, 10)


def untimed(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}
        for row in history
    ]


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_resuming_gives_the_same_bits(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole, *loaders = make(tmp_path / "whole", kind)
    whole.fit(*loaders, epochs=EPOCHS)
    first, *loaders = make(tmp_path / "parts", kind)
    first.fit(*loaders, epochs=2)

    second, *loaders = make(tmp_path / "parts", kind)
    nn.Linear(9, 9)  # what else was random in the new process does not matter
    second.resume(tmp_path / "parts" / LAST)
    assert second.epoch == 2
    second.fit(*loaders, epochs=EPOCHS)

    assert untimed(second.history) == untimed(whole.history)
    for name in (BEST, LAST):
        expected, got = (load_file(tmp_path / run / name) for run in ("whole", "parts"))
        assert expected.keys() == got.keys()
        for key, array in expected.items():
            assert array.tobytes() == got[key].tobytes(), key


def test_history_and_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trainer, *loaders = make(tmp_path)
    history = trainer.fit(*loaders, epochs=EPOCHS)
    assert history is trainer.history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[0]["lr"] == 0.05
    assert history[2]["lr"] == pytest.approx(0.025)
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "images_per_second"} < set(history[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEST, LAST]
    assert capfd.readouterr() == ("", "")

    arrays, info = load_checkpoint(tmp_path / LAST)
    assert info["history"] == history
    assert info["config"] == {"name": "small"}
    assert info["version"] == cv.__version__
    state = trainer.model.state_dict()
    assert {key for key in arrays if not key.startswith("optimizer.")} == set(state)
    np.testing.assert_array_equal(arrays["0.weight"], state["0.weight"])
    assert arrays["optimizer.0.momentum_buffer"].shape == (3, 1, 3, 3)

    _, best = load_checkpoint(tmp_path / BEST)
    losses = [row["val_loss"] for row in history]
    assert best["history"][-1]["val_loss"] == min(losses)
    fresh = network()
    assert load_model(fresh, tmp_path / BEST)["config"] == {"name": "small"}
    trainer.model = fresh
    assert trainer.evaluate(loaders[1])["loss"] == min(losses)


def test_without_validation_or_directory() -> None:
    trainer, loader, _ = make(None)
    trainer.scheduler = None
    trainer.fit(loader, epochs=2)
    assert "val_loss" not in trainer.history[0]
    assert trainer.history[0]["lr"] == trainer.history[1]["lr"]
    empty = trainer.evaluate(DataLoader(TensorDataset(np.zeros((0, 1, 6, 6), np.float32))))
    assert all(np.isnan(value) for value in empty.values())


def test_evaluation_has_no_side_effects() -> None:
    trainer, _, loader = make(None)
    before = {key: value.numpy().copy() for key, value in trainer.model.state_dict().items()}
    assert trainer.evaluate(loader) == trainer.evaluate(loader)
    assert trainer.model.training
    for key, value in trainer.model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_labels_may_be_probabilities() -> None:
    trainer, _, loader = make(None)
    indices = np.concatenate([labels.numpy() for _, labels in loader])
    images = np.concatenate([images.numpy() for images, _ in loader])
    sure = np.eye(2, dtype=np.float32)[indices]
    smooth = DataLoader(TensorDataset(images, 0.8 * sure + np.float32(0.1)), 10)
    assert trainer.evaluate(smooth)["accuracy"] == trainer.evaluate(loader)["accuracy"]


def test_a_loss_that_explodes_stops_the_run(tmp_path: Path) -> None:
    trainer, *loaders = make(tmp_path)
    trainer.fit(*loaders, epochs=1)
    whole = (tmp_path / LAST).read_bytes()
    trainer.loss = lambda logits, labels: nn.functional.cross_entropy(logits * np.inf, labels)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ArithmeticError, match=r"train: the loss became nan in epoch 2; a learning"),
    ):
        trainer.fit(*loaders, epochs=3)
    assert (tmp_path / LAST).read_bytes() == whole


def test_a_bar_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    trainer, *loaders = make(None)
    trainer.progress = True
    trainer.fit(*loaders, epochs=2)
    shown = terminal.getvalue()
    for words in ("epoch 2/2", "100%", " images/s", "loss 0.", "accuracy ", "<00:00"):
        assert words in shown


# Files that are not what they should be


def checkpoint(folder: Path) -> Path:
    trainer, *loaders = make(folder)
    trainer.fit(*loaders, epochs=1)
    return folder / LAST


def rewrite(path: Path, change: Any) -> None:
    arrays, info = load_checkpoint(path)
    change(arrays, info)
    save_checkpoint(path, arrays, info)


BAD_FILES = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-100]), "no whole safetensors file"),
    "cut in the header": (lambda p: p.write_bytes(p.read_bytes()[:50]), "no whole safetensors"),
    "empty": (lambda p: p.write_bytes(b""), "no whole safetensors file"),
    "pickle": (lambda p: p.write_bytes(b"\x80\x04K\x01." * 9), "no whole safetensors file"),
    "foreign": (
        lambda p: save_file({"w": np.zeros(2)}, p),
        "a safetensors file, but no checkpoint of convolith",
    ),
    "foreign metadata": (
        lambda p: save_file({"w": np.zeros(2)}, p, {"convolith": "{"}),
        "a safetensors file, but no checkpoint of convolith",
    ),
    "future": (
        lambda p: save_file({"w": np.zeros(2)}, p, {"convolith": json.dumps({"format": 9})}),
        "checkpoint format 9, and this version reads 1",
    ),
    "other model": (
        lambda p: rewrite(p, lambda arrays, info: arrays.pop("0.weight")),
        "a checkpoint of another model: Sequential: cannot load .* missing keys 0.weight",
    ),
    "other optimizer": (
        lambda p: rewrite(p, lambda arrays, info: info.update(optimizer="Adam")),
        "a run with Adam, and the optimizer is SGD",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_checkpoint_is_explained_and_loads_nothing(tmp_path: Path, name: str) -> None:
    spoil, words = BAD_FILES[name]
    path = checkpoint(tmp_path)
    spoil(path)
    trainer, *_ = make(None)
    before = {key: value.numpy().copy() for key, value in trainer.model.state_dict().items()}
    with pytest.raises(ValueError, match=words) as caught:
        trainer.resume(path)
    assert str(caught.value).startswith(str(path))
    assert trainer.epoch == 0
    for key, value in trainer.model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_a_missing_checkpoint_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        load_checkpoint(tmp_path)


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="output folder not writable: No space left"):
        writable_directory(tmp_path)


def test_writable_directory(tmp_path: Path) -> None:
    assert writable_directory(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"file.x: output folder not writable: Not a directory"):
        writable_directory(tmp_path / "file" / "x")


def test_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from PIL import Image

    rows = [
        {"epoch": n, "loss": 1 / n, "accuracy": 1 - 1 / n, "val_loss": 2 / n, "val_accuracy": 0.5}
        for n in range(1, 6)
    ]
    curves(rows, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.size == (1500, 600)
        assert len(image.convert("RGB").getcolors(10**6) or []) > 50
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "convolith\[plot\]"'):
        curves(rows, tmp_path / "curves.png")
