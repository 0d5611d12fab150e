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

import numpy as np

Step = Callable[[], Any]  # the work that is timed; returns what it computed, for checks
Prepare = Callable[..., Step]
Row = dict[str, Any]

PAUSE = 0.02  # seconds: longer than an OpenMP runtime spins after its last parallel region
PAUSE_ONE = 0.001  # on one thread nothing spins
WARM_UP = 0.01  # seconds of the step before it is timed: sleeping cores wake up, caches fill
EVICTION = 512_000_000  # bytes read to make caches forget
SAMPLE = 500_000  # elements of a large result that are compared


class Timed:
    """A step with a clock of its own: it runs on a GPU."""

    def __call__(self) -> Any:
        """Do it once, and give what it computed."""
        raise NotImplementedError

    def seconds(self, times: int) -> float:
        """Per step, over so many."""
        raise NotImplementedError


class Runner:
    """One library in a child process, which holds one prepared step per name.

    Parameters
    ----------
    load : callable
        Called as ``load(*args)`` in the child, where it imports its library; returns a function
        that prepares steps.
    args : object
    """

    def __init__(self, load: Callable[..., Prepare], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(child,), daemon=True)
        self._process.start()
        child.close()
        self._ask("load", load, *args)

    def prepare(self, name: str, *problem: Any) -> Any:
        """Make a step, do it once, and give what it computed."""
        return self._ask("prepare", name, *problem)

    def seconds(self, name: str, times: int = 1, cold: bool = False) -> float:
        """Seconds per step, over so many; `cold` makes caches forget before each."""
        return float(self._ask("seconds", name, times, cold))

    def clear(self) -> None:
        """Drop the steps and what they hold."""
        self._ask("clear")

    def peak_memory(self) -> float:
        """MB at the highest so far, without those of the freshly imported library."""
        return float(self._ask("peak_memory"))

    def close(self) -> None:
        """End the child."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(10)
        self._process.kill()

    def _ask(self, *question: Any) -> Any:
        self._pipe.send(question)
        try:
            kind, value = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"a child ended with status {self._process.exitcode}") from None
        if kind == "error":
            raise RuntimeError(value)
        return value


class _Bench:
    """What a child answers; each method is a question of `Runner`."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._took: dict[str, float] = {}

    def load(self, load: Callable[..., Prepare], *args: Any) -> None:
        self._prepare = load(*args)
        self._memory = _status("VmRSS")

    def prepare(self, name: str, *problem: Any) -> Any:
        self._steps[name] = self._prepare(*problem)
        return _sample(self._steps[name]())

    def seconds(self, name: str, times: int, cold: bool) -> float:
        step, took = self._steps[name], 0.0
        if isinstance(step, Timed):
            return step.seconds(times)
        if not cold and self._took.get(name, 0) < WARM_UP:  # the pause put cores to sleep
            end = time.perf_counter() + WARM_UP
            while time.perf_counter() < end:
                step()
        for _ in range(times if cold else 1):
            if cold:
                _forget()
            start = time.perf_counter()
            for _ in range(1 if cold else times):
                step()
            took += time.perf_counter() - start
        self._took[name] = took / times
        return took / times

    def clear(self) -> None:
        self._steps.clear()
        self._took.clear()

    def peak_memory(self) -> float:
        return _status("VmHWM") - self._memory


def _serve(pipe: Any) -> None:
    bench = _Bench()
    with contextlib.suppress(EOFError, KeyboardInterrupt):  # the parent is gone
        while question := pipe.recv():
            what, *arguments = question
            try:
                pipe.send(("answer", getattr(bench, what)(*arguments)))
            except Exception as error:
                pipe.send(("error", f"{type(error).__name__}: {error}"))


def _sample(result: Any) -> Any:
    """Arrays with at most `SAMPLE` elements each, the same ones in every library."""
    if isinstance(result, tuple | list):
        return [_sample(r) for r in result]
    array = np.asarray(result)
    index = sample_of(array.size)
    return array if index is None else array.ravel()[index]


def sample_of(size: int) -> np.ndarray | None:
    """The elements of so many that are compared; None: all of them."""
    return None if size <= SAMPLE else np.random.default_rng(0).integers(size, size=SAMPLE)


