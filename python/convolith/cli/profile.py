"""``convolith profile``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from convolith.cli.common import command, positive_int
from convolith.train.files import write_atomically


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(
        commands,
        "profile",
        run,
        "count what the CUDA kernels of a primitive ask of memory, without a GPU",
        "convolith profile conv2d_forward --shape 1,16,14,14 --weight 32,16,3,3 --padding 1",
    )
    parser.add_argument("primitive", metavar="PRIMITIVE", help="conv2d_forward, relu_backward, ...")
    parser.add_argument(
        "--shape", type=_ints, required=True, metavar="N,C,H,W", help="of the input"
    )
    parser.add_argument(
        "--weight", type=_ints, default=(), metavar="K,C,R,S", help="of filters, or O,I"
    )
    parser.add_argument("--kernel-size", type=_pair, default=(2, 2), metavar="R[,S]")
    parser.add_argument("--stride", type=_pair, default=(1, 1), metavar="N[,N]")
    parser.add_argument("--padding", type=_pair, default=(0, 0), metavar="N[,N]")
    parser.add_argument("--groups", type=positive_int, default=1, metavar="N")
    parser.add_argument(
        "--algo", default="auto", help="auto, direct, depthwise, tensor_core, mma or wgmma"
    )
    parser.add_argument("--device", choices=("emu",), default="emu", help="default emu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there, too")


def run(args: argparse.Namespace) -> int:
    """Profile, and print the counts."""
    from convolith.profile import Options, profile, report

    options = Options(**{f.name: getattr(args, f.name) for f in fields(Options)})
    counts = profile(args.primitive, options)
    print(report(counts))
    if args.json is not None:
        result = {"primitive": args.primitive, "options": asdict(options), **counts}
        write_atomically(args.json, (json.dumps(result, indent=2) + "\n").encode())
    return 0


def _ints(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of integers such as 1,3,8,8"
        ) from None
    if min(values) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} has a negative number")
    return values


def _pair(text: str) -> tuple[int, int]:
    values = _ints(text)
    if len(values) > 2:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor a pair")
    return values[0], values[-1]
