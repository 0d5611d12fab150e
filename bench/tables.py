"""Write the tables of docs/performance.md again, from bench/results/*.json.

Examples
--------
python bench/tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs/performance.md"
RESULTS = ROOT / "bench/results"
BEHIND = 0.95  # of the peer's speed: less is a loss
BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", flags=re.S)

Report = dict[str, Any]


def table(heading: list[str], rows: list[list[str]]) -> str:
    """Markdown; all columns but the first are numbers or short words."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None, form: str = ",.2f") -> str:
    """A dash for what could not be measured."""
    return "-" if value is None else f"{value:{form}}"


def machine(content: Report) -> str:
    """One sentence on what served."""
    about = content["machine"]
    facts = [about["cpu"], about["isa"], about["compiler"], about["peer"], about["date"]]
    for threads, peak in about["peak_gflops"][about["isa"]].items():
        copies = [f"{v[threads]:.0f} GB/s ({size})" for size, v in about["copy_gb_s"].items()]
        facts.append(f"{threads} threads: peak {peak:.0f} GFLOP/s, copy {', '.join(copies)}")
    return "; ".join(facts) + ".\n"


def conv(content: Report) -> str:
    """Geometric means of each class, and the worst layer."""
    threads = content["machine"]["threads"]
    means, worst = content["geomean"], content["worst"]
    classes = dict.fromkeys(row["class"] for row in content["rows"])
    directions = dict.fromkeys(row["direction"] for row in content["rows"])
    rows = []
    for name in [*classes, "all"]:
        for direction in directions:
            prefix = direction if name == "all" else f"{name}, {direction}"
            cells = [means.get(f"{prefix}, {t} threads") for t in threads]
            if any(cells):
                rows.append([name, direction, *map(number, cells)])
    heading = ["layers", "direction", *(f"{t} threads" for t in threads)]
    return (
        f"{table(heading, rows)}\nAll: {means['all']:.2f}. Worst: {worst['suite']} {worst['name']} "
        f"{worst['direction']} on {worst['threads']} threads, {worst['ratio']:.2f}.\n"
    )


def lost(content: Report) -> str:
    """The layers where the peer is ahead, and how far either is from what the machine can do."""
    about = content["machine"]
    peaks = about["peak_gflops"][about["isa"]]
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in content["rows"]:
        groups.setdefault((row["class"], row["direction"], row["threads"]), []).append(row)

    def of_roof(rows: list[dict[str, Any]], who: str) -> str:
        """Median share of the FMA peak, or of the copies' speed where that bounds a layer."""
        shares = []
        for row in rows:
            threads = str(row["threads"])
            copy = max(speeds[threads] for speeds in about["copy_gb_s"].values())
            shares.append(row[who] / min(peaks[threads], copy * row["flops"] / row["bytes"]))
        return number(median(shares), ".0%")

    lines = []
    for (name, direction, threads), rows in sorted(groups.items()):
        behind = [row for row in rows if row["ratio"] < BEHIND]
        if behind:
            ratio = number(median(row["ratio"] for row in behind))
            ours, peer = of_roof(behind, "ours"), of_roof(behind, "peer")
            count = f"{len(behind)} of {len(rows)}"
            lines.append([name, direction, str(threads), count, ratio, ours, peer])
    heading = ["layers", "direction", "threads", "behind", "ratio", "ours, of roof", "PyTorch's"]
    return table(heading, lines)


def ops(content: Report) -> str:
    """Every operation."""
    heading = ["operation", "direction", "threads", "ours", "of roof", "PyTorch", "ratio"]
    return machine(content) + "\n" + table(
        heading,
        [
            [
                row["name"], row["direction"], str(row["threads"]),
                f"{row['ours']:.1f} {row['unit']}", number(row["share_of_roof"], ".0%"),
                number(row["peer"], ".1f"), number(row["ratio"]),
            ]
            for row in content["rows"]
        ],
    )  # fmt: skip


