"""What the commands share: exit status, complaints, and kinds of arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from convolith.train.options import TABLE, Kind, integer

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


def add_model_option(parser: Any) -> None:
    """The argument with options of a network."""
    parser.add_argument(
        "--model-option",
        type=typed(TABLE),
        action="append",
        metavar="NAME=VALUE",
        help="of the network; torchvision's weights for googlenet and inception_v3 need "
        "transform_input=true; may be repeated",
    )


def joined(tables: Sequence[dict[str, Any]] | None) -> dict[str, Any]:
    """The entries of all `tables`."""
    return {name: value for table in tables or () for name, value in table.items()}
