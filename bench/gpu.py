"""Measurements on a GPU: ours and PyTorch's kernels in one process, timed by the same events.

Both go to the default stream, so one pair of events times either. Operands change from call to
call, through as many sets as exceed the L2 cache twice over. While the host queues the calls of a
turn the GPU is kept waiting: what is measured is the GPU's time, not Python's.

'emu', the emulated GPU, has a wall clock, and PyTorch's arrays are on the CPU there: this tries all
of it but the clock without a GPU, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import math
import os
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import measure
from measure import Contest, Prepare, Runner, Step, Timed, check_same, sample_of

LAYOUTS = ("NCHW", "channels_last")  # what PyTorch offers; it is given its better one
ROTATION = 2  # times the L2 that all sets of operands take
MOST_SETS = 100
CYCLES = 2e9  # of a GPU in a second, about: for how long it waits
LONGEST_WAIT = 0.05  # seconds
MATRIX = 8192  # rows and columns of the product that measures the peak
MEGABYTES = 512.0  # of each large array, unless another size is asked for
BATCH = 256


@dataclass(frozen=True)
class Precision:
    """How numbers are multiplied.

    Parameters
    ----------
    algo : str
        Of our convolutions, wherever it can serve them.
    tf32 : bool
        Whether PyTorch may round operands to TF32.
    tolerance : float
        Between libraries, of the largest value.
    """

    algo: str
    tf32: bool
    tolerance: float


PRECISIONS = {
    "float32": Precision("auto", False, 1e-3),
    "tf32": Precision("tensor_core", True, 1e-2),  # 10 bits of each operand remain
}


class Emulated:
    """The emulated GPU.

    Parameters
    ----------
    peer : str
        'torch', or 'none': then random numbers are NumPy's.
    dtype : str
        Of `PRECISIONS`.
    """

    name = "emu"
    place = "cpu"  # where PyTorch's arrays are
    cache = 1 << 16  # bytes

    def __init__(self, peer: str, dtype: str) -> None:
        self.precision = PRECISIONS[dtype]
        self.torch: Any = None if peer == "none" else importlib.import_module("torch")
        if self.torch:
            warnings.simplefilter("ignore")
            self.torch.backends.cudnn.benchmark = True
            self.torch.backends.cudnn.allow_tf32 = self.precision.tf32
            self.torch.backends.cuda.matmul.allow_tf32 = self.precision.tf32

    def random(self, seed: int) -> Any:
        """A source of numbers, with the methods of NumPy's generators that are in use."""
        if self.torch is None:
            return np.random.default_rng(seed)
        return Random(self.torch, self.place, seed)

    def ours(self, array: Any) -> Any:
        """An array of NumPy or PyTorch as ours."""
        from convolith import _C

        return _C.to_device(np.asarray(array), self.name)

    def theirs(self, array: Any, layout: str) -> Any:
        """An array of NumPy or PyTorch as PyTorch's; `layout` matters to images and filters."""
        tensor = self.torch.as_tensor(array, device=self.place)
        channels_last = layout == "channels_last" and tensor.ndim == 4
        form = self.torch.channels_last if channels_last else self.torch.contiguous_format
        return tensor.contiguous(memory_format=form)

    def host(self, result: Any) -> Any:
        """What a step computed, for comparison, as `measure` takes it."""
        if isinstance(result, tuple | list):
            return [self.host(r) for r in result]
        return result.numpy() if hasattr(result, "numpy") else result

    def time(self, calls: Callable[[], None], wait: float = 0) -> float:
        """Seconds that calls take on the device, which first does nothing for `wait`."""
        start = time.perf_counter()
        calls()
        return time.perf_counter() - start

    def algo(self, direction: str, x: Any, w: Any, **options: Any) -> tuple[str, str]:
        """What to ask for, and what serves then: the precision's algorithm, or 'auto'."""
        from convolith import primitives

        def plan(algo: str) -> str:
            chosen = primitives.conv2d_plan(direction, x, w, algo=algo, device=self.name, **options)
            return chosen.algo

        wanted, usual = self.precision.algo, plan("auto")
        if wanted != "auto" and usual != "depthwise":
            with contextlib.suppress(ValueError):
                return wanted, plan(wanted)
        return "auto", usual

    def roofs(self, sizes: list[float], dtypes: list[str]) -> dict[str, Any]:
        """Peak by precision and speed of copies by size, as far as they mean anything."""
        return {}

    def about(self) -> dict[str, Any]:
        """What it is."""
        return {"device": "the emulated GPU"}


