"""Pickles of plain data, read without executing anything.

A pickle is a program for a machine with a stack and a memo. This machine cannot import or call what
a pickle names: it looks names up in a table of notes and calls of ours, which keep what the pickle
says, and refuses all others. Work and memory are bounded by the size of the file: what a pickle
brings up again and again by its memo is one object here, and is not gone through again.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

# What a pickle may ask for again and again is short: a tuple whose entries are gone through, and
# texts that are compared.
_FEW = 64
_SHORT = 1000


class NameRefused(pickle.UnpicklingError):
    """A pickle names something that is no plain data."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it names {name[:100]}, which is no plain data")
        self.name = name


class Note:
    """An object that a pickle speaks of; of this class nothing is kept."""

    def __init__(self, *arguments: object) -> None:
        pass

    def build(self, state: Any) -> None:
        """Note what the pickle gives the object as its state."""


@dataclass(frozen=True)
class Call:
    """Something of ours that stands for a class or function, and is called in its place."""

    make: Callable[..., Any]


def no_reference(identity: Any) -> Any:
    """A pickle that refers to things outside of it is refused."""
    raise pickle.UnpicklingError("it refers to something outside of it")


def load(
    stream: BinaryIO,
    names: Mapping[str, Any],
    reference: Callable[[Any], Any] = no_reference,
    strings: Literal["bytes", "str"] = "str",
) -> Any:
    """Read one pickle; `stream` then stands behind it.

    Parameters
    ----------
    stream : binary file
    names : mapping of str to object
        What stands for a name, such as ``{"numpy.dtype": Call(DType)}``; only a `Call` is called.
    reference : callable
        From a persistent id, by which a pickle refers to things outside of it, to the thing.
    strings : {'bytes', 'str'}
        What strings of Python 2 are.

    Returns
    -------
    object
        Of dicts, lists (sets are lists), tuples, numbers, strings, bytes, and what stood for names.

    Raises
    ------
    NameRefused
        For a name that is not among `names`.
    Exception
        Of nearly any kind, if the pickle is broken.
    """
    machine = _Machine(names, reference, strings)
    for opcode, argument, _ in pickletools.genops(stream):
        action = getattr(machine, opcode.name, None)
        if action is None:
            raise pickle.UnpicklingError(f"instruction {opcode.name}")
        action(argument)
    return machine.stack.pop()


