"""Options with a name, a kind and a help text: from the command line, from TOML, and back to it."""

from __future__ import annotations

import copy
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from convolith._spelling import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _no_fault(value: Any) -> str:
    return ""


@dataclass(frozen=True)
class Kind:
    """What values an option takes.

    Attributes
    ----------
    name : str
        As messages say it: "integer".
    types : tuple of type
        What TOML may bring.
    parse : callable
        A word of the command line to the value; ValueError if it cannot be one.
    fault : callable
        What is wrong with a value of the right type, such as "0 is not at least 1"; "" if nothing.
    choices : tuple of str
        If not empty, the only values.
    """

    name: str
    types: tuple[type, ...]
    parse: Callable[[str], Any] = str
    fault: Callable[[Any], str] = _no_fault
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> None:
        """Raise ValueError if `value` cannot be one of this kind."""
        if type(value) not in self.types:
            raise ValueError(f"is {value!r}, expected {_article(self.name)}")
        if self.choices and value not in self.choices:
            raise ValueError(
                f"is {value!r}, expected one of {', '.join(self.choices)}"
                + did_you_mean(value, self.choices)
            )
        if fault := self.fault(value):
            raise ValueError(f"is wrong: {fault}")


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


# Kinds

TEXT = Kind("text", (str,))


def choice(names: Iterable[str]) -> Kind:
    """One of `names`."""
    return Kind("text", (str,), choices=tuple(names))


def integer(least: int, end: int | None = None) -> Kind:
    """A whole number from `least` on, and below `end`, a power of two."""

    def fault(value: int) -> str:
        if end is not None and not least <= value < end:
            return f"{value} is not in {least} ... 2**{end.bit_length() - 1} - 1"
        return f"{value} is not at least {least}" if value < least else ""

    return Kind("integer", (int,), int, fault)


POSITIVE = Kind(
    "number",
    (int, float),
    float,
    lambda value: "" if 0 < value < math.inf else f"{value} is not a positive number",
)
SHARE = Kind(
    "number",
    (int, float),
    float,
    lambda value: "" if 0 <= value < 1 else f"{value} is not in [0, 1)",
)


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")] if text else []


POSITIVE_INTEGERS = Kind(
    "list of integers",
    (list,),
    _integers,
    lambda values: (
        ""
        if all(type(value) is int and value > 0 for value in values)
        else f"{values} are not all whole numbers above 0"
    ),
)


def _assignment(text: str) -> dict[str, Any]:
    """NAME=VALUE, the value as in TOML, or as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(text)
    try:
        return {name: tomllib.loads(f"value = {value}")["value"]}
    except tomllib.TOMLDecodeError:
        return {name: value}


TABLE = Kind("table NAME=VALUE", (dict,), _assignment)


# Options


def option(default: Any, kind: Kind, help: str) -> Any:
    """A field of a dataclass of options."""
    metadata = {"kind": kind, "help": help}
    if isinstance(default, dict | list):
        return field(default_factory=lambda: copy.copy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def options(*classes: Any) -> dict[str, Field[Any]]:
    """The options of dataclasses, by name."""
    return {f.name: f for cls in classes for f in fields(cls)}


def read_toml(path: str | os.PathLike[str], known: Mapping[str, Field[Any]]) -> dict[str, Any]:
    """The options in a TOML file.

    Parameters
    ----------
    path : path
    known : mapping of str to field
        From `options`.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If it is no TOML, or a key or a value is not one of `known`; it names the key.
    OSError
        If it cannot be read.
    """
    try:
        table: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not TOML: {error}") from error
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"{path}: there is no option {name!r}{did_you_mean(name, known)}")
        try:
            known[name].metadata["kind"].check(value)
        except ValueError as error:
            raise ValueError(f"{path}: {name} {error}") from error
    return table


def write_toml(values: Mapping[str, Any], known: Mapping[str, Field[Any]]) -> str:
    """What `read_toml` reads: a line for each option; one that is None is a comment."""
    lines = []
    for name in known:
        value = values[name]
        lines.append(f"# {name} is not set" if value is None else f"{name} = {_toml(value)}")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(
                f"{k if k.isidentifier() else json.dumps(k)} = {_toml(v)}" for k, v in value.items()
            )
            + "}"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