class Cuda(Emulated):
    """A GPU."""

    name = place = "cuda"

    def __init__(self, peer: str, dtype: str) -> None:
        super().__init__("torch", dtype)  # whose events are the clock
        self.properties = self.torch.cuda.get_device_properties(0)
        self.cache = self.properties.L2_cache_size

    def ours(self, array: Any) -> Any:
        from convolith import _C

        tensor = self.theirs(array, "channels_last")  # as ours lie: nothing is copied
        return _C.from_dlpack(tensor.__dlpack__())

    def host(self, result: Any) -> Any:
        if isinstance(result, tuple | list):
            return [self.host(r) for r in result]
        if isinstance(result, float):
            return result
        is_theirs = isinstance(result, self.torch.Tensor)
        tensor = result if is_theirs else self.torch.from_dlpack(result)
        index = sample_of(tensor.numel())
        if index is not None:
            tensor = tensor.flatten()[self.torch.from_numpy(index).to(self.place)]
        return tensor.cpu().numpy()

    def time(self, calls: Callable[[], None], wait: float = 0) -> float:
        cuda = self.torch.cuda
        start, end = (cuda.Event(enable_timing=True) for _ in range(2))
        if wait:
            cuda._sleep(int(wait * CYCLES))
        start.record()
        calls()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * 1e-3

    def roofs(self, sizes: list[float], dtypes: list[str]) -> dict[str, Any]:
        peaks = {dtype: Cuda("torch", dtype)._peak() for dtype in dtypes}
        copies = {f"{size:g} MB": self._copy(size) for size in sizes}
        self.torch.cuda.empty_cache()
        return {"peak_gflops": peaks, "copy_gb_s": copies}

    def _median(self, step: Step) -> float:
        self.time(step)
        return float(np.median([self.time(step, wait=1e-4) for _ in range(9)]))

    def _peak(self) -> float:
        """GFLOP/s of a large matrix product."""
        a, b = (self.random(seed).standard_normal((MATRIX, MATRIX)) for seed in (0, 1))
        return 2e-9 * MATRIX**3 / self._median(lambda: a @ b)

    def _copy(self, megabytes: float) -> float:
        """GB/s, read and written together, of copying an array of that size."""
        x = self.random(0).standard_normal((round(megabytes * 1e6 / 4),))
        y = self.torch.empty_like(x)
        return 2 * x.nbytes * 1e-9 / self._median(lambda: y.copy_(x))

    def about(self) -> dict[str, Any]:
        from convolith import _C

        driver = None
        with contextlib.suppress(OSError):
            driver = Path("/proc/driver/nvidia/version").read_text().split("  ")[1]
        return {
            "device": self.properties.name,
            "multiprocessors": self.properties.multi_processor_count,
            "l2_mb": self.cache / 1e6,
            "driver": driver,
            "cuda": _C.build_info()["cuda"],
            "torch_cuda": self.torch.version.cuda,
            "cudnn": self.torch.backends.cudnn.version(),
        }


DEVICES: dict[str, type[Emulated]] = {"emu": Emulated, "cuda": Cuda}


