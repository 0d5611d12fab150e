"""What the commands share: exit status, complaints, and kinds of arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from convolith.train.options import Kind, integer

INTERRUPTED = 130


def complain(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(f"convolith: {sentence}", file=sys.stderr)


def typed(kind: Kind) -> Callable[[str], Any]:
    """`kind` as the ``type`` of an argument."""

    def parse(text: str) -> Any:
        value = kind.parse(text)
        if fault := kind.fault(value):
            raise argparse.ArgumentTypeError(fault)
        return value

    parse.__name__ = kind.name  # argparse says "invalid NAME value"
    return parse


positive_int = typed(integer(1))


def command(commands: Any, name: str, run: Any, purpose: str, example: str) -> Any:
    """The parser of a command, with the arguments that every command has."""
    parser = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"example: {example}",
    )
    parser.add_argument("--threads", type=positive_int, metavar="N", help="default: all CPUs")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run, usage_error=parser.error)
    return parser
