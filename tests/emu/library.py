"""Compiles samples.cu for every build of the emulator, into one library, and runs its kernels."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"

# As in CMakeLists.txt: kernels tell of each access that stands in their source, and of no other.
CHECKED = [
    "-fsanitize=thread",
    "-O1",
    "-fno-tree-sra",
    "-fno-ipa-sra",
    "-fno-tree-vectorize",
    "-fno-tree-slp-vectorize",
    "-fno-tree-loop-distribute-patterns",
    "-fno-reorder-blocks",
    "-fno-thread-jumps",
    "-falign-functions=64",
    "-g1",
]
COUNTED = [*CHECKED, "-fsanitize-coverage=trace-pc"]
BUILDS = {"emu": ["-O1"], "emu_checked": CHECKED, "emu_counted": COUNTED}
NOT_NEEDED = {"runtime", "async_copy", "tensor_core", "tensor_map", "wgmma"}  # of csrc/emu/

ORDERS = ["forward", "backward", "random"]
ACCESSES = ["read", "write", "atomic", "pending"]


@dataclass(frozen=True)
class LineCount:
    """As in csrc/emu/count.hpp."""

    kernel: str
    line: str
    what: str
    shared: bool
    requests: int
    lanes: int
    bytes: int
    transactions: int
    least_transactions: int


@dataclass(frozen=True)
class KernelCount:
    kernel: str
    grids: int
    blocks: int
    threads: int
    barriers: int
    warp_barriers: int
    steps: int
    step_lanes: int
    tensor_flops: int


class Library:
    """The samples.  `knows_lines`: reports name lines of the source."""

    def __init__(self, path: Path, knows_lines: bool) -> None:
        self.knows_lines = knows_lines
        self._c = ctypes.CDLL(str(path))
        address, text, long = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
        self._c.allocate.argtypes, self._c.allocate.restype = [long], address
        self._c.release.argtypes = [address]
        self._c.upload.argtypes = [address, address, long]
        self._c.unwritten.argtypes, self._c.unwritten.restype = [address, long], long
        self._c.set_order.argtypes = [ctypes.c_int, ctypes.c_uint64]
        self._c.stop_counting.argtypes = [text, ctypes.c_size_t]
        self._c.run.argtypes = [text, text, address, address, ctypes.c_int, text, ctypes.c_size_t]

    def set_order(self, order: str, seed: int = 1) -> None:
        self._c.set_order(ORDERS.index(order), seed)

    def run(self, build: str, name: str, x: Floats, y: Floats | int) -> tuple[Floats, int]:
        """What kernel `name` makes of x in y, and how many bytes of it nobody has written.

        y is what it holds at first, or a number of elements that hold nothing.
        """
        size = y if isinstance(y, int) else y.size
        px, py = self._c.allocate(x.nbytes), self._c.allocate(4 * size)
        try:
            self._c.upload(px, x.ctypes.data, x.nbytes)
            if not isinstance(y, int):
                self._c.upload(py, y.ctypes.data, y.nbytes)
            error = ctypes.create_string_buffer(2000)
            self._c.run(build.encode(), name.encode(), px, py, x.size, error, len(error))
            if error.value:
                raise RuntimeError(error.value.decode())
            result = np.ctypeslib.as_array((ctypes.c_float * size).from_address(py)).copy()
            return result, self._c.unwritten(py, 4 * size)
        finally:
            self._c.release(px)
            self._c.release(py)

    def count(self, name: str, x: Floats) -> tuple[KernelCount, list[LineCount]]:
        """What the kernel asks for, as a whole and line by line."""
        self._c.start_counting()
        try:
            self.run("emu_counted", name, x, x.size)
        finally:
            text = ctypes.create_string_buffer(100_000)
            self._c.stop_counting(text, len(text))
        kernels, lines = text.value.decode().split("\n\n")
        (kernel,) = kernels.splitlines()
        counts = []
        for words in map(str.split, lines.splitlines()):
            what, shared, *numbers = map(int, words[2:])
            counts.append(LineCount(words[0], words[1], ACCESSES[what], bool(shared), *numbers))
        return KernelCount(kernel.split()[0], *map(int, kernel.split()[1:])), counts


def compile_library(directory: Path) -> Library | None:
    """None where there is no g++, or where the tests stand without the sources."""
    compiler = shutil.which("g++")
    if not compiler or not CSRC.is_dir():
        return None

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [compiler, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=directory, check=False)

    probe = directory / "probe.cpp"
    probe.write_text("#include <backtrace.h>\nint main() { return !backtrace_create_state; }\n")
    knows_lines = call(probe, "-o", "probe", "-lbacktrace").returncode == 0
    lines = ["-DCONVOLITH_BACKTRACE"] if knows_lines else []

    def compile_one(job: tuple[str, list[object]]) -> str:
        done = call("-std=c++20", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", f"-I{CSRC}",
                    "-Wno-unknown-pragmas", *job[1], "-c", "-o", job[0])  # fmt: skip
        assert done.returncode == 0, done.stderr
        return job[0]

    emulator = [f for f in sorted((CSRC / "emu").glob("*.cpp")) if f.stem not in NOT_NEEDED]
    jobs: list[tuple[str, list[object]]] = []
    for build, flags in BUILDS.items():
        device = f"-DCONVOLITH_DEVICE={build}"
        jobs += [(f"{build}.o", [*flags, device, "-x", "c++", HERE / "samples.cu"])]
    jobs += [(f"{f.stem}.o", ["-O1", *lines, f]) for f in [*emulator, HERE / "harness.cpp"]]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, jobs))
    path = directory / "libsamples.so"
    done = call("-shared", *objects, *(["-lbacktrace"] if knows_lines else []), "-o", path)
    assert done.returncode == 0, done.stderr
    return Library(path, knows_lines)
