"""What it costs to have the library: time to import, size on disk."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import Row

GROUPS = ((), ("direction",))


def import_time(package: str) -> float:
    """Seconds of one import in a fresh process, the interpreter's own start not counted."""
    code = f"import time; t = time.perf_counter(); import {package}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def installed_size(package: str) -> float:
    """MB of the package's files, caches of byte code not counted."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    files = (f for where in spec.submodule_search_locations or () for f in Path(where).rglob("*"))
    return sum(f.stat().st_size for f in files if f.is_file() and f.suffix != ".pyc") / 1e6


def compare(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for time and one for size."""
    packages = ("convolith", args.peer)
    taken: dict[str, list[float]] = {package: [] for package in packages}
    for repetition in range(-1, 3 if args.quick else 9):
        for package in packages:
            seconds = import_time(package)
            if repetition >= 0:  # before it, files come into memory
                taken[package].append(seconds)
    milliseconds = [1e3 * statistics.median(taken[package]) for package in packages]
    megabytes = [installed_size(package) for package in packages]
    for direction, unit, (ours, peer) in (
        ("time", "ms", milliseconds),
        ("size", "MB", megabytes),
    ):
        yield {
            "name": "import",
            "direction": direction,
            "threads": 1,
            "ours": ours,
            "peer": peer,
            "unit": unit,
            "ratio": peer / ours,
        }


COLUMNS = (
    ("", "{name} {direction}", "<24"),
    ("ours", "{ours:,.1f}", ">12"),
    ("peer", "{peer:,.1f}", ">12"),
    ("", " {unit}", "<6"),
    ("ratio", "{ratio:.1f}", ">7"),
)


def add_arguments(job: argparse.ArgumentParser) -> None:
    """Nothing beyond what all comparisons take."""
