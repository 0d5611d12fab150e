"""Streams, events and graphs of a GPU, under PyTorch's names.

Kernels and copies go to the current stream of the thread that calls: the default stream, which
orders itself with everybody else's, unless a `stream` block says otherwise. On the emulated device
everything is done at once, so that programs can be tried there.

>>> import convolith as cv
>>> begin, end = cv.cuda.Event("emu"), cv.cuda.Event("emu")
>>> begin.record()
>>> y = cv.nn.functional.relu(cv.tensor([1.0, -1.0]).to("emu"))
>>> end.record()
>>> begin.elapsed_time(end) > 0
True
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

from convolith import _C

Device = Literal["cuda", "emu"]


def is_available() -> bool:
    """Whether there are GPU kernels, a driver and a GPU that they run on."""
    return why_not() == ""


def why_not() -> str:
    """What keeps this process from using a GPU, in one sentence; empty if nothing does."""
    try:
        _C.synchronize("cuda")
    except RuntimeError as error:
        return str(error).removeprefix("cuda: ")
    return ""


class Stream:
    """A queue of work: what is given to one goes in order, different ones go side by side.

    The memory of an array belongs to the stream that it was made on: when the last reference goes,
    it is used again in the order of that one. Keep an array that another stream reads until it has
    done so (`synchronize`, or an `Event`).

    Parameters
    ----------
    device : {'cuda', 'emu'}

    Raises
    ------
    RuntimeError
        If there is no such device; it says what is missing.
    """

    def __init__(self, device: Device = "cuda") -> None:
        self._stream = _C.Stream(device)

    @property
    def cuda_stream(self) -> int:
        """The handle, as other libraries take it."""
        return self._stream.handle

    def synchronize(self) -> None:
        """Wait until everything that it was given is done."""
        self._stream.synchronize()

    def wait_event(self, event: Event) -> None:
        """Let what it is given from here on wait for `event`."""
        with stream(self):
            event.wait()


@contextmanager
def stream(stream: Stream) -> Iterator[None]:
    """Within this block `stream` is the current one of this thread."""
    before = stream._stream.use()
    try:
        yield
    finally:
        stream._stream.restore(before)


_current = stream  # where a parameter has that name


class Event:
    """A mark in a stream.

    Parameters
    ----------
    device : {'cuda', 'emu'}

    Raises
    ------
    RuntimeError
        If there is no such device; it says what is missing.
    """

    def __init__(self, device: Device = "cuda") -> None:
        self._event = _C.Event(device)

    def record(self) -> None:
        """Put the mark behind all that the current stream has been given."""
        self._event.record()

    def wait(self) -> None:
        """Let the current stream go on behind the mark; at once, if it was never recorded."""
        self._event.wait()

    def synchronize(self) -> None:
        """Wait until the mark is reached; not at all, if it was never recorded."""
        self._event.synchronize()

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds from this mark to `end`, for which it waits.

        Raises
        ------
        ValueError
            If one of them was never recorded, or they are of different devices.
        """
        return self._event.elapsed_time(end._event)


class CUDAGraph:
    """A piece of work that the device has recorded, and does again without Python in between.

    Whoever calls kernel after kernel pays the host for each; a replay costs one call for all. The
    work is recorded within a `graph` block, where nothing is done yet, and `replay` does it: the
    same kernels on the same arrays. So what comes in is written to the same tensors before a replay
    (`Tensor.copy_`), and what comes out is read from the same ones after it.

    What the graph reads and writes it keeps: memory that was acquired within the block goes to
    nobody else while the graph lives, and arrays from outside live as long as the graph.

    Parameters
    ----------
    device : {'cuda', 'emu'}
        'emu' records launches and copies, and goes through the list.

    Raises
    ------
    RuntimeError
        If there is no such device; it says what is missing.

    Examples
    --------
    A training step; the first one is done without the graph, because optimizers acquire their
    state in it.

    >>> import numpy as np
    >>> import convolith as cv
    >>> model = cv.nn.Linear(3, 2).to("emu")
    >>> optimizer = cv.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> x = cv.tensor(np.ones((4, 3), np.float32)).to("emu")
    >>> target = cv.tensor([0, 1, 0, 1]).to("emu")
    >>> def step():
    ...     optimizer.zero_grad()
    ...     loss = cv.nn.functional.cross_entropy(model(x), target)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> first = step().item()
    >>> g = cv.cuda.CUDAGraph("emu")
    >>> with cv.cuda.graph(g):
    ...     loss = step()
    >>> for _ in range(5):
    ...     g.replay()
    >>> loss.item() < first
    True
    """

    def __init__(self, device: Device = "cuda") -> None:
        self._graph = _C.Graph(device)

    def capture_begin(self) -> None:
        """Record what this thread gives the device from here on; `graph` calls it.

        Raises
        ------
        ValueError
            If this thread captures a graph already.
        """
        self._graph.begin()

    def capture_end(self) -> None:
        """End the recording; `graph` calls it.

        Raises
        ------
        ValueError
            If this thread is not capturing this graph.
        RuntimeError
            If the device cannot replay what it has recorded.
        """
        self._graph.end()

    def replay(self) -> None:
        """Do the work once more, in the current stream.

        Raises
        ------
        ValueError
            If nothing has been captured.
        """
        self._graph.replay()

    def reset(self) -> None:
        """Give the work and its memory back; arrays that came out of it keep theirs."""
        self._graph.reset()


@contextmanager
def graph(cuda_graph: CUDAGraph, stream: Stream | None = None) -> Iterator[None]:
    """Within this block, what this thread gives the device goes into `cuda_graph` and is not done.

    What cannot be replayed refuses with a RuntimeError: reading values (``item()``, ``numpy()``,
    ``cpu()``), arrays that come from the CPU, waiting, other streams, dropout, and an optimizer's
    first step, which acquires its state. `convolith.optim.Adam` needs ``capturable=True``. What
    Python alone decides is decided here once for all replays: the learning rate, which way an
    ``if`` goes, and what layers count on the CPU (``num_batches_tracked`` of a batch norm).
    Gradients have to be None when the block begins, or be forgotten in it (``zero_grad()``): a
    replay computes them anew.

    Parameters
    ----------
    cuda_graph : CUDAGraph
        If the block raises, it holds nothing afterwards.
    stream : Stream, optional
        The stream to capture, one of the graph's own if not given.

    Raises
    ------
    ValueError
        If this thread captures a graph already.
    """
    with nullcontext() if stream is None else _current(stream):
        cuda_graph.capture_begin()
        try:
            yield
        except BaseException:
            cuda_graph.reset()
            raise
        cuda_graph.capture_end()


def is_current_stream_capturing(device: Device = "cuda") -> bool:
    """Whether this thread is within a `graph` block of that device."""
    return _C.is_capturing(device)