class Random:
    """PyTorch's generator under the names of NumPy's."""

    def __init__(self, torch: Any, place: str, seed: int) -> None:
        self.torch, self.place = torch, place
        self.source = torch.Generator(place).manual_seed(seed)

    def standard_normal(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Normally distributed float32."""
        return self.torch.randn(shape, generator=self.source, device=self.place)

    def integers(self, high: int, size: int) -> Any:
        """From 0 to below `high`."""
        return self.torch.randint(high, (size,), generator=self.source, device=self.place)


class Rotation(Timed):
    """A step whose operands are others at every call.

    Parameters
    ----------
    device : Emulated
    build : callable
        From a source of random numbers to the step on operands of its own.
    size : int
        Bytes of one set of operands.
    """

    def __init__(self, device: Emulated, build: Callable[[Any], Step], size: int) -> None:
        sets = min(MOST_SETS, max(1, math.ceil(ROTATION * device.cache / size)))
        self.device = device
        self.steps = [build(device.random(seed)) for seed in range(sets)]
        self.results: list[Any] = [None] * sets  # kept: so their memory changes, too
        self.at = 0
        self.queueing = 0.0  # seconds for which the host queues one call

    def __call__(self) -> Any:
        return self.device.host(self.steps[0]())

    def seconds(self, times: int) -> float:
        """Of the device, per call."""

        def calls() -> None:
            start = time.perf_counter()
            for _ in range(times):
                self.results[self.at] = self.steps[self.at]()
                self.at = (self.at + 1) % len(self.steps)
            self.queueing = (time.perf_counter() - start) / times

        wait = min(LONGEST_WAIT, 1.5 * times * self.queueing)
        return self.device.time(calls, wait) / times


class Whole(Timed):
    """A step that is timed as it comes, Python and all."""

    def __init__(self, device: Emulated, step: Step) -> None:
        self.device, self.step = device, step

    def __call__(self) -> Any:
        return self.device.host(self.step())

    def seconds(self, times: int) -> float:
        """Per call."""

        def calls() -> None:
            for _ in range(times):
                self.step()

        return self.device.time(calls) / times


class Table:
    """Contests of one precision, all in one child, which is replaced if something fails in it.

    Parameters
    ----------
    load : callable
        As `Runner` takes it, with the arguments device, peer and dtype; it prepares steps of
        ``(*problem, who)``, `who` being 'convolith' or a variant of PyTorch.
    args : argparse.Namespace
    about : dict
        Of the machine; what fails is noted there.
    dtype : str
    tolerance, patience : float
        Of `measure.check_same` and `Contest`.
    """

    def __init__(
        self,
        load: Callable[..., Prepare],
        args: argparse.Namespace,
        about: dict[str, Any],
        dtype: str,
        tolerance: float | None = None,
        patience: float = 1,
    ) -> None:
        self.load = load, args.device, args.peer, dtype
        self.quick, self.about, self.patience = args.quick, about, patience
        self.dtype, self.alone = dtype, args.peer == "none"
        self.tolerance = tolerance or PRECISIONS[dtype].tolerance
        self.runner = Runner(*self.load)

    def measure(self, what: str, variants: tuple[str, ...], *problem: Any) -> dict[str, float]:
        """Median seconds of ours and of each variant of the peer; nothing if one fails."""
        contest = Contest(1, self.quick, patience=self.patience)
        try:
            results = {
                who: contest.enter(who, self.runner, *problem, who)
                for who in ("convolith", *(() if self.alone else variants))
            }
            seconds = contest.medians()
            contest.clear()
        except (RuntimeError, OSError) as error:
            self._note(what, error)
            self.runner.close()  # after a fault in a kernel nothing works in that process any more
            self.runner = Runner(*self.load)
            return {}
        try:
            check_same(what, results, self.tolerance)
        except RuntimeError as error:
            self._note(what, error)
            return {}
        return seconds

    def _note(self, what: str, error: Exception) -> None:
        reason = str(error).strip().split("\n")[0][:300]
        self.about.setdefault("faults", {})[f"{what} {self.dtype}"] = reason
        print(f"{what} {self.dtype}: {reason}", flush=True)

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.close()


def machine(args: argparse.Namespace) -> dict[str, Any]:
    """What the figures are measured on, and its roofs."""
    dtypes = list(getattr(args, "dtype", ["float32"]))
    device = DEVICES[args.device](args.peer, dtypes[0])
    commit = os.environ.get("CONVOLITH_COMMIT")
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        commit = commit or done.stdout.strip()
    sizes = list(getattr(args, "size", None) or [MEGABYTES])
    about = measure.machine([]) | {"commit": commit} | device.about()
    return about | device.roofs(sizes, dtypes)


def with_dtype(of_cpu: tuple[Any, ...]) -> tuple[Any, ...]:
    """Columns or groups of a table, with the precision where the CPU's have threads."""
    other = {"threads": "dtype", "{threads}": "{dtype}"}
    return tuple(tuple(other.get(word, word) for word in each) for each in of_cpu)


def add_arguments(job: argparse.ArgumentParser, precisions: bool = True) -> None:
    """What comparisons take that know GPUs."""
    job.add_argument(
        "--device", default="cpu", choices=["cpu", *DEVICES], help="default cpu; emu is for tests"
    )
    if precisions:
        job.add_argument(
            "--dtype", nargs="+", default=list(PRECISIONS), choices=PRECISIONS, metavar="DTYPE",
            help=f"on a GPU: {', '.join(PRECISIONS)}, by default all",
        )  # fmt: skip
        job.add_argument("--batch", type=int, metavar="N", help=f"images; default {BATCH} on a GPU")
