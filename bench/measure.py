"""Fair measurements: libraries take turns, each in a process of its own.

In one process two OpenMP runtimes would spin against each other; in two processes that take turns
the one that waits is asleep. Repetitions are interleaved (A B A B ...), so that a change of the
machine's speed meets everybody, and medians are compared only within a run.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Step = Callable[[], Any]  # one repetition; returns what it computed, for checks
Row = dict[str, Any]

PAUSE = 0.02  # seconds: longer than an OpenMP runtime spins after its last parallel region


class Runner:
    """One library in a child process.

    Parameters
    ----------
    build : callable
        Called as ``build(*args)`` in the child, where it imports its library; returns a `Step`.
    args : object
    """

    def __init__(self, build: Callable[..., Step], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(child, build, args), daemon=True)
        self._process.start()
        child.close()
        self._receive()  # built

    def run(self) -> tuple[float, Any]:
        """One repetition: seconds, and what the step returned."""
        self._pipe.send("run")
        seconds, value = self._receive()
        return seconds, value

    def close(self) -> None:
        """End the child."""
        with contextlib.suppress(OSError):
            self._pipe.send("stop")
        self._process.join(10)
        self._process.kill()

    def _receive(self) -> Any:
        kind, value = self._pipe.recv()
        if kind == "error":
            raise RuntimeError(value)
        return value


def _serve(pipe: Any, build: Callable[..., Step], args: tuple[Any, ...]) -> None:
    try:
        step = build(*args)
        pipe.send(("built", None))
        while pipe.recv() == "run":
            start = time.perf_counter()
            value = step()
            pipe.send(("ran", (time.perf_counter() - start, value)))
    except Exception as error:
        pipe.send(("error", f"{type(error).__name__}: {error}"))


def alternate(runners: dict[str, Runner], repetitions: int, warmup: int = 1) -> dict[str, float]:
    """Median seconds of each runner over interleaved repetitions.

    Parameters
    ----------
    runners : dict of str to Runner
    repetitions : int
        Counted ones, for each.
    warmup : int
        Repetitions before those.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for repetition in range(warmup + repetitions):
        for name, runner in runners.items():
            time.sleep(PAUSE)
            took, _ = runner.run()
            if repetition >= warmup:
                seconds[name].append(took)
    return {name: statistics.median(values) for name, values in seconds.items()}


def geomean(values: Iterable[float]) -> float:
    """Geometric mean; NaN of nothing."""
    logs = [math.log(v) for v in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def machine(threads: Sequence[int]) -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    import numpy

    import convolith
    from convolith import _C

    return {
        "date": datetime.date.today().isoformat(),
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": list(threads),
        "load_average_before": os.getloadavg()[0],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "convolith": convolith.__version__,
        "isa": _C.isa(),
        "compiler": _C.build_info()["compiler"],
    }


def report(rows: list[Row], about: dict[str, Any]) -> dict[str, Any]:
    """What every comparison writes: rows, geometric means, the worst row, the machine."""
    groups: dict[str, list[float]] = {"all": [row["ratio"] for row in rows]}
    for row in rows:
        groups.setdefault(f"{row['direction']}, {row['threads']} threads", []).append(row["ratio"])
    return {
        "rows": rows,
        "geomean": {name: geomean(ratios) for name, ratios in groups.items()},
        "worst": min(rows, key=lambda row: row["ratio"]) if rows else {},
        "machine": about,
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write whole or not at all."""
    from convolith.train.files import write_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
