"""What every test may change and gets back, and the backends that tests run on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from convolith import _C
from convolith.device import DEVICES, bfloat16, cast, is_array, to_device, to_numpy
from tolerance import is_half


@dataclass(frozen=True)
class Backend:
    """A device, and of the CPU an instruction set."""

    device: str
    isa: str = ""

    def __str__(self) -> str:
        return self.isa or self.device

    @property
    def dtypes(self) -> dict[str, Any]:
        """What its kernels take, by name."""
        cpu = {"f32": np.float32, "f64": np.float64}
        device = {"f32": np.float32, "f16": np.float16, "bf16": bfloat16}
        return cpu if self.device == "cpu" else device

    @property
    def algorithms(self) -> set[str]:
        """Those of convolution."""
        cpu, device = {"gemm", "winograd"}, {"tensor_core", "mma", "wgmma"}
        return {"auto", "direct", "depthwise"} | (cpu if self.device == "cpu" else device)

    def put(self, value: Any, dtype: Any = None) -> Any:
        """`value` with every array in it on the device, its floats as `dtype` if that is a half."""
        if isinstance(value, list):
            return [self.put(v, dtype) for v in value]
        if not is_array(value):
            return value
        there = to_device(value, self.device)
        return cast(there, dtype) if is_half(dtype) and value.dtype.kind == "f" else there

    def get(self, value: Any) -> Any:
        """`value` with every array in it as NumPy's, halves as float32."""
        if not is_array(value):
            return value
        array = to_numpy(value)
        return array.astype(np.float32) if array.dtype == np.float16 else array


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        action="append",
        choices=DEVICES,
        help="where tests run that know devices; may be repeated; default: cpu, and emu if built",
    )


def backends(config: pytest.Config) -> list[Backend]:
    """Every instruction set, or that of CONVOLITH_ISA, and every device, or those of --device."""
    present = [name for name in _C.devices() if name != "cuda"]
    forced = os.environ.get("CONVOLITH_ISA")
    isas = [forced] if forced else _C.available_isas()
    return [
        Backend(device, isa)
        for device in config.getoption("--device") or present
        for isa in (isas if device == "cpu" else [""])
    ]


def devices(config: pytest.Config) -> list[str]:
    """Those of --device, or all that need no hardware; never the CPU."""
    return [backend.device for backend in backends(config) if backend.device != "cpu"]


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    chosen: Backend = request.param
    if chosen.isa:
        _C.set_isa(chosen.isa)
    yield chosen
    assert not chosen.isa or _C.isa() == chosen.isa


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    isa, threads = _C.isa(), _C.get_num_threads()
    yield
    _C.set_isa(isa)
    _C.set_num_threads(threads)
