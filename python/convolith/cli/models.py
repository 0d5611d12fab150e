"""``convolith models``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from convolith._table import aligned
from convolith.cli.common import command
from convolith.models import list_models, model_entry, summary
from convolith.viz import architecture


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(
        commands,
        "models",
        run,
        "list the networks, or show the layers of one",
        "convolith models resnet18 --graph resnet18.svg",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the network to show")
    parser.add_argument(
        "--graph", type=Path, metavar="FILE", help="draw it: .svg, .png, .pdf, or .gv as text"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table of networks, or the summary of one; draw it."""
    if args.name is None:
        if args.graph is not None:
            args.usage_error("--graph draws one network: give its NAME")
        print("\n".join(_networks()))
        return 0
    entry = model_entry(args.name)
    model, shape = entry.build(), (1, *entry.image)
    print(summary(model, shape))
    if args.graph is not None:
        architecture(model, shape, args.graph)
        print(f"written to {args.graph}")
    return 0


def _networks() -> list[str]:
    rows = [("name", "input", "parameters", "source")]
    for name in list_models():
        entry = model_entry(name)
        shape = "x".join(map(str, entry.image))
        rows.append((name, shape, f"{entry.parameters:,}", entry.source))
    head, *lines = aligned(rows, "llrl")
    return [head, "-" * max(map(len, lines)), *lines]
