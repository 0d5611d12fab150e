"""What every test may change and gets back: the instruction set and the number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convolith import _C


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    isa, threads = _C.isa(), _C.get_num_threads()
    yield
    _C.set_isa(isa)
    _C.set_num_threads(threads)
