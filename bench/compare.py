"""Side by side with the peers, in one run, as ratios (above 1: convolith is faster).

Examples
--------
python bench/compare.py conv --suite resnet18 --threads 1 --direction fwd
python bench/compare.py train --models lenet5 --json bench/results/train.json
python bench/compare.py conv --device cuda --suite resnet50 --json bench/results/conv_cuda.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import sys
import time
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import Any

import conv
import gpu
import imports
import infer
import ops
import parity
import peak
import train
from measure import Row, machine, report, write_json

# Each has COLUMNS and GROUPS of its table, add_arguments(parser), and compare(args, machine);
# those that know GPUs have compare_device(args, machine), too.
COMPARISONS: dict[str, tuple[ModuleType, str]] = {
    "conv": (conv, "convolutions of real networks, GFLOP/s"),
    "ops": (ops, "everything else, GB/s or GFLOP/s"),
    "train": (train, "training, images/s"),
    "infer": (infer, "evaluation, images/s"),
    "import": (imports, "time to import and size on disk"),
    "parity": (parity, "every function and gradient, error in units in the last place"),
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
        peers = ["torch", "none"] if hasattr(module, "compare_device") else ["torch"]
        job.add_argument(
            "--peer", default="torch", choices=peers, help="default torch; none only on a GPU"
        )
        job.add_argument(
            "--threads", nargs="+", type=int, default=[1, 2], metavar="T", help="default 1 2"
        )
        job.add_argument("--quick", action="store_true", help="fewer and shorter repetitions")
        job.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    return top


def compare(args: argparse.Namespace) -> dict[str, Any]:
    """The report of a comparison; prints rows as they come. Ctrl-C ends it with those it has."""
    module, _ = COMPARISONS[args.what]
    columns, groups = module.COLUMNS, module.GROUPS
    about: dict[str, Any]
    if getattr(args, "device", "cpu") == "cpu":
        about = machine(args.threads)
        about |= peak.roofs(args.threads, [about["isa"]])
        measured = module.compare(args, about)
    else:
        columns, groups = gpu.with_dtype(columns), gpu.with_dtype(groups)
        about = gpu.machine(args)
        measured = module.compare_device(args, about)
    about["peer"] = args.peer
    if args.peer != "none":
        about["peer"] += f" {importlib.metadata.version(args.peer)}"
    start = time.monotonic()
    rows = []
    print_heading(columns)
    try:
        for row in measured:
            rows.append(row)
            print_row(columns, row)
    except KeyboardInterrupt:
        about.setdefault("faults", {})["interrupted"] = "the rest was not measured"
    about["minutes"] = (time.monotonic() - start) / 60
    content = report(rows, about, groups)
    print("\ngeometric means of the ratio")
    for name, mean in content["geomean"].items():
        print(f"{name:52}{mean:8.2f}")
    if rows:
        print("\nworst")
        print_row(columns, content["worst"])
    return content


def main() -> int:
    """Compare, write."""
    args = parser().parse_args()
    if args.peer == "none" and args.device == "cpu":
        print("compare: without a peer only on a GPU", file=sys.stderr)
        return 1
    if args.peer != "none" and importlib.util.find_spec(args.peer) is None:
        print(f"compare: {args.peer} is not installed", file=sys.stderr)
        return 1
    content = compare(args)
    if args.json:
        write_json(args.json, content)
    faults = content["machine"].get("faults", {})
    for what, reason in faults.items():
        print(f"compare: {what}: {reason}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
