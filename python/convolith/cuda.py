"""Streams and events of a GPU, under PyTorch's names.

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
from contextlib import contextmanager
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