def train(content: Report) -> str:
    """Every network and peer; memory where it was noted."""
    heading = ["network", "batch", "threads", "peer", "images/s", "peer's", "ratio", "MB", "peer's"]
    return machine(content) + "\n" + table(
        heading,
        [
            [
                row["model"], str(row["batch_size"]), str(row["threads"]), row["library"],
                number(row["ours"], ",.0f"), number(row["peer"], ",.0f"), number(row["ratio"]),
                number(row.get("ours_memory_mb"), ",.0f"),
                number(row.get("peer_memory_mb"), ",.0f"),
            ]
            for row in content["rows"]
        ],
    )  # fmt: skip


def infer(content: Report) -> str:
    """Every network and peer."""
    heading = ["network", "batch", "threads", "peer", "images/s", "peer's", "ratio"]
    return machine(content) + "\n" + table(
        heading,
        [
            [
                row["model"], str(row["batch_size"]), str(row["threads"]), row["library"],
                number(row["ours"], ",.1f"), number(row["peer"], ",.1f"), number(row["ratio"]),
            ]
            for row in content["rows"]
        ],
    )  # fmt: skip


def imports(content: Report) -> str:
    """Time and size."""
    return table(
        ["import", "ours", "PyTorch", "ratio"],
        [
            [
                row["direction"],
                *(f"{row[who]:,.1f} {row['unit']}" for who in ("ours", "peer")),
                number(row["ratio"], ".0f"),
            ]
            for row in content["rows"]
        ],
    )


def accuracy(content: Report) -> str:
    """Every layer, its three directions side by side."""
    layers: dict[tuple[str, str], list[str]] = {}
    for row in content["rows"]:
        cells = layers.setdefault((f"{row['suite']} {row['name']}", row["shape"]), [])
        cells += [f"{row['winograd']:.1e}", f"{row['direct']:.1e}"]
    directions = dict.fromkeys(row["direction"] for row in content["rows"])
    pairs = [f"{direction}, {algo}" for direction in directions for algo in ("winograd", "direct")]
    heading = ["layer", "channels", *pairs]
    return table(heading, [[*layer, *cells] for layer, cells in layers.items()])


def runs(content: Report) -> str:
    """What networks have learnt, and how long it took."""
    heading = ["network", "dataset", "parameters", "epochs", "threads", "minutes", "test error"]
    return table(
        heading,
        [
            [
                row["model"], row["dataset"], f"{row['parameters']:,}", str(row["epochs"]),
                str(row["threads"]), number(row["seconds"] / 60, ".1f"),
                number(1 - row["test_accuracy"], ".2%"),
            ]
            for row in content["rows"]
        ],
    )  # fmt: skip


def parity(content: Report) -> str:
    """How many functions were compared, and how many are as exact as PyTorch's."""
    lines = []
    for direction in ("fwd", "bwd", "100 steps"):
        rows = [row for row in content["rows"] if row["direction"].startswith(direction)]
        agree = sum(row["agrees"] for row in rows)
        close = sum(row["error"] <= max(1, row["peer_error"]) for row in rows)
        limits = sum(row["limits"] for row in rows)
        lines.append([direction, str(len(rows)), str(agree), str(close), str(limits)])
    heading = ["direction", "comparisons", "agree", "as close as PyTorch", "limits"]
    return table(heading, lines)


TABLES: dict[str, Callable[[Report], str]] = {
    "machine": machine,
    "conv": conv,
    "lost": lost,
    "ops": ops,
    "train": train,
    "infer": infer,
    "infer_zoo": infer,
    "import": imports,
    "accuracy": accuracy,
    "runs": runs,
    "parity": parity,
}
SOURCES = {"machine": "conv", "lost": "conv"}  # reports of another name than the table


def filled(text: str) -> str:
    """The document with every block as the results have it."""

    def block(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        file = RESULTS / f"{SOURCES.get(name, name)}.json"
        body = TABLES[name](json.loads(file.read_text())) if file.exists() else "Not measured.\n"
        return begin + body + end

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
