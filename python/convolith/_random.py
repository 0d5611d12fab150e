"""The one home of randomness: a seed, and a counter that hands every user its own stream.

Everything random is drawn from a counter-based generator (Philox: Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", 2011), so a stream depends on its two numbers alone:
not on threads, and not on what else was drawn before it.
"""

from __future__ import annotations

import enum
import threading

import numpy as np

_lock = threading.Lock()
_seed = 0
_streams = 0


class Purpose(enum.IntEnum):
    """What a stream is for; streams of equal numbers and different purpose are unrelated."""

    INIT = 0
    SPLIT = 1
    SHUFFLE = 2
    TRANSFORM = 3
    AUGMENT = 4


def manual_seed(seed: int) -> None:
    """Start all randomness anew from `seed`: initial weights, dropout, shuffling, splits.

    Until it is called the seed is 0: a program is reproducible unless it asks not to be.

    Parameters
    ----------
    seed : int
        0 <= seed < 2**64.

    Raises
    ------
    ValueError
        If the seed is outside that range.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"manual_seed: seed is {seed}, expected 0 <= seed < 2**64")
    set_state((int(seed), 0))


def initial_seed() -> int:
    """The seed now in force."""
    return _seed


def next_stream() -> tuple[int, int]:
    """A stream nobody else has: the seed, and the next stream number."""
    global _streams
    with _lock:
        _streams += 1
        return _seed, _streams - 1


def generator(seed: int, stream: int, purpose: Purpose, part: int = 0) -> np.random.Generator:
    """NumPy's generator for part `part` (2**128 draws) of the stream `stream` of `seed`."""
    key = np.array([seed, stream], np.uint64)
    counter = np.array([0, 0, part, purpose], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def get_state() -> tuple[int, int]:
    """The seed and the number of streams handed out: all there is to store."""
    return _seed, _streams


def set_state(state: tuple[int, int]) -> None:
    """Continue where `get_state` was taken."""
    global _seed, _streams
    with _lock:
        _seed, _streams = state