class _Machine:
    """A method in capitals for each instruction, which gets what stands behind it in the file."""

    def __init__(
        self, names: Mapping[str, Any], reference: Callable[[Any], Any], strings: str
    ) -> None:
        self.names = names
        self.reference = reference
        self.strings = strings
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # what lies under each mark
        self.memo: dict[int, Any] = {}

    def nothing(self, argument: Any) -> None:
        pass

    PROTO = FRAME = STOP = nothing

    # Values

    def push(self, value: Any) -> None:
        self.stack.append(value)

    INT = BININT = BININT1 = BININT2 = LONG = LONG1 = FLOAT = BINFLOAT = push
    UNICODE = BINUNICODE = SHORT_BINUNICODE = BINUNICODE8 = push
    BINBYTES = SHORT_BINBYTES = BINBYTES8 = push

    def STRING(self, text: str) -> None:
        self.push(text.encode("latin1") if self.strings == "bytes" else text)

    BINSTRING = SHORT_BINSTRING = STRING

    def NONE(self, _: None) -> None:
        self.push(None)

    def NEWTRUE(self, _: None) -> None:
        self.push(True)

    def NEWFALSE(self, _: None) -> None:
        self.push(False)

    # The stack and the memo

    def MARK(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def POP(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def POP_MARK(self, _: None) -> None:
        self.since_mark()

    def DUP(self, _: None) -> None:
        self.push(self.stack[-1])

    def PUT(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    BINPUT = LONG_BINPUT = PUT

    def MEMOIZE(self, _: None) -> None:
        self.PUT(len(self.memo))

    def GET(self, place: int) -> None:
        self.push(self.memo[place])

    BINGET = LONG_BINGET = GET

    # Collections

    def EMPTY_TUPLE(self, _: None) -> None:
        self.push(())

    def TUPLE1(self, _: None) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def TUPLE2(self, _: None) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def TUPLE3(self, _: None) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def TUPLE(self, _: None) -> None:
        self.push(tuple(self.since_mark()))

    def EMPTY_LIST(self, _: None) -> None:
        self.push([])

    EMPTY_SET = EMPTY_LIST

    def LIST(self, _: None) -> None:
        self.push(self.since_mark())

    FROZENSET = LIST

    def APPEND(self, _: None) -> None:
        self.extend([self.stack.pop()])

    def APPENDS(self, _: None) -> None:
        self.extend(self.since_mark())

    ADDITEMS = APPENDS

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is not Note:
            raise pickle.UnpicklingError(f"items for a {type(target).__name__}")

    def EMPTY_DICT(self, _: None) -> None:
        self.push({})

    def DICT(self, _: None) -> None:
        items = self.since_mark()
        self.push({})
        self.update(items)

    def SETITEM(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.update([key, value])

    def SETITEMS(self, _: None) -> None:
        self.update(self.since_mark())

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if len(items) % 2:
            raise pickle.UnpicklingError("a key without a value")
        if type(target) is dict:
            set_items(target, zip(items[::2], items[1::2], strict=True))
        elif type(target) is not Note:
            raise pickle.UnpicklingError(f"keys for a {type(target).__name__}")

    # Names and objects

    def GLOBAL(self, name: str) -> None:
        module, _, name = name.partition(" ")
        self.push(self.named(module, name))

    def STACK_GLOBAL(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push(self.named(module, name))

    def named(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise pickle.UnpicklingError("a name that is no string")
        full = f"{module}.{name}"
        if full not in self.names:
            raise NameRefused(full)
        return self.names[full]

    def REDUCE(self, _: None) -> None:
        arguments, callee = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple:
            raise pickle.UnpicklingError("arguments that are no tuple")
        self.call(callee, arguments)

    NEWOBJ = REDUCE

    def INST(self, name: str) -> None:
        module, _, name = name.partition(" ")
        arguments = self.since_mark()
        self.call(self.named(module, name), tuple(arguments))

    def OBJ(self, _: None) -> None:
        callee, *arguments = self.since_mark()
        self.call(callee, tuple(arguments))

    def call(self, callee: Any, arguments: tuple[Any, ...]) -> None:
        if type(callee) is not Call:
            raise pickle.UnpicklingError(f"a call of a {type(callee).__name__}")
        if len(arguments) > _FEW:
            raise pickle.UnpicklingError(f"a call with {len(arguments)} arguments")
        self.push(callee.make(*arguments))

    def BUILD(self, _: None) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Note):
            target.build(state)
        elif type(target) not in (dict, list):  # attributes of a subclass of either
            raise pickle.UnpicklingError(f"a state for a {type(target).__name__}")

    def BINPERSID(self, _: None) -> None:
        self.push(self.reference(self.stack.pop()))

    def PERSID(self, identity: str) -> None:
        self.push(self.reference(identity))


def set_items(target: dict[Any, Any], items: Any) -> None:
    """Put pairs of key and value into `target`; keys are those that are quick to hash."""
    for key, value in items:
        parts = key if type(key) is tuple and len(key) <= _FEW else (key,)
        if not all(map(_is_key, parts)):
            raise pickle.UnpicklingError(f"a {type(key).__name__} that is no key, or a long one")
        target[key] = value


def _is_key(value: Any) -> bool:
    if type(value) in (str, bytes):
        return len(value) <= _SHORT
    return type(value) in (int, float, bool, type(None))


# NumPy


class DType(Note):
    """What a pickle says of a dtype."""

    def __init__(self, name: str | bytes, *flags: object) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else name
        self.order = "|"

    def build(self, state: Any) -> None:
        """(version, byte order, ...)"""
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else order

    def built(self) -> np.dtype[Any]:
        """The dtype itself."""
        if not isinstance(self.name, str) or len(self.name) > 16:
            raise pickle.UnpicklingError("a dtype whose name is no short string")
        dtype: np.dtype[Any] = np.dtype(self.name).newbyteorder(self.order)  # type: ignore[arg-type]
        return dtype


class Array(Note):
    """What a pickle says of an array."""

    shape: tuple[int, ...] = ()
    dtype: DType
    fortran = False
    raw: Any = b""

    def build(self, state: Any) -> None:
        """(version, shape, dtype, whether in Fortran's order, raw bytes)"""
        _, self.shape, self.dtype, self.fortran, self.raw = state

    def built(self) -> npt.NDArray[Any]:
        """The array itself, a view of the bytes in the pickle."""
        dtype = self.dtype.built()
        if dtype.hasobject or not isinstance(self.raw, bytes):
            raise pickle.UnpicklingError("an array of objects")
        flat = np.frombuffer(self.raw, dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


def numpy_names() -> dict[str, Any]:
    """What stands for the names that an array is pickled with, for one pickle."""
    encoded: dict[int, tuple[str, bytes]] = {}  # a text that comes again is the same bytes again

    def encode(text: str, encoding: str | bytes) -> bytes:
        if type(text) is not str or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("bytes that are no text in latin1")
        if id(text) not in encoded:
            encoded[id(text)] = text, text.encode("latin1")
        return encoded[id(text)][1]

    return {
        "numpy.core.multiarray._reconstruct": Call(Array),
        "numpy._core.multiarray._reconstruct": Call(Array),
        "numpy.ndarray": Note(),
        "numpy.dtype": Call(DType),
        "_codecs.encode": Call(encode),
    }
