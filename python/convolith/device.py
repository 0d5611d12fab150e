"""Where arrays live: NumPy's on the CPU, `DeviceArray` on 'emu' and 'cuda'.

'emu' is the CUDA device emulated on the CPU: the very kernels a GPU would run, thread by thread, on
any computer. It is there to test, study and profile them, and slow. A device keeps the channels of
an array innermost in memory; shapes stay (N, C, H, W) everywhere. Its arrays may be float16 or
bfloat16: 16 bits in memory, while sums are float32.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from convolith import _C, primitives
from convolith._C import DeviceArray
from convolith.algorithms import HALVES

Array = npt.NDArray[Any]  # or a DeviceArray, which primitives take in its place
Device = Literal["cpu", "emu", "cuda"]
DEVICES: tuple[str, ...] = get_args(Device)  # present or not


class BFloat16:
    """The dtype of an array of bfloat16, which NumPy has none for; there is one instance."""

    kind, itemsize, name = "f", 2, "bfloat16"

    def __repr__(self) -> str:
        return "convolith.bfloat16"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return "bfloat16"


bfloat16 = BFloat16()


def devices() -> list[str]:
    """The devices of this installation: 'cpu', then what else can be used."""
    return _C.devices()


def synchronize(device: Device) -> None:
    """Wait until everything that `device` was given is done."""
    _C.synchronize(device)


def is_device(name: Any) -> bool:
    """Whether `name` names a device, present or not."""
    return isinstance(name, str) and name in DEVICES


def as_dtype(dtype: Any) -> Any:
    """NumPy's dtype of that name, or `bfloat16`."""
    return bfloat16 if dtype is bfloat16 or str(dtype) == "bfloat16" else np.dtype(dtype)


def is_half(dtype: Any) -> bool:
    """Whether that is float16 or bfloat16."""
    return str(as_dtype(dtype)) in HALVES


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


def cast(array: Array, dtype: Any) -> Array:
    """`array` in another floating dtype, or `array` itself; a device has three of them."""
    dtype = as_dtype(dtype)
    if array.dtype == dtype:
        return array
    if isinstance(array, np.ndarray):
        if dtype is bfloat16:
            raise TypeError("to: bfloat16 is for arrays on a device; move it there first")
        return array.astype(dtype)
    known = ("float32", "float16", "bfloat16")
    if array.dtype.name not in known or dtype.name not in known:
        raise ValueError(
            f"to: on {array.device} arrays keep their dtype, unless it is float32, float16 or "
            f"bfloat16 and becomes another of them; call .cpu() first"
        )
    result: Array = _C.cast(array, dtype.name)
    return result


def to_numpy(array: Array) -> Array:
    """The array itself; of a device a copy, read-only because what is written would be lost.

    A copy of bfloat16 is float32, which has all its values.
    """
    if isinstance(array, np.ndarray):
        return array
    copy: Array = array.numpy()
    copy.flags.writeable = False
    return copy


def full(shape: tuple[int, ...], value: float, dtype: Any, device: str) -> Array:
    """An array filled with `value`."""
    if device == "cpu":
        return np.full(shape, value, dtype)
    filled: Array = _C.full(shape, value, as_dtype(dtype).name, device)
    return filled


def zeros_like(array: Array) -> Array:
    """Zeros of its shape and dtype, on its device."""
    return full(array.shape, 0, array.dtype, device_of(array))


def ones_like(array: Array) -> Array:
    """Ones of its shape and dtype, on its device."""
    return full(array.shape, 1, array.dtype, device_of(array))


def assign(target: Array, values: Array) -> None:
    """Write `values`, of its shape and dtype and from any device, to `target`."""
    if isinstance(target, np.ndarray):
        target[...] = to_numpy(values)
    else:
        target.assign(values)


def has_kernels(array: Array) -> bool:
    """Whether it may be what kernels take: on a device, or float32 or float64 on the CPU."""
    return type(array) is DeviceArray or array.dtype.name in ("float32", "float64")


def add(a: Array, b: Array) -> Array:
    """a + b."""
    total: Array = primitives.add_forward(a, b) if has_kernels(a) else a + b
    return total


def transpose(array: Array, dim0: int, dim1: int) -> Array:
    """`array` with two dimensions exchanged: NumPy's view, a copy on a device."""
    y: Array
    if isinstance(array, np.ndarray):
        y = array.swapaxes(dim0, dim1)
    else:
        y = _C.transpose(array, dim0, dim1)
    return y


def reshape(array: Array, shape: tuple[int, ...]) -> Array:
    """`array` in another shape, one extent of which may be -1."""
    if isinstance(array, np.ndarray):
        return array.reshape(shape)
    rest = -int(np.prod(shape))
    if shape.count(-1) == 1 and rest > 0 and array.size % rest == 0:
        shape = tuple(array.size // rest if n == -1 else n for n in shape)
    result: Array = primitives.flatten_backward(array, shape)
    return result


def is_read_only(array: Array) -> bool:
    """Whether it cannot be written to."""
    return isinstance(array, np.ndarray) and not array.flags.writeable


def holds_alone(array: Array) -> bool:
    """Whether no other array has a part in its memory."""
    if isinstance(array, np.ndarray):
        return not isinstance(array.base, np.ndarray)
    return not array.is_shared
