"""The emulated CUDA device: what can be asked of it beyond running kernels.

>>> import convolith as cv
>>> x = cv.tensor([1.0, -2.0]).to("emu")
>>> with cv.emu.checked():
...     cv.nn.functional.relu(x)
tensor([1., 0.], device='emu')
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

from convolith import _C


@contextmanager
def mode(name: Literal["plain", "checked", "counted"]) -> Iterator[None]:
    """Within this block another build of the kernels serves, for the whole process.

    Parameters
    ----------
    name : {'plain', 'checked', 'counted'}
        See `checked`, and `convolith.profile`.

    Raises
    ------
    ValueError
        If there is no such build.
    """
    before = _C.emulation()
    _C.set_emulation(name)
    try:
        yield
    finally:
        _C.set_emulation(before)


def checked() -> AbstractContextManager[None]:
    """Within this block every access that a kernel makes is tested, some ten times as slow.

    A kernel that reads or writes outside of its arrays, reads what nobody wrote, leaves a part of
    its output unwritten, or lets two threads meet at one address without a barrier between them
    ends with a RuntimeError that names the kernel, the thread, the address and, where the build
    found a way, the source line. It holds for the whole process.
    """
    return mode("checked")


@contextmanager
def order(name: Literal["forward", "backward", "random"], seed: int = 0) -> Iterator[None]:
    """Within this block threads and blocks take turns in another order.

    Results must not depend on it: a GPU has an order of its own. It holds for the whole process.

    Parameters
    ----------
    name : {'forward', 'backward', 'random'}
        'forward', by number, is the order outside of any such block.
    seed : int
        Of 'random'.

    Raises
    ------
    ValueError
        If there is no such order.
    """
    _C.set_emulated_order(name, seed)
    try:
        yield
    finally:
        _C.set_emulated_order("forward", 0)
