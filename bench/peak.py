"""The roofs of this machine: peak of multiply-adds per instruction set, bandwidth of copies.

Examples
--------
python bench/peak.py
python bench/peak.py --threads 1 2 4
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("peak.cpp")

# Instruction set: flags of the compiler, bytes of a vector. The names are convolith's.
FLAGS = {
    "avx512": (["-mavx512f", "-mfma"], 64),
    "avx2": (["-mavx2", "-mfma"], 32),
    "neon": ([], 16),
    "baseline": ([], 16),
}
IN_CACHE = 64  # MB: an array that a large last-level cache can hold
DEFAULT_CACHE = 64  # MB: where the system does not tell


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="convolith-peak-")


@functools.cache
def _program(isa: str) -> Path:
    """The measuring program, compiled for an instruction set."""
    flags, vector = FLAGS[isa]
    program = Path(_folder().name) / isa
    compiler = os.environ.get("CXX", "c++")
    options = ["-std=c++17", "-O3", "-ffp-contract=fast", "-pthread", f"-DVECTOR={vector}"]
    subprocess.run([compiler, *options, *flags, SOURCE, "-o", program], check=True)
    return program


def _measure(isa: str, *args: object) -> float:
    command = [str(_program(isa)), *map(str, args)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def fma(isa: str, threads: int) -> float:
    """GFLOP/s of float32 multiply-adds that stay in registers."""
    return _measure(isa, "fma", threads)


@functools.cache
def copy(megabytes: float, threads: int) -> float:
    """GB/s, read and written together, of copying an array of that size."""
    return _measure("baseline", "copy", threads, megabytes)


def last_level_cache() -> float:
    """MB of the largest cache."""
    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        sizes.append(int(file.read_text().strip().removesuffix("K")) * 1024 / 1e6)
    return max(sizes, default=DEFAULT_CACHE)


def roofs(threads: Sequence[int], isas: Sequence[str]) -> dict[str, Any]:
    """What goes into "machine" of a report: peak and bandwidth by number of threads.

    Parameters
    ----------
    threads : sequence of int
    isas : sequence of str
        Instruction sets that this machine has.
    """
    cache = last_level_cache()
    beyond = round(2 * cache)
    return {
        "last_level_cache_mb": cache,
        "peak_gflops": {isa: {str(t): fma(isa, t) for t in threads} for isa in isas},
        "copy_gb_s": {
            f"{size} MB": {str(t): copy(size, t) for t in threads} for size in (IN_CACHE, beyond)
        },
    }


def main() -> None:
    """Print the roofs."""
    from convolith import _C

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="T")
    args = parser.parse_args()
    print(json.dumps(roofs(args.threads, _C.available_isas()), indent=2))


if __name__ == "__main__":
    main()
