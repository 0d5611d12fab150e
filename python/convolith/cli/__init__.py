"""The command ``convolith``: train, eval, finetune, predict, models, export, profile, info.

Exit status: 0, 1 for a failure (one sentence on standard error), 2 for wrong usage, 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import convolith
from convolith.cli import evaluate, export, finetune, info, models, predict, profile, train
from convolith.cli.common import INTERRUPTED, complain

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process if not given.

    Returns
    -------
    int
        The exit status.
    """
    args = _parser().parse_args(argv)
    if args.threads is not None:
        convolith.set_num_threads(args.threads)
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        if args.debug:
            raise
        complain(_sentence(error))
        return 1
    return status


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convolith", description="Train networks on pictures, and use them."
    )
    version = f"convolith {convolith.__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in (train, evaluate, finetune, predict, models, export, profile, info):
        part.add(commands)
    return parser
