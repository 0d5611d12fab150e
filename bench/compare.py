"""Side by side with the peers, in one run, as ratios (above 1: convolith is faster).

Examples
--------
python bench/compare.py train --models lenet5 --peer torch
python bench/compare.py train --threads 1 --json bench/results/train.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import train
from measure import Row, Runner, alternate, machine, report, write_json

# Libraries that differ by rounding end a run with losses this close; more is not the same work.
SAME_LOSS = 1e-2


def compare_train(args: argparse.Namespace) -> list[Row]:
    """Images per second of training."""
    rows = []
    for model in args.models:
        for threads in args.threads:
            common = (model, args.batch_size, threads)
            runners = {"convolith": Runner(train.build_convolith, *common)}
            for layout in train.LAYOUTS:
                runners[layout] = Runner(train.build_torch, *common, layout)
            losses = {name: runner.run()[1] for name, runner in runners.items()}
            if max(losses.values()) - min(losses.values()) > SAME_LOSS:
                raise RuntimeError(f"{model}: the libraries did not compute the same: {losses}")
            seconds = alternate(runners, 3 if args.quick else 9)
            for runner in runners.values():
                runner.close()
            images = train.STEPS * args.batch_size
            speed = {name: images / s for name, s in seconds.items()}
            best = max(train.LAYOUTS, key=lambda layout: speed[layout])
            rows.append(
                {
                    "model": model,
                    "direction": "train",
                    "threads": threads,
                    "batch_size": args.batch_size,
                    "ours": speed["convolith"],
                    "peer": speed[best],
                    "peer_layout": best,
                    "peer_default_layout": speed["NCHW"],
                    "unit": "images/s",
                    "ratio": speed["convolith"] / speed[best],
                }
            )
    return rows


def print_table(rows: list[Row]) -> None:
    """One line per row."""
    print(f"{'':24}{'threads':>8}{'ours':>12}{'peer':>12}  {'unit':10}{'ratio':>7}  peer's layout")
    for row in rows:
        name = row.get("name", row.get("model"))
        print(
            f"{name + ' ' + row['direction']:24}{row['threads']:8}{row['ours']:12,.0f}"
            f"{row['peer']:12,.0f}  {row['unit']:10}{row['ratio']:7.2f}  {row['peer_layout']}"
        )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = top.add_subparsers(dest="what", required=True, metavar="WHAT")
    job = what.add_parser("train", help="training, images per second")
    job.add_argument(
        "--models", nargs="+", default=list(train.MODELS), choices=train.MODELS, help="networks"
    )
    job.add_argument("--batch-size", type=int, default=64, metavar="N", help="default 64")
    job.add_argument("--peer", default="torch", choices=["torch"], help="default torch")
    job.add_argument(
        "--threads", nargs="+", type=int, default=[1, 2], metavar="T", help="default 1 2"
    )
    job.add_argument("--quick", action="store_true", help="3 repetitions instead of 9")
    job.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    job.set_defaults(compare=compare_train)
    return top


def main() -> int:
    """Compare, print, write."""
    args = parser().parse_args()
    about: dict[str, Any] = machine(args.threads)
    try:
        about["peer"] = f"{args.peer} {importlib.metadata.version(args.peer)}"
    except importlib.metadata.PackageNotFoundError:
        print(f"compare: {args.peer} is not installed", file=sys.stderr)
        return 1
    content = report(args.compare(args), about)
    print_table(content["rows"])
    print("geometric means: " + ", ".join(f"{k} {v:.2f}" for k, v in content["geomean"].items()))
    if args.json:
        write_json(args.json, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
