"""What happens along with training."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith import nn
from convolith.train import (
    BEST,
    LAST,
    Callback,
    CSVLogger,
    DeadReLU,
    EarlyStopping,
    GradientNorm,
    LRScheduler,
    ModelCheckpoint,
    TensorBoard,
    TerminateOnNaN,
    Trainer,
    load_checkpoint,
)
from test_train import make, untimed


class Script(Callback):
    """Writes a given value into the row of each epoch."""

    def __init__(self, name: str, values: list[float]) -> None:
        self.name = name
        self.values = values

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        row[self.name] = self.values[row["epoch"] - 1]


def run(*callbacks: Callback, epochs: int = 4, **options: Any) -> Trainer:
    trainer, *loaders = make(None)
    trainer.callbacks = list(callbacks)
    for name, value in options.items():
        setattr(trainer, name, value)
    trainer.fit(*loaders, epochs=epochs)
    return trainer


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().copy() for name, tensor in trainer.model.state_dict().items()}


def test_hooks_come_in_order() -> None:
    calls: list[str] = []

    class Recorder(Callback):
        def __getattribute__(self, name: str) -> Any:
            if name.startswith("on_"):
                calls.append(name.removeprefix("on_"))
            return super().__getattribute__(name)

    run(Recorder(), epochs=1, accumulate=3)
    batch = ["batch_begin", "batch_end"]
    step = ["batch_begin", "step_begin", "step_end", "batch_end"]
    # 45 images in batches of 10: steps after the third batch and the fifth. Ends are looked up
    # when training begins.
    assert calls[:2] == ["train_begin", "train_end"]
    assert calls[2:] == [
        "epoch_begin",
        *(2 * batch + step),
        *(batch + step),
        "evaluate_begin",
        "evaluate_end",
        "epoch_end",
    ]


def test_callbacks_change_nothing_of_training() -> None:
    plain = run()
    watched = run(GradientNorm(), DeadReLU(), TerminateOnNaN(), EarlyStopping(patience=9))
    for row, more in zip(untimed(plain.history), watched.history, strict=True):
        assert row.items() <= more.items()
    for name, array in weights(plain).items():
        assert array.tobytes() == weights(watched)[name].tobytes()


# Early stopping


@pytest.mark.parametrize(
    ("values", "options", "epochs"),
    [
        ([3, 2, 1, 2, 2, 0], {"patience": 2}, 5),
        ([3, 2, 1, 2, 2, 0], {"patience": 3}, 6),
        ([1, 2, 3, 2, 4, 0], {"patience": 1, "mode": "max"}, 4),
        ([3, 2.9, 2.8, 2.7, 2.6, 2.5], {"patience": 2, "min_delta": 0.15}, 6),
        ([3, 2.9, 2.8, 2.7, 2.6, 2.5], {"patience": 2, "min_delta": 1}, 3),
        ([1, 1, 1, 1, 1, 1], {"patience": 3}, 4),
        ([math.nan, 5, math.nan, 4, math.nan, math.nan], {"patience": 2}, 6),
    ],
)
def test_early_stopping(values: list[float], options: Any, epochs: int) -> None:
    trainer = run(Script("score", values), EarlyStopping("score", **options), epochs=6)
    assert trainer.epoch == epochs


@pytest.mark.parametrize("resumed", [False, True])
def test_early_stopping_restores_the_best_weights(tmp_path: Path, resumed: bool) -> None:
    def stopping() -> list[Callback]:
        return [
            Script("score", [2, 1, 3, 4]),
            EarlyStopping("score", patience=2, restore_best=True),
            ModelCheckpoint(tmp_path, "score"),
        ]

    trainer, *loaders = make(None)
    trainer.callbacks = stopping()
    if resumed:
        trainer.fit(*loaders, epochs=3)
        trainer, *loaders = make(None)
        trainer.callbacks = stopping()
        trainer.resume(tmp_path / LAST)
    trainer.fit(*loaders, epochs=9)
    assert trainer.epoch == 4
    best, info = load_checkpoint(tmp_path / BEST)
    assert len(info["history"]) == 2
    for name, array in weights(trainer).items():
        np.testing.assert_array_equal(array, best[name])


def test_a_run_that_stopped_early_does_not_go_on(tmp_path: Path) -> None:
    trainer, *loaders = make(tmp_path)
    callbacks: list[Callback] = [Script("score", [1, 2, 3]), EarlyStopping("score", patience=2)]
    trainer.callbacks = callbacks
    trainer.fit(*loaders, epochs=9)
    again, *loaders = make(tmp_path)
    again.callbacks = callbacks
    again.resume(tmp_path / LAST)
    assert len(again.fit(*loaders, epochs=9)) == 3


def test_what_is_monitored_must_be_there(tmp_path: Path) -> None:
    for callback in (EarlyStopping("val_los"), ModelCheckpoint(tmp_path, "val_los")):
        name = type(callback).__name__
        with pytest.raises(ValueError, match=rf"{name}: an epoch has no 'val_los', only epoch, lr"):
            run(callback)


@pytest.mark.parametrize(
    ("make_it", "words"),
    [
        (lambda: EarlyStopping(patience=0), "EarlyStopping: patience is 0, expected at least 1"),
        (lambda: EarlyStopping(min_delta=-1), "EarlyStopping: min_delta is -1, expected at least"),
        (lambda: EarlyStopping(mode="auto"), "EarlyStopping: mode is 'auto', expected 'min' or"),
        (lambda: ModelCheckpoint("x", mode=""), "ModelCheckpoint: mode is '', expected 'min' or"),
        (lambda: GradientNorm(every=0), "GradientNorm: every is 0, expected at least 1"),
        (lambda: LRScheduler(Plateau(), every="batch"), "Plateau follows a metric"),
        (lambda: LRScheduler(Plateau(), every="step"), "every is 'step', expected 'epoch' or"),
        (lambda: Trainer(nn.Linear(1, 1), None, accumulate=0), "Trainer: accumulate is 0"),
    ],
)
def test_wrong_arguments(make_it: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_it()


def test_terminate_on_nan_stops_at_the_batch() -> None:
    losses = iter([1.0, 1.0, math.inf])
    trainer, *loaders = make(None)
    trainer.callbacks = [TerminateOnNaN()]
    cross_entropy = trainer.loss
    trainer.loss = lambda logits, labels: cross_entropy(logits, labels) * next(losses)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ArithmeticError, match="the loss is inf after batch 3 of epoch 1"),
    ):
        trainer.fit(*loaders, epochs=1)


# Schedules


class Plateau:
    """As ReduceLROnPlateau is called."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def step(self, metrics: float) -> None:
        self.seen.append(metrics)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = list(state_dict["seen"])


