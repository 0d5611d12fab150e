"""Batches that are prepared ahead: the same ones in the same order, errors, ends of threads."""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import convolith as cv
from conftest import devices
from convolith import nn, optim
from convolith.cli import main
from convolith.data import DataLoader, RandomShift, TensorDataset
from convolith.train import Trainer, recipe

WORKERS = (0, 1, 3)
IMAGES = np.arange(50 * 3 * 6 * 6, dtype=np.float32).reshape(50, 3, 6, 6)
LABELS = np.arange(50) % 4


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", devices(metafunc.config))


class Slow:
    """Samples of which every third batch takes long, so that workers overtake each other."""

    def __init__(self, fails_at: int = -1) -> None:
        self.fails_at = fails_at
        self.calls = 0

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: np.ndarray) -> tuple[np.ndarray, ...]:
        self.calls += 1
        time.sleep(0.01 if self.calls % 3 == 1 else 0)
        if self.fails_at in index:
            raise LookupError(f"sample {self.fails_at} cannot be read")
        return IMAGES[index], LABELS[index]


def loader(dataset: Any = None, **options: Any) -> DataLoader:
    options = {"shuffle": True, "seed": 5, "transform": RandomShift(1), **options}
    return DataLoader(dataset or Slow(), 7, **options)


def batches(loader: DataLoader) -> list[list[np.ndarray]]:
    return [[tensor.numpy() for tensor in batch] for batch in loader]


def assert_same(actual: list[list[np.ndarray]], expected: list[list[np.ndarray]]) -> None:
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "convolith" in thread.name}


@pytest.mark.parametrize("workers", WORKERS)
def test_workers_change_nothing(workers: int) -> None:
    plain, other = loader(), loader(num_workers=workers)
    for _ in range(2):  # epochs
        assert_same(batches(other), batches(plain))
    assert not threads()


@pytest.mark.parametrize("workers", WORKERS)
def test_batches_on_a_device_are_the_cpus(device: Any, workers: int) -> None:
    there = loader(num_workers=workers, device=device)
    kept = list(there)  # nobody's memory is used for two
    assert {tensor.device for batch in kept for tensor in batch} == {device}
    assert_same([[tensor.numpy() for tensor in batch] for batch in kept], batches(loader()))
    there.epoch = 0
    for batch, expected in zip(there, batches(loader()), strict=True):  # memory goes round
        assert_same([[tensor.numpy() for tensor in batch]], [expected])


def test_the_order_is_what_it_was() -> None:
    order = np.arange(50)
    key, counter = np.array([5, 0], np.uint64), np.array([0, 0, 0, 2], np.uint64)
    np.random.Generator(np.random.Philox(key=key, counter=counter)).shuffle(order)
    labels = [label for _, label in loader(num_workers=2)]
    np.testing.assert_array_equal(np.concatenate(labels), LABELS[order])


def test_images_of_a_batch_are_shifted_by_its_own_numbers() -> None:
    whole = loader(shuffle=False)
    again = loader(TensorDataset(IMAGES[7:14], LABELS[7:14]), shuffle=False)
    second, alone = batches(whole)[1][0], batches(again)[0][0]
    assert not np.array_equal(second, alone)


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("here", [True, False])
def test_an_error_comes_in_place_of_its_batch(device: Any, workers: int, here: bool) -> None:
    where = None if here else device
    batches = iter(loader(Slow(fails_at=30), shuffle=False, num_workers=workers, device=where))
    for _ in range(4):
        next(batches)
    with pytest.raises(LookupError, match="sample 30 cannot be read") as caught:
        next(batches)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].name == "__getitem__"
    assert not threads()


def look_at_one(batches: DataLoader, error: type[BaseException] | None) -> None:
    for _ in batches:
        assert threads()
        if error:
            raise error
        break


@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
def test_no_thread_outlives_the_loop(error: type[BaseException] | None) -> None:
    dataset = Slow()
    feed = loader(dataset, num_workers=3)
    assert not threads()
    with pytest.raises(error) if error else nullcontext():
        look_at_one(feed, error)
    assert not threads()
    assert dataset.calls <= 3 * 2 + 1  # what was not begun is left


def test_no_more_is_prepared_than_was_said() -> None:
    dataset = Slow()
    iterator = iter(loader(dataset, num_workers=1, prefetch_factor=3))
    next(iterator)
    time.sleep(0.2)
    assert dataset.calls == 4
    iterator.close()  # type: ignore[attr-defined]


def test_training_on_a_device_is_fed_by_workers_to_the_same_bits(device: Any) -> None:
    def trained(**options: Any) -> list[np.ndarray]:
        cv.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4))
        model.to(device)
        trainer = Trainer(model, optim.SGD(model.parameters(), 1e-5))
        trainer.fit(loader(**options), epochs=2)
        return [p.numpy() for p in model.parameters()]

    expected = trained()
    for where in ("cpu", device):
        assert_same([trained(num_workers=2, device=where)], [expected])


def test_a_run_of_the_command_line_feeds_its_device() -> None:
    for device, workers in (("cpu", 0), ("emu", recipe.WORKERS)):
        settings = recipe.Settings(device=device)  # type: ignore[arg-type]
        job = recipe.prepare(settings) if device in cv.devices() else None
        for made in (job.train_loader, job.val_loader) if job else ():
            assert (made.device, made.num_workers) == (device, workers)
    assert recipe.prepare(recipe.Settings(), workers=3).train_loader.num_workers == 3


def test_workers_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--workers", "-1"])
    assert "argument --workers: -1 is not at least 0" in capsys.readouterr().err


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "workers": ({"num_workers": -1}, "num_workers is -1, expected at least 0"),
    "factor": ({"prefetch_factor": 0}, "prefetch_factor is 0, expected at least 1"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name: str) -> None:
    options, words = INVALID[name]
    with pytest.raises(ValueError, match=words):
        loader(**options)


@pytest.mark.skipif("cuda" in cv.devices(), reason="this build has GPU kernels")
def test_pinned_memory_is_a_gpus() -> None:
    with pytest.raises(RuntimeError, match="cuda: this installation has no GPU kernels"):
        next(iter(loader(pin_memory=True)))
