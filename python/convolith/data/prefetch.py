"""Batches before they are asked for: by threads, and on their way to a device."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy.typing as npt

from convolith import _C, cuda
from convolith.tensor import Tensor

Array = npt.NDArray[Any]
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int
) -> Iterator[Result]:
    """``function(item)`` for every item, in their order.

    Parameters
    ----------
    function : callable
    items : iterable
    workers : int
        Threads that call it, which end with the iteration; 0: the one that iterates.
    ahead : int
        How many of the items behind the one that is asked for are begun as well.

    Yields
    ------
    object
        The result; an exception is raised in its place.
    """
    pool = ThreadPoolExecutor(workers, "convolith-data") if workers else None
    submit = pool.submit if pool else _at_once
    begun: deque[Future[Result]] = deque()
    try:
        for item in items:
            begun.append(submit(function, item))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _at_once(function: Callable[[Item], Result], item: Item) -> Future[Result]:
    future: Future[Result] = Future()
    try:
        future.set_result(function(item))
    except Exception as error:
        future.set_exception(error)
    return future


class Lane:
    """The way of batches to a device: a stream of its own, from pinned memory that goes round.

    Parameters
    ----------
    device : {'cuda', 'emu'}
    places : int
        How many batches are on their way at most.
    """

    def __init__(self, device: cuda.Device, places: int) -> None:
        self.stream = cuda.Stream(device)
        self.places = [OnItsWay(device) for _ in range(places)]

    def send(self, number: int, batch: Sequence[Array]) -> OnItsWay:
        """Begin to copy batch `number`; the one that was in its place has been received."""
        place = self.places[number % len(self.places)]
        place.fill(batch)
        with cuda.stream(self.stream):
            place.copy()
        return place


class OnItsWay:
    """A batch that is on its way."""

    def __init__(self, device: cuda.Device) -> None:
        self.device = device
        self.copied = cuda.Event(device)
        self.pinned: list[Array] = []
        self.there: list[Any] = []

    def fill(self, batch: Sequence[Array]) -> None:
        """Write `batch` to pinned memory, once nothing is copied from there any more."""
        self.copied.synchronize()
        if [(p.shape, p.dtype) for p in self.pinned] != [(a.shape, a.dtype) for a in batch]:
            self.pinned = [_C.to_pinned(array, self.device) for array in batch]
            return
        for pinned, array in zip(self.pinned, batch, strict=True):
            pinned[...] = array

    def copy(self) -> None:
        """To the device, in the current stream."""
        self.there = [_C.to_device(array, self.device, True) for array in self.pinned]
        self.copied.record()

    def receive(self) -> tuple[Tensor, ...]:
        """The batch, for the current stream, which waits for it and owns its memory from now on."""
        self.copied.wait()
        there, self.there = self.there, []
        for array in there:
            array.adopt()
        return tuple(map(Tensor, there))