def _forget() -> None:
    """Read a buffer that is larger than what caches hold of ours."""
    if not hasattr(_forget, "buffer"):
        _forget.buffer = np.ones(EVICTION // 8)  # type: ignore[attr-defined]
    _forget.buffer[::8].sum()  # type: ignore[attr-defined]  # one read per cache line


def _status(field: str) -> float:
    """MB of a field of Linux's /proc/self/status; NaN elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024 / 1e6
    return math.nan


class Contest:
    """Steps of several libraries that take turns.

    Parameters
    ----------
    threads : int
        With which they were loaded: how long to wait between turns.
    quick : bool
        Fewer and shorter repetitions.
    cold : bool
        Caches forget before every step.
    patience : float
        How much longer than a kernel's the repetitions may take in all.
    """

    def __init__(
        self, threads: int, quick: bool = False, cold: bool = False, patience: float = 1
    ) -> None:
        self.pause = PAUSE if threads > 1 else PAUSE_ONE
        self.cold = cold
        self.repetitions = 5 if quick else 9
        self.turn = 0.003 if quick else 0.008  # seconds that a turn takes at least
        self.budget = patience * (1 if quick else 4)  # seconds that repetitions take together
        self.steps: dict[str, Runner] = {}
        self.failed: dict[str, str] = {}

    def enter(self, name: str, runner: Runner, *problem: Any) -> Any:
        """Prepare a step under a name of its own; gives what it computed."""
        result = runner.prepare(name, *problem)
        self.steps[name] = runner
        return result

    def attempt(self, name: str, runner: Runner, *problem: Any) -> Any:
        """`enter` what may not work: then None, and why in `failed`."""
        try:
            return self.enter(name, runner, *problem)
        except RuntimeError as error:
            self.failed[name] = str(error).strip().split("\n")[0][:300]
            return None

    def medians(self) -> dict[str, float]:
        """Median seconds of each step over interleaved repetitions."""
        once = {name: self._turn(name, 1) for name in self.steps}  # warms up, too
        times = {name: 1 if self.cold else max(1, round(self.turn / s)) for name, s in once.items()}
        whole = sum(once[name] * times[name] for name in once)
        repetitions = min(self.repetitions, max(3, int(self.budget / whole)))
        taken: dict[str, list[float]] = {name: [] for name in self.steps}
        for _ in range(repetitions):
            for name, seconds in taken.items():
                seconds.append(self._turn(name, times[name]))
        return {name: statistics.median(seconds) for name, seconds in taken.items()}

    def clear(self) -> None:
        """Drop the steps."""
        for runner in set(self.steps.values()):
            runner.clear()
        self.steps.clear()

    def close(self) -> None:
        """End the children."""
        for runner in set(self.steps.values()):
            runner.close()
        self.steps.clear()

    def _turn(self, name: str, times: int) -> float:
        time.sleep(self.pause)
        return self.steps[name].seconds(name, times, self.cold)


def check_same(what: str, results: dict[str, Any], tolerance: float) -> None:
    """Stop where libraries computed different things.

    Parameters
    ----------
    what : str
        For the error.
    results : dict of str to (list of) array or float
        By library; the last one is the measure.
    tolerance : float
        Of the difference, relative to the largest magnitude.

    Raises
    ------
    RuntimeError
        Naming the library that differs, and by how much.
    """
    *others, last = results
    for name in others:
        pairs = zip(_several(results[name]), _several(results[last]), strict=True)
        for ours, theirs in pairs:
            if np.shape(ours) != np.shape(theirs):
                raise RuntimeError(f"{what}: {name} gives {np.shape(ours)}, not {np.shape(theirs)}")
            scale = np.max(np.abs(theirs), initial=1e-30)
            difference = np.max(np.abs(np.subtract(ours, theirs)), initial=0) / scale
            if not difference <= tolerance:
                raise RuntimeError(
                    f"{what}: {name} and {last} differ by {difference:.1e} of the largest value"
                )


def _several(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]


def better(speed: dict[str, float], variants: Iterable[str]) -> str | None:
    """The fastest of the variants that were measured."""
    return max((v for v in variants if v in speed), key=speed.__getitem__, default=None)


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
        "numpy": np.__version__,
        "convolith": convolith.__version__,
        "isa": _C.isa(),
        "compiler": _C.build_info()["compiler"],
    }


_LABELS = {"threads": "{} threads", "batch_size": "batch {}"}


def report(
    rows: list[Row], about: dict[str, Any], groups: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """What every comparison writes: rows, geometric means, the worst row, the machine.

    Parameters
    ----------
    rows : list of Row
    about : dict
    groups : sequence of sequences of str
        Columns whose values name the groups that get a mean; ``()`` is all rows.
    """
    ratios: dict[str, list[float]] = {}
    for columns in groups:
        for row in (row for row in rows if row["ratio"] is not None):
            names = [_LABELS.get(c, "{}").format(row[c]) for c in columns]
            ratios.setdefault(", ".join(names) or "all", []).append(row["ratio"])
    return {
        "rows": rows,
        "geomean": {name: geomean(values) for name, values in ratios.items()},
        "worst": min(rows, key=lambda row: row["ratio"] or math.inf, default={}),
        "machine": about,
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write whole or not at all."""
    from convolith.train.files import write_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
