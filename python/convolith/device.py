"""Where arrays live: NumPy's on the CPU, `DeviceArray` on 'emu' and 'cuda'.

'emu' is the CUDA device emulated on the CPU: the very kernels a GPU would run, thread by thread, on
any computer. It is there to test, study and profile them, and slow. A device keeps the channels of
an array innermost in memory; shapes stay (N, C, H, W) everywhere.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from convolith import _C, primitives
from convolith._C import DeviceArray

Array = npt.NDArray[Any]  # or a DeviceArray, which primitives take in its place
Device = Literal["cpu", "emu", "cuda"]
DEVICES: tuple[str, ...] = get_args(Device)  # present or not


def devices() -> list[str]:
    """The devices of this installation: 'cpu', then what else can be used."""
    return _C.devices()


def synchronize(device: Device) -> None:
    """Wait until everything that `device` was given is done."""
    _C.synchronize(device)


def is_device(name: Any) -> bool:
    """Whether `name` names a device, present or not."""
    return isinstance(name, str) and name in DEVICES


def is_array(value: Any) -> bool:
    """Whether `value` is an array of any device."""
    return type(value) is np.ndarray or type(value) is DeviceArray


def as_array(value: Any) -> Array:
    """`value` itself if it is an array of any device, else a NumPy array of it."""
    return value if is_array(value) else np.asarray(value)


def device_of(array: Array) -> str:
    """The name of the device that `array` is on."""
    return "cpu" if isinstance(array, np.ndarray) else array.device


def to_device(array: Array, device: str, non_blocking: bool = False) -> Array:
    """A copy of `array` on `device`, or `array` itself if it is there."""
    return array if device_of(array) == device else _C.to_device(array, device, non_blocking)


def to_numpy(array: Array) -> Array:
    """The array itself; of a device a copy, read-only because what is written would be lost."""
    if isinstance(array, np.ndarray):
        return array
    copy: Array = array.numpy()
    copy.flags.writeable = False
    return copy


def zeros_like(array: Array) -> Array:
    """Zeros of its shape and dtype, on its device."""
    return to_device(np.zeros(array.shape, array.dtype), device_of(array))


def ones_like(array: Array) -> Array:
    """Ones of its shape and dtype, on its device."""
    return to_device(np.ones(array.shape, array.dtype), device_of(array))


def assign(target: Array, values: Array) -> None:
    """Write `values`, of its shape and dtype and from any device, to `target`."""
    if isinstance(target, np.ndarray):
        target[...] = to_numpy(values)
    else:
        target.assign(values)


def add(a: Array, b: Array) -> Array:
    """a + b: by the primitive on a device, where shapes have to be equal."""
    total: Array = primitives.add_forward(a, b) if isinstance(a, DeviceArray) else a + b
    return total


def reshape(array: Array, shape: tuple[int, ...]) -> Array:
    """`array` in another shape, one extent of which may be -1."""
    if isinstance(array, np.ndarray):
        return array.reshape(shape)
    rest = -int(np.prod(shape))
    if shape.count(-1) == 1 and rest > 0 and array.size % rest == 0:
        shape = tuple(array.size // rest if n == -1 else n for n in shape)
    result: Array = primitives.flatten_backward(array, shape)
    return result


def holds_alone(array: Array) -> bool:
    """Whether no other array has a part in its memory."""
    if isinstance(array, np.ndarray):
        return not isinstance(array.base, np.ndarray)
    return not array.is_shared
