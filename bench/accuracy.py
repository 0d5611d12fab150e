"""Rounding errors of convolution's algorithms, layer by layer, against float64.

Standard normal operands, one image. An error is the largest difference from the float64 result
(direct), relative to the root mean square of that result.

Examples
--------
python bench/accuracy.py
python bench/accuracy.py --suite vgg16 --json bench/results/accuracy.json
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import conv
from measure import Row, machine, write_json


def results(layer: conv.Layer, direction: str, dtype: type, algo: str) -> np.ndarray:
    """One direction of a layer."""
    from convolith import primitives

    x, w, _, dy = (array.astype(dtype) for array in conv.arrays(layer))
    options = {**layer.options, "algo": algo}
    if direction == "fwd":
        return primitives.conv2d_forward(x, w, **options)
    if direction == "bwd_input":
        return primitives.conv2d_backward_input(dy, w, x.shape, **options)
    return primitives.conv2d_backward_weight(dy, x, w.shape, **options)


def error(layer: conv.Layer, direction: str, algo: str, expected: np.ndarray) -> float:
    """Of an algorithm in float32."""
    difference = np.abs(results(layer, direction, np.float32, algo) - expected).max()
    return float(difference / np.sqrt(np.mean(np.square(expected))))


def rows(suites: list[str]) -> list[Row]:
    """A row for each direction of each layer that Winograd can serve."""
    found = []
    for layer in conv.layers(suites):
        if (layer.R, layer.S, layer.stride, layer.groups) != (3, 3, 1, 1):
            continue
        one = replace(layer, N=1)
        for direction in conv.DIRECTIONS:
            expected = results(one, direction, np.float64, "direct")
            winograd, direct = (
                error(one, direction, algo, expected) for algo in ("winograd", "direct")
            )
            found.append(
                {
                    "suite": layer.suite,
                    "name": layer.name,
                    "direction": direction,
                    "shape": f"{layer.C}x{layer.H}x{layer.W} to {layer.K}",
                    "winograd": winograd,
                    "direct": direct,
                }
            )
    return found


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--suite", nargs="+", default=conv.SUITES, choices=conv.SUITES, help="default all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    args = parser.parse_args()
    found = rows(args.suite)
    print(f"{'':44}{'':>18}{'winograd':>10}{'direct':>10}")
    for row in found:
        name = f"{row['suite']} {row['name']} {row['direction']}"
        print(f"{name:44}{row['shape']:>18}{row['winograd']:10.1e}{row['direct']:10.1e}")
    if args.json:
        content: dict[str, Any] = {"rows": found, "machine": machine([1])}
        write_json(args.json, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
