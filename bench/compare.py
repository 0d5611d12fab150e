"""Side by side with the peers, in one run, as ratios (above 1: convolith is faster).

Examples
--------
python bench/compare.py conv --suite resnet18 --threads 1 --direction fwd
python bench/compare.py train --models lenet5 --json bench/results/train.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import time
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import Any

import conv
import imports
import infer
import ops
import peak
import train
from measure import Row, machine, report, write_json

# Each has COLUMNS and GROUPS of its table, add_arguments(parser), and compare(args, machine).
COMPARISONS: dict[str, tuple[ModuleType, str]] = {
    "conv": (conv, "convolutions of real networks, GFLOP/s"),
    "ops": (ops, "everything else, GB/s or GFLOP/s"),
    "train": (train, "training, images/s"),
    "infer": (infer, "evaluation, images/s"),
    "import": (imports, "time to import and size on disk"),
}
Columns = tuple[tuple[str, str, str], ...]


def print_heading(columns: Columns) -> None:
    """The names of the columns."""
    print("".join(f"{name:{width}}" for name, _, width in columns))


def print_row(columns: Columns, row: Row) -> None:
    """One line, as soon as it is known."""
    cells = []
    for _, cell, width in columns:
        known = all(row[name] is not None for _, name, _, _ in Formatter().parse(cell) if name)
        cells.append(f"{cell.format(**row) if known else '-':{width}}")
    print("".join(cells), flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = top.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, (module, purpose) in COMPARISONS.items():
        job = what.add_parser(name, help=purpose)
        module.add_arguments(job)
        job.add_argument("--peer", default="torch", choices=["torch"], help="default torch")
        job.add_argument(
            "--threads", nargs="+", type=int, default=[1, 2], metavar="T", help="default 1 2"
        )
        job.add_argument("--quick", action="store_true", help="fewer and shorter repetitions")
        job.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    return top


def main() -> int:
    """Compare, print, write."""
    args = parser().parse_args()
    module, _ = COMPARISONS[args.what]
    about: dict[str, Any] = machine(args.threads)
    try:
        about["peer"] = f"{args.peer} {importlib.metadata.version(args.peer)}"
    except importlib.metadata.PackageNotFoundError:
        print(f"compare: {args.peer} is not installed", file=sys.stderr)
        return 1
    about |= peak.roofs(args.threads, [about["isa"]])
    start = time.monotonic()
    rows = []
    print_heading(module.COLUMNS)
    for row in module.compare(args, about):
        rows.append(row)
        print_row(module.COLUMNS, row)
    about["minutes"] = (time.monotonic() - start) / 60
    content = report(rows, about, module.GROUPS)
    print("\ngeometric means of the ratio")
    for name, mean in content["geomean"].items():
        print(f"{name:52}{mean:8.2f}")
    if rows:
        print("\nworst")
        print_row(module.COLUMNS, content["worst"])
    if args.json:
        write_json(args.json, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
