"""A writer of PyTorch's formats, for what PyTorch writes and for what it would never write."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Name:
    """A class or function, such as ``torch._utils._rebuild_tensor_v2``."""

    name: str


@dataclass(frozen=True)
class Made:
    """What a call of `callee` with these arguments returns."""

    callee: Any
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Reference:
    """What a persistent id stands for."""

    identity: Any


@dataclass(frozen=True)
class Raw:
    """Instructions as they are."""

    code: bytes


def code(value: Any) -> bytes:
    """The instructions that put `value` on the stack."""
    match value:
        case Raw():
            return value.code
        case Name():
            module, _, name = value.name.rpartition(".")
            return f"c{module}\n{name}\n".encode()
        case Made():
            return code(value.callee) + code(value.arguments) + b"R"
        case Reference():
            return code(value.identity) + b"Q"
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return f"I{value}\n".encode()
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + b"".join(map(code, value)) + b"t"
        case list():
            return b"](" + b"".join(map(code, value)) + b"e"
        case dict():
            return b"}(" + b"".join(code(k) + code(v) for k, v in value.items()) + b"u"
    raise TypeError(type(value).__name__)


def program(value: Any) -> bytes:
    """A whole pickle."""
    return b"\x80\x02" + code(value) + b"."


ORDERED = Made(Name("collections.OrderedDict"), ())


def storage(kind: str, key: str, count: int, device: str = "cpu", *part: Any) -> Reference:
    """A storage, of which a file of pickles also says what it is a part of."""
    return Reference(("storage", Name(f"torch.{kind}Storage"), key, device, count, *part))


def tensor(
    data: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0, *more: Any
) -> Made:
    """A tensor as PyTorch 0.4 and later pickle it."""
    arguments = (data, offset, shape, strides, False, ORDERED, *more)
    return Made(Name("torch._utils._rebuild_tensor_v2"), arguments)


def zip_file(
    value: Any, storages: Mapping[str, bytes], *, order: str = "little", method: int = 0
) -> bytes:
    """As since PyTorch 1.6."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x/data.pkl", program(value))
        archive.writestr("x/byteorder", order)
        for key, raw in storages.items():
            archive.writestr(f"x/data/{key}", raw)
    return file.getvalue()


def pickles_file(value: Any, storages: Mapping[str, tuple[int, bytes]]) -> bytes:
    """As before PyTorch 1.6; of each storage the count and the bytes."""
    magic = Raw(b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little"))
    machine = {"protocol_version": 1001, "little_endian": True}
    head = [program(part) for part in (magic, 1001, machine, value, list(storages))]
    tail = [struct.pack("<q", count) + raw for count, raw in storages.values()]
    return b"".join(head + tail)


def tar_file(
    value: Any,
    storages: Mapping[int, tuple[str, int, bytes]],
    tensors: Mapping[int, tuple[int, tuple[int, ...], tuple[int, ...], int]],
    parts: tuple[Any, ...] = (),
) -> bytes:
    """As before PyTorch 0.2.

    Of each storage class, count and bytes; of each tensor its storage, shape, strides and offset.
    """
    first = program(len(storages))
    for key, (kind, count, raw) in storages.items():
        first += (
            program((key, "cpu", Name(f"torch.{kind}Storage"))) + struct.pack("<q", count) + raw
        )
    second = program(len(tensors))
    for key, (of, shape, strides, offset) in tensors.items():
        second += program((key, of, Name("torch.FloatTensor"))) + struct.pack("<q", len(shape))
        second += struct.pack(f"<{2 * len(shape) + 1}q", *shape, *strides, offset)
    members = {
        "sys_info": program({"protocol_version": 1000}),
        "pickle": program(value),
        "storages": first + program(list(parts)),
        "tensors": second,
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.GNU_FORMAT) as archive:
        for name, raw in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return file.getvalue()
