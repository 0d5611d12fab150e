"""A roofline: what was measured, under what the machine could do.

Examples
--------
python bench/plot.py bench/results/conv.json
python bench/plot.py bench/results/conv.json --direction fwd --threads 1 --output roofline.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

MARKERS = {"ours": "o", "peer": "x"}


def points(content: dict[str, Any], direction: str, threads: int) -> dict[str, np.ndarray]:
    """FLOP/byte, and GFLOP/s of ours and the peer's, of the rows that have FLOPs and bytes.

    Parameters
    ----------
    content : dict
        A report.
    direction : str
    threads : int
    """
    rows = [
        row
        for row in content["rows"]
        if row["direction"] == direction
        and row["threads"] == threads
        and {"flops", "bytes"} <= row.keys()
    ]
    if not rows:
        raise SystemExit(f"plot: no {direction} on {threads} threads in this report")
    intensity = np.array([row["flops"] / row["bytes"] for row in rows])
    return {"x": intensity} | {who: np.array([row[who] for row in rows]) for who in MARKERS}


def draw(content: dict[str, Any], direction: str, threads: int, output: Path) -> None:
    """The picture, in the format that the name of the file says."""
    import matplotlib.pyplot as plt

    machine = content["machine"]
    measured = points(content, direction, threads)
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    x = np.geomspace(measured["x"].min() / 2, measured["x"].max() * 2, 200)
    for isa, peaks in machine["peak_gflops"].items():
        for (size, copies), style in zip(machine["copy_gb_s"].items(), ("--", "-"), strict=False):
            roof = np.minimum(peaks[str(threads)], x * copies[str(threads)])
            axes.plot(x, roof, style, color="0.5", label=f"{isa}, copies of {size}")
    for who, marker in MARKERS.items():
        label = "convolith" if who == "ours" else machine["peer"]
        axes.plot(measured["x"], measured[who], marker, markersize=4, label=label)
    axes.set(
        xscale="log", yscale="log", xlabel="FLOP per byte that must move", ylabel="GFLOP/s",
        title=f"{direction}, {threads} threads, {machine['cpu']}",
    )  # fmt: skip
    axes.legend(fontsize="small")
    figure.savefig(output, dpi=150)
    plt.close(figure)


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, help="JSON that compare.py wrote")
    parser.add_argument("--direction", default="fwd", help="default fwd")
    parser.add_argument("--threads", type=int, default=1, metavar="T", help="default 1")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default beside the report")
    args = parser.parse_args()
    name = f"{args.report.stem}_{args.direction}_{args.threads}.svg"
    output = args.output or args.report.with_name(name)
    draw(json.loads(args.report.read_text()), args.direction, args.threads, output)
    print(output)


if __name__ == "__main__":
    main()
