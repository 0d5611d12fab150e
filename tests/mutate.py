"""Plants bugs in the CUDA kernels, one at a time, and shows that the tests find each of them.

    python tests/mutate.py --work build/mutate

The bugs are those of mutations.txt; tests run on the device `emu`. With its builds that takes some
ten minutes, so pytest does not collect it. The sources are copied into a work folder, which later
runs with the same --work build upon; only the copies are changed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("csrc", "python", "cmake", "tests", "CMakeLists.txt", "pyproject.toml")
# The CPU's kernels have to be there but never run, and nobody counts: these need no optimisation.
CMAKE = """cmake_language(DEFER CALL target_compile_options emu PRIVATE -O2)
cmake_language(DEFER CALL target_compile_options kernels_emu_counted PRIVATE -O0)
cmake_language(DEFER CALL target_compile_options convolutions_emu_counted PRIVATE -O0)
"""
# pytest, without the finder of an editable installation, which comes before PYTHONPATH.
PYTEST = """import sys
sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__module__.startswith("_editable_")]
from convolith import _C
assert _C.__file__.startswith(sys.argv[1]), f"tests would run on {_C.__file__}"
import pytest
raise SystemExit(pytest.main(sys.argv[2:]))
"""


class BuildError(Exception):
    """What the build had to say."""


class Mutation(NamedTuple):
    name: str
    path: str
    tests: str
    checked_only: bool
    before: str
    after: str


class Outcome(NamedTuple):
    passed: bool
    failure: str  # the first; empty where no test failed
    output: str = ""

    @property
    def checked(self) -> bool:
        """Whether it is of the checked build: a fault of memory."""
        return bool(re.search(r"thread \(.* (reads|writes|updates)|by no kernel", self.failure))


def table() -> Iterator[Mutation]:
    _, *entries = (ROOT / "tests/mutations.txt").read_text().strip().split("\n\n")
    for entry in entries:
        head, *lines = entry.split("\n")
        name, path, tests, *flags = re.split("  +", head)
        before, after = ("\n".join(s[2:] for s in lines if s[0] == sign) for sign in "-+")
        yield Mutation(name, path, tests, flags == ["!"], before, after)


def tool(name: str) -> str:
    path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return path or sys.exit(f"{name} is needed, on PATH or beside {sys.executable}")


class Workplace:
    """A copy of the sources, its build, and its tests."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self.folder, self.timeout = folder, timeout
        for name in COPIED:
            for source in [ROOT / name, *(ROOT / name).rglob("*")]:
                if source.is_file() and source.suffix not in (".so", ".pyc"):
                    self.write(str(source.relative_to(ROOT)), source.read_bytes())
        self.write("mutate.cmake", CMAKE.encode())

    def write(self, path: str, content: bytes) -> None:
        """Touches only what differs, so that the rest is not built again."""
        file = self.folder / path
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def configure(self) -> None:
        options = {
            "CMAKE_BUILD_TYPE": "None",
            "CMAKE_CXX_FLAGS": "-O0",
            "CMAKE_MAKE_PROGRAM": tool("ninja"),
            "CMAKE_PROJECT_convolith_INCLUDE": self.folder / "mutate.cmake",
            "CONVOLITH_CUDA": "OFF",
            "Python_EXECUTABLE": sys.executable,
        }
        if launcher := shutil.which("ccache"):
            options["CMAKE_CXX_COMPILER_LAUNCHER"] = launcher
        folders = ["-S", str(self.folder), "-B", str(self.folder / "build")]
        self.call(
            [
                tool("cmake"),
                "-G",
                "Ninja",
                *folders,
                *(f"-D{name}={value}" for name, value in options.items()),
            ]
        )

    def build(self) -> None:
        self.call([tool("ninja"), "-C", str(self.folder / "build")])

    def call(self, command: list[str]) -> None:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise BuildError(done.stdout[-4000:])

    def test(self, expression: str) -> Outcome:
        """Runs the primitives' tests on the device `emu` up to the first that fails."""
        select = ["tests/test_primitives.py", "--device=emu", "-k", f"emu- and ({expression})"]
        command = [sys.executable, "-c", PYTEST, str(self.folder), "-q", "-x", "-pno:cacheprovider"]
        environment = {**os.environ, "PYTHONPATH": "python", "COLUMNS": "400"}
        try:
            done = subprocess.run(
                [*command, *select],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=self.timeout,
            )
        except subprocess.TimeoutExpired:
            return Outcome(False, "hangs")
        failed = re.search(
            r"^FAILED \S+\[(\S+)\] - (?:(\w+Error): ?)?(.*)", done.stdout, re.MULTILINE
        )
        if done.returncode != 1 or not failed:
            return Outcome(done.returncode == 0, "", done.stdout[-4000:])
        test, error, text = failed.groups("")
        kind = "report" if error == "RuntimeError" else "wrong values"
        return Outcome(False, f"{kind} in {test}{': ' if text else ''}{text[:200]}")

    def complaint(self, m: Mutation) -> str | None:
        """Why the tests have not found a mutation as they should; prints how they have."""
        path, start = f"csrc/cuda/{m.path}", time.monotonic()
        original = (self.folder / path).read_text()
        self.write(path, original.replace(m.before, m.after).encode())
        try:
            self.build()
            outcome = self.test(m.tests)
        except BuildError as error:
            return f"does not build:\n{error}"
        finally:
            self.write(path, original.encode())
        seconds = time.monotonic() - start
        print(f"{m.name} [{seconds:.0f} s]: {outcome.failure or 'not found'}", flush=True)
        if not outcome.failure:
            return "survives" if outcome.passed else f"keeps tests from running:\n{outcome.output}"
        return "is seen without checks" if m.checked_only and not outcome.checked else None


@contextmanager
def folder_of(given: Path | None) -> Iterator[Path]:
    if given:
        yield given.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="mutate") as folder:
            yield Path(folder).resolve()


def main() -> int | str:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="work there; default: a temporary folder, deleted"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="print the mutations and end")
    parser.add_argument(
        "--timeout", type=float, default=300, help="seconds for tests, which then count as failed"
    )
    args = parser.parse_args()
    chosen = [m for m in table() if args.only is None or m.name in args.only]
    if missing := set(args.only or ()) - {m.name for m in chosen}:
        return f"no mutation is called {', '.join(sorted(missing))}"
    for m in chosen:
        count = (ROOT / "csrc/cuda" / m.path).read_text().count(m.before)
        if count != 1:
            return f"{m.name}: its text stands {count} times in {m.path}, not once"
        if args.list:
            print(f"{m.name:<32}{m.path:<20}{m.tests}{', checked only' if m.checked_only else ''}")
    if args.list:
        return 0

    with folder_of(args.work) as folder:
        place = Workplace(folder, args.timeout)
        place.configure()
        place.build()
        without = place.test(" or ".join(sorted({f"({m.tests})" for m in chosen})))
        if not without.passed:
            return f"{without.output}{without.failure}\nWithout a mutation the tests have to pass"
        complaints = {m.name: place.complaint(m) for m in chosen}
    bad = [f"{name} {complaint}" for name, complaint in complaints.items() if complaint]
    print(f"{len(chosen) - len(bad)} of {len(chosen)} mutations found")
    return "\n".join(bad) or 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BuildError as error:
        sys.exit(f"{error}\nthe build fails")
    except KeyboardInterrupt:
        sys.exit(130)