class Counter:
    """A schedule that counts."""

    steps = 0

    def step(self) -> None:
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps = state_dict["steps"]


def test_a_schedule_that_follows_a_metric_gets_it(tmp_path: Path) -> None:
    following, other = Plateau(), Plateau()
    trainer = run(LRScheduler(other, monitor="accuracy"), scheduler=following)
    assert following.seen == [row["val_loss"] for row in trainer.history]
    assert other.seen == [row["accuracy"] for row in trainer.history]


def test_a_schedule_may_step_with_batches_and_is_resumed(tmp_path: Path) -> None:
    counter = Counter()
    trainer, *loaders = make(None)
    trainer.callbacks = [LRScheduler(counter, every="batch"), ModelCheckpoint(tmp_path)]
    trainer.accumulate = 2
    trainer.fit(*loaders, epochs=2)
    assert counter.steps == 6  # five batches are three steps
    trainer, *_ = make(None)
    again = LRScheduler(Counter(), every="batch")
    trainer.callbacks = [again]
    trainer.resume(tmp_path / LAST)
    assert again.scheduler.state_dict() == {"steps": 6}


# Files


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_line_for_each_epoch_also_after_ctrl_c(tmp_path: Path) -> None:
    class CtrlC(Callback):
        def on_batch_end(self, trainer: Trainer, totals: Any) -> None:
            if trainer.epoch == 2:
                raise KeyboardInterrupt

    path = tmp_path / "tables" / "history.csv"
    trainer, *loaders = make(tmp_path)
    trainer.callbacks = [GradientNorm(), CSVLogger(path), CtrlC()]
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(*loaders, epochs=4)
    assert [row["epoch"] for row in rows_of(path)] == ["1", "2"]
    with path.open("a") as file:
        file.write("3,0.0")  # what a computer that went down left

    again, *loaders = make(tmp_path)
    again.callbacks = [GradientNorm(), CSVLogger(path)]
    again.resume(tmp_path / LAST)
    again.fit(*loaders, epochs=4)
    expected = [{key: str(value) for key, value in row.items()} for row in again.history]
    assert rows_of(path) == expected
    assert "grad_norm.0" in expected[0]


def test_best_may_be_what_is_most(tmp_path: Path) -> None:
    run(Script("score", [1, 3, 2, 3]), ModelCheckpoint(tmp_path, "score", "max"))
    assert len(load_checkpoint(tmp_path / BEST)[1]["history"]) == 4
    run(Script("score", [1, 3, 2, 0]), ModelCheckpoint(tmp_path, "score", "max"))
    assert len(load_checkpoint(tmp_path / BEST)[1]["history"]) == 2


def test_a_folder_that_cannot_be_written_is_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    trainer, *loaders = make(tmp_path / "file" / "x")
    with pytest.raises(OSError, match="output folder not writable"):
        trainer.fit(*loaders)
    assert trainer.epoch == 0


def test_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    written: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, directory: str, purge_step: int) -> None:
            assert (directory, purge_step) == (str(tmp_path), 1)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def flush(self) -> None:
            pass

        def close(self) -> None:
            written.append(("closed", 0, 0))

    module = types.SimpleNamespace(SummaryWriter=SummaryWriter)
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    trainer = run(TensorBoard(tmp_path), epochs=2)
    rows = trainer.history
    expected = [(k, v, row["epoch"]) for row in rows for k, v in row.items() if k != "epoch"]
    assert written == [*expected, ("closed", 0, 0)]
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "convolith\[tensorboard\]"'):
        run(TensorBoard(tmp_path))


def test_tensorboard_writes_a_file(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    run(TensorBoard(tmp_path), epochs=1)
    (file,) = tmp_path.iterdir()
    assert b"val_loss" in file.read_bytes()
