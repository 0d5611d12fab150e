"""Graphs: a captured training step replays to the bits of the eager one, on memory of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from conftest import devices
from convolith import cuda, nn, optim
from convolith.data import load_digits
from convolith.models import LeNet5
from convolith.nn import functional as F

WARM_UP, BATCH = 2, 8


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", devices(metafunc.config))


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def batches(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    digits = load_digits()
    images = (digits.train_images[: count * BATCH].astype(np.float32) - 33) / 78
    labels = digits.train_labels[: count * BATCH]
    return list(zip(np.split(images, count), np.split(labels, count), strict=True))


class Training:
    """LeNet-5 on a device, with inputs that stay where they are."""

    def __init__(self, device: str, make: Callable[[Any], optim.Optimizer]) -> None:
        cv.manual_seed(1)
        self.model = LeNet5("relu", "max").to(device)
        self.optimizer = make(self.model.parameters())
        (images, labels), *_ = batches(1)
        self.images, self.labels = cv.Tensor(images).to(device), cv.Tensor(labels).to(device)

    def load(self, batch: tuple[np.ndarray, np.ndarray]) -> None:
        self.images.copy_(batch[0])
        self.labels.copy_(batch[1])

    def step(self) -> cv.Tensor:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def parameters(self) -> list[np.ndarray]:
        return [p.numpy() for p in self.model.parameters()]


OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=5e-4),
    "plain sgd": lambda p: optim.SGD(p, 0.05),
    "adam": lambda p: optim.Adam(p, 0.002, capturable=True),
    "amsgrad": lambda p: optim.AdamW(p, 0.002, amsgrad=True, capturable=True),
    "rmsprop": lambda p: optim.RMSprop(p, 0.002, centered=True, momentum=0.9),
    "adadelta": lambda p: optim.Adadelta(p, l1=1e-3),
    "lars": lambda p: optim.LARS(p, 0.1, weight_decay=0.01),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_replays_are_the_eager_steps_to_the_bit(device: Any, optimizer: str) -> None:
    data = batches(8)
    eager = Training(device, OPTIMIZERS[optimizer])
    losses = []
    for batch in data:
        eager.load(batch)
        losses.append(eager.step().item())

    captured, graph = Training(device, OPTIMIZERS[optimizer]), cuda.CUDAGraph(device)
    for batch in data[:WARM_UP]:
        captured.load(batch)
        captured.step()
    before = captured.parameters()
    with cuda.graph(graph):
        loss = captured.step()
    for a, b in zip(captured.parameters(), before, strict=True):
        np.testing.assert_array_equal(a, b, "nothing is done in the block")
    others = []  # what is acquired and written between replays
    for i, batch in enumerate(data[WARM_UP:], WARM_UP):
        captured.load(batch)
        graph.replay()
        assert loss.item() == losses[i]
        others.append((i, [cv.tensor(np.full(p.shape, i, np.float32)).to(device) for p in before]))
    for a, b in zip(captured.parameters(), eager.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)
    for i, tensors in others:
        assert all((tensor.numpy() == i).all() for tensor in tensors), "a replay wrote elsewhere"


def test_steps_in_a_device_array_are_adams_steps(device: Any) -> None:
    """expm1 of floats, instead of powers of doubles: some units in the last place a step."""
    plain = Training(device, lambda p: optim.Adam(p, 0.002))
    counting = Training(device, OPTIMIZERS["adam"])
    for batch in batches(3):
        for training in (plain, counting):
            training.load(batch)
            training.step()
    for a, b in zip(counting.parameters(), plain.parameters(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    state = counting.optimizer.state_dict()
    assert [int(s["step"].numpy()) for s in state["state"].values()] == [3] * 10
    other = Training(device, OPTIMIZERS["adam"])
    other.optimizer.load_state_dict(state)
    assert int(other.optimizer.state[0]["step"].numpy()) == 3


def test_gradients_of_a_captured_step_are_read_after_it(device: Any) -> None:
    training, graph = Training(device, OPTIMIZERS["sgd"]), cuda.CUDAGraph(device)
    training.step()
    expected = Training(device, OPTIMIZERS["sgd"])
    for _ in range(2):
        expected.step()
    with cuda.graph(graph):
        training.step()
    graph.replay()
    for p, q in zip(training.model.parameters(), expected.model.parameters(), strict=True):
        assert p.grad is not None
        assert q.grad is not None
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


# Memory


def address(tensor: cv.Tensor) -> int:
    return int(np.from_dlpack(tensor).ctypes.data)


def test_the_graphs_memory_is_nobody_elses(device: Any) -> None:
    x, graph = cv.tensor(random(48, 8)).to(device), cuda.CUDAGraph(device)
    with cuda.graph(graph):
        y = F.relu(F.relu(x) + x)  # the inner ones are let go of within the block
    graph.replay()
    expected = y.numpy()
    mine = [cv.tensor(np.full(x.shape, i, np.float32)).to(device) for i in range(8)]
    graph.replay()
    for i, tensor in enumerate(mine):
        assert (tensor.numpy() == i).all()
    np.testing.assert_array_equal(y.numpy(), expected)


def test_what_the_graph_reads_and_writes_lives_as_long(device: Any) -> None:
    x, graph = cv.tensor(random(2, 3, 8, 8)).to(device), cuda.CUDAGraph(device)
    z = cv.tensor(random(2, 3, 8, 8)).to(device)
    expected = np.maximum(x.numpy(), 0)
    with cuda.graph(graph):
        z.copy_(F.relu(x))
        y = cv.Tensor(z._array.copy())
    del x, z
    mine = [cv.tensor(np.full((2, 3, 8, 8), i, np.float32)).to(device) for i in range(8)]
    graph.replay()
    np.testing.assert_array_equal(y.numpy(), expected)
    for i, tensor in enumerate(mine):
        assert (tensor.numpy() == i).all()


@pytest.mark.parametrize("end", ["reset", "del"])
def test_results_outlive_the_graph(device: Any, end: str) -> None:
    x, graph = cv.tensor(random(2, 3, 8, 8)).to(device), cuda.CUDAGraph(device)
    with cuda.graph(graph):
        y = F.relu(x)
    graph.replay()
    if end == "reset":
        graph.reset()
    del graph
    mine = [cv.tensor(np.full(x.shape, i, np.float32)).to(device) for i in range(8)]
    np.testing.assert_array_equal(y.numpy(), np.maximum(x.numpy(), 0))
    del y
    assert all((tensor.numpy() == i).all() for i, tensor in enumerate(mine))


@pytest.mark.skipif("emu" not in cv.devices(), reason="addresses are looked at through NumPy")
def test_blocks_go_round_within_a_capture_and_come_back_after_it() -> None:
    x, graph = cv.tensor(random(70001)).to("emu"), cuda.CUDAGraph("emu")
    with cuda.graph(graph):
        first = address(F.relu(x))
        kept = F.relu(x)
        second = address(F.relu(x))
        assert first == address(kept) != second
    outside = [F.relu(x) for _ in range(8)]
    assert not {first, second} & {address(tensor) for tensor in outside}
    graph.reset()
    outside += [F.relu(x) for _ in range(8)]
    assert second in {address(tensor) for tensor in outside}
    assert first not in {address(tensor) for tensor in outside}
    del kept
    assert first in {address(tensor) for tensor in [F.relu(x) for _ in range(8)]}


@pytest.mark.skipif("emu" not in cv.devices(), reason="the emulator checks")
def test_replays_are_checked() -> None:
    """Blocks change their size within the step; each replay, the checks know them anew."""
    training, graph = Training("emu", OPTIMIZERS["adam"]), cuda.CUDAGraph("emu")
    training.step()
    with cv.emu.checked():
        with cuda.graph(graph):
            loss = training.step()
        for _ in range(2):
            graph.replay()
        assert np.isfinite(loss.item())


# What is captured


def test_other_threads_are_not_captured(device: Any) -> None:
    x, graph = cv.tensor([1.0, -1.0]).to(device), cuda.CUDAGraph(device)
    results: list[np.ndarray] = []
    with cuda.graph(graph):
        assert cuda.is_current_stream_capturing(device)
        y = F.relu(x)
        thread = threading.Thread(target=lambda: results.append(F.relu(x).numpy()))
        thread.start()
        thread.join()
    assert not cuda.is_current_stream_capturing(device)
    np.testing.assert_array_equal(results, [[1, 0]])
    graph.replay()
    np.testing.assert_array_equal(y.numpy(), [1, 0])


def test_a_stream_may_be_given_for_the_capture_and_the_replay(device: Any) -> None:
    x, graph, side = cv.tensor([1.0, -1.0]).to(device), cuda.CUDAGraph(device), cuda.Stream(device)
    with cuda.graph(graph, stream=side):
        y = F.relu(x)
    with cuda.stream(side):
        graph.replay()
        np.testing.assert_array_equal(y.numpy(), [1, 0])
    graph.replay()
    np.testing.assert_array_equal(y.numpy(), [1, 0])


def test_a_graph_may_be_captured_again(device: Any) -> None:
    x, graph = cv.tensor([1.0, -1.0]).to(device), cuda.CUDAGraph(device)
    for function, expected in ((F.relu, [1, 0]), (F.sigmoid, 1 / (1 + np.exp([-1.0, 1.0])))):
        with cuda.graph(graph):
            y = function(x)
        graph.replay()
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)


def test_halves_copies_and_layouts_are_captured(device: Any) -> None:
    x, graph = cv.tensor(random(2, 3, 4, 5)).to(device), cuda.CUDAGraph(device)
    with cuda.graph(graph):
        y = x.to("float16").to(np.float32)
        z = cv.Tensor(x._array.copy()).reshape(6, 20)
    graph.replay()
    np.testing.assert_array_equal(y.numpy(), x.numpy().astype(np.float16))
    np.testing.assert_array_equal(z.numpy(), x.numpy().reshape(6, 20))


# What is not


def on(device: str, *shape: int) -> cv.Tensor:
    return cv.tensor(random(*shape)).to(device)


def an_optimizer(device: str, make: Callable[[Any], optim.Optimizer]) -> optim.Optimizer:
    """With gradients for its parameters, and no step done."""
    layer = nn.Linear(3, 2).to(device)
    for p in layer.parameters():
        p.grad = cv.Tensor(p._array.copy())
    return make(layer.parameters())


def a_later_step_of_adam(device: str) -> Callable[[], object]:
    adam = an_optimizer(device, optim.Adam)
    adam.step()
    return adam.step


def ready(call: Callable[[Any], object]) -> Callable[[str], Callable[[], object]]:
    """`call` of a tensor that was there before."""

    def prepare(device: str) -> Callable[[], object]:
        x = on(device, 2, 3)
        return lambda: call(x)

    return prepare


def with_event(call: Callable[[Any, Any], object]) -> Callable[[str], Callable[[], object]]:
    """`call` of an event that was recorded before, and of a stream."""

    def prepare(device: str) -> Callable[[], object]:
        event, stream = cuda.Event(device), cuda.Stream(device)
        event.record()
        return lambda: call(event, stream)

    return prepare


def replayed(device: str) -> Callable[[], object]:
    other, x = cuda.CUDAGraph(device), on(device, 3)
    with cuda.graph(other):
        F.relu(x)
    return other.replay


READING = "reading values on the CPU cannot be captured"
REFUSED: dict[str, tuple[Callable[[str], Callable[[], object]], str]] = {
    "item": (ready(lambda x: x.reshape(6, 1).item()), READING),
    "numpy": (ready(lambda x: x.numpy()), READING),
    "cpu": (ready(lambda x: x.cpu()), READING),
    "from the CPU": (
        lambda device: lambda: on(device, 3),
        "a copy of an array of the CPU cannot be captured",
    ),
    "assigned from the CPU": (
        ready(lambda x: x.copy_(random(2, 3))),
        "a copy of an array of the CPU cannot be captured",
    ),
    "synchronize": (
        lambda device: lambda: cv.synchronize(device),  # type: ignore[arg-type]
        r"synchronize\(\) cannot be captured",
    ),
    "stream": (with_event(lambda _, s: s.synchronize()), "waiting for a stream cannot be captured"),
    "another stream": (
        with_event(lambda _, s: s._stream.use()),
        "work for another stream cannot be captured",
    ),
    "record": (with_event(lambda e, _: e.record()), "an event cannot be captured"),
    "wait": (with_event(lambda e, _: e.wait()), "waiting for an event cannot be captured"),
    "event": (with_event(lambda e, _: e.synchronize()), "waiting for an event cannot be captured"),
    "elapsed time": (
        with_event(lambda e, _: e.elapsed_time(e)),
        "waiting for an event cannot be captured",
    ),
    "dropout": (
        ready(lambda x: F.dropout(x, 0.5)),
        "dropout, which would drop the same elements at each replay, cannot be captured",
    ),
    "another graph": (replayed, "replaying another graph cannot be captured"),
    "an optimizer's first step": (
        lambda device: an_optimizer(device, lambda p: optim.SGD(p, momentum=0.9)).step,
        "SGD: its first step makes its state and cannot be captured; take one before",
    ),
    "adam": (
        a_later_step_of_adam,
        "Adam: a graph cannot count steps in Python; pass capturable=True",
    ),
    "adagrad": (
        lambda device: an_optimizer(device, optim.Adagrad).step,
        "Adagrad: a graph cannot count steps in Python$",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_captured_says_so(device: Any, name: str) -> None:
    prepare, words = REFUSED[name]
    call, x, graph = prepare(device), on(device, 2, 3), cuda.CUDAGraph(device)
    with cuda.graph(graph):  # the error may be caught within the block, which goes on
        y = F.relu(x)
        with pytest.raises(RuntimeError, match=words):
            call()
        z = F.relu(y)
    graph.replay()
    np.testing.assert_array_equal(z.numpy(), np.maximum(x.numpy(), 0))
    with pytest.raises(RuntimeError, match=words), cuda.graph(graph):  # or outside, which ends it
        call()
    with pytest.raises(ValueError, match="nothing has been captured"):
        graph.replay()
    np.testing.assert_array_equal(F.relu(x).numpy(), np.maximum(x.numpy(), 0))


def end_outside(device: Any) -> None:
    cuda.CUDAGraph(device).capture_end()


def two_at_once(device: Any) -> None:
    with cuda.graph(cuda.CUDAGraph(device)), cuda.graph(cuda.CUDAGraph(device)):
        pass


def replayed_within_itself(device: Any) -> None:
    graph = cuda.CUDAGraph(device)
    with cuda.graph(graph):
        graph.replay()


INVALID: dict[str, tuple[Callable[[Any], None], str]] = {
    "not captured": (lambda device: cuda.CUDAGraph(device).replay(), "nothing has been captured"),
    "end outside": (end_outside, "this thread captures no such graph"),
    "two at once": (two_at_once, "this thread captures another graph already"),
    "within itself": (replayed_within_itself, "nothing has been captured"),
    "the CPU": (lambda _: cuda.CUDAGraph("cpu") and None, "the CPU has no graphs"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid(device: Any, name: str) -> None:
    call, words = INVALID[name]
    with pytest.raises(ValueError, match=words):
        call(device)
    assert not cuda.is_current_stream_capturing(device)


@pytest.mark.parametrize("source", [random(3), random(2, 3).astype(np.float64)])
def test_copy_wants_its_shape_and_dtype(source: np.ndarray) -> None:
    error = ValueError if source.shape == (3,) else TypeError
    with pytest.raises(error, match=r"copy_: the source is \(.*and the tensor \(2, 3\) float32"):
        cv.tensor(random(2, 3)).copy_(source)
