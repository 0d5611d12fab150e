"""Train as bench/runs/NAME.toml says, and keep what came of it in bench/results/runs.json.

Examples
--------
python bench/record.py lenet5_mnist --data DIR
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from convolith.cli import main as convolith
from measure import machine, write_json

HERE = Path(__file__).parent
RUNS = HERE / "runs"
RESULTS = HERE / "results/runs.json"
MEASURED = ("test_accuracy", "seconds", "parameters", "threads")
KEPT = (*MEASURED, "model", "dataset", "augment", "epochs")


def recorded(folder: Path, name: str) -> dict[str, Any]:
    """What a run left in its folder, as a row."""
    result = json.loads((folder / "result.json").read_text())
    with (folder / "history.csv").open() as file:
        history = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    about = {"name": name, **{key: result[key] for key in KEPT}}
    return {**about, "machine": machine([result["threads"]]), "history": history}


def main() -> int:
    """Train, then put the row in the place of an older one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = sorted(file.stem for file in RUNS.glob("*.toml"))
    parser.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = str(RUNS / f"{args.name}.toml")
        status = convolith(["train", "--config", config, "--data", args.data, "--out", folder])
        if status:
            return status
        row = recorded(Path(folder), args.name)
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    others = [other for other in rows if other["name"] != args.name]
    write_json(RESULTS, {"rows": sorted([*others, row], key=lambda r: r["name"])})
    return 0


if __name__ == "__main__":
    sys.exit(main())
