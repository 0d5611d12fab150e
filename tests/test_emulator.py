"""The emulator of CUDA kernels, on small right and wrong ones: emu/samples.cu; its device."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import _C, primitives
from emu.library import BUILDS, HERE, ORDERS, Floats, Library, compile_library

N = 1024  # elements of an array, in 8 blocks of 128 threads


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = compile_library(tmp_path_factory.mktemp("emulator"))
    if not made:
        pytest.skip("needs g++ and the sources")
    return made


def ramp(n: int = N) -> Floats:
    return np.arange(1, n + 1, dtype=np.float32)


def reversed_blocks(x: Floats) -> Floats:
    y: Floats = x.reshape(-1, 128)[:, ::-1].ravel()
    return y


def warp_sums(x: Floats) -> Floats:
    sums: Floats = x.reshape(-1, 32).sum(axis=1).repeat(32)
    return sums


def transposed(x: Floats) -> Floats:
    y: Floats = x.reshape(32, 32).T.ravel()
    return y


def half_negated(x: Floats) -> Floats:
    sign = np.where(np.arange(x.size) % 32 < 16, 1, -1)
    negated: Floats = x * sign.astype(np.float32)
    return negated


def uneven_sums(x: Floats) -> Floats:
    return np.array([x[np.arange(i, i + 1 + i % 8) % x.size].sum() for i in range(x.size)])


RIGHT: dict[str, Callable[[Floats], Floats]] = {
    "copy": np.copy,
    "copy_vectors": np.copy,
    "copy_bytes": np.copy,
    "reverse_block": reversed_blocks,
    "reverse_block_dynamic": reversed_blocks,
    "reverse_block_mbarrier": reversed_blocks,
    "sum_warp_in_shared": warp_sums,
    "sum_warp_by_shuffle": warp_sums,
    "transpose": transposed,
    "transpose_padded": transposed,
    "half_of_each_warp": half_negated,
    "uneven_loops": uneven_sums,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_kernel_is_right(library: Library, name: str, build: str, order: str) -> None:
    library.set_order(order, seed=7)
    y, unwritten = library.run(build, name, ramp(), N)
    np.testing.assert_array_equal(y, RIGHT[name](ramp()))
    assert unwritten == (0 if build == "emu_checked" else y.nbytes)


@pytest.mark.parametrize("build", BUILDS)
def test_host_threads_do_not_meet(library: Library, build: str) -> None:
    def reverse(i: int) -> None:
        y, _ = library.run(build, "reverse_block", ramp() + np.float32(i), N)
        np.testing.assert_array_equal(y, reversed_blocks(ramp() + np.float32(i)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(reverse, range(40)))


@pytest.mark.parametrize("build", BUILDS)
def test_atomics_of_all_blocks_add_up(library: Library, build: str) -> None:
    y, _ = library.run(build, "count", ramp(), np.zeros(N, np.float32))
    assert y[0] == N


def test_bytes_that_a_kernel_leaves_out_are_counted(library: Library) -> None:
    _, unwritten = library.run("emu_checked", "copy_stride_8", ramp(), N)
    assert unwritten == 4 * N * 7 // 8


# --- Accesses -------------------------------------------------------------------------------------

ARRAY = "an array of 4096 bytes"
TILE = r"tile \(512 bytes of shared memory\)"
DYNAMIC = r"the dynamic array \(512 bytes of shared memory\)"

# What a wrong kernel does, and to which bytes.
BAD = {
    "read_past_end": ("reads 4", f"at byte 4096 of {ARRAY}"),
    "read_before_start": ("reads 4", f"at byte -4 of {ARRAY}"),
    "write_past_end": ("writes 4", f"at byte 4096 of {ARRAY}"),
    "read_nowhere": ("reads 4", "far from every array"),
    "read_shared_past_end": ("reads 4", f"at byte 512 of {TILE}"),
    "write_shared_past_end": ("writes 4", f"at byte 512 of {TILE}"),
    "read_dynamic_past_end": ("reads 4", f"at byte 512 of {DYNAMIC}"),
    "write_dynamic_past_end": ("writes 4", f"at byte 512 of {DYNAMIC}"),
    "read_misaligned": ("reads 16", rf"at byte \d+ of {ARRAY}, whose address is no multiple of 16"),
    "read_unwritten_shared": ("reads 4", f"at byte 0 of {TILE}, which nobody has written"),
}

# Two threads that use the same bytes, and why nothing orders them.
NO_BARRIER = r"which thread \(\d+, 0, 0\) (read|wrote) in \S+: no barrier is between them"
NO_ORDER = r"which thread .* of block .* (read|wrote) in \S+: nothing orders the two blocks"
RACES = {
    "no_barrier": ("(reads|writes) 4", rf"at byte \d+ of {TILE}, {NO_BARRIER}"),
    "no_barrier_before_read": ("(reads|writes) 4", rf"at byte \d+ of {TILE}, {NO_BARRIER}"),
    "no_syncwarp": ("(reads|writes) 4", NO_BARRIER),
    "shuffle_for_syncwarp": ("reads 4", NO_BARRIER),
    "syncwarp_between_warps": ("(reads|writes) 4", NO_BARRIER),
    "mbarrier_of_another_phase": ("(reads|writes) 4", rf"at byte \d+ of {TILE}, {NO_BARRIER}"),
    "same_place": ("writes 4", f"at byte 0 of {ARRAY}, {NO_BARRIER}"),
    "same_place_in_all_blocks": ("writes 4", rf"at byte \d+ of {ARRAY}, {NO_ORDER}"),
    "read_what_a_block_wrote": ("(reads|writes) 4", rf"at byte \d+ of {ARRAY}, {NO_ORDER}"),
    "count_without_atomic": ("(reads|writes) 4", f"at byte 0 of {ARRAY}, {NO_BARRIER}"),
    "atomic_and_plain": ("(updates|writes) 4", f"at byte 0 of {ARRAY}, ({NO_BARRIER}|{NO_ORDER})"),
}


def lines_of(kernel: str) -> range:
    source = (HERE / "samples.cu").read_text().splitlines()
    first = next(i for i, line in enumerate(source, 1) if f" void {kernel}(" in line)
    return range(first, source.index("}", first) + 2)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", [*BAD, *RACES])
def test_a_bad_access_ends_the_grid(library: Library, name: str, order: str) -> None:
    library.set_order(order, seed=7)
    does, where = (BAD | RACES)[name]
    report = rf"^{name}: thread \(\d+, 0, 0\) of block \(\d, 0, 0\) {does} bytes in \S+, .*{where}"
    with pytest.raises(RuntimeError, match=report) as caught:
        library.run("emu_checked", name, ramp(), np.zeros(N, np.float32))
    if library.knows_lines:
        lines = re.findall(r"samples\.cu:(\d+)", str(caught.value))
        assert len(lines) == (2 if name in RACES else 1)
        assert {int(line) for line in lines} <= set(lines_of(name))


def test_a_vector_across_the_end_ends_the_grid(library: Library) -> None:
    with pytest.raises(RuntimeError, match=r"reads 16 .* at byte 4080 of an array of 4088 bytes"):
        library.run("emu_checked", "read_across_end", ramp(1022), 1024)
    with pytest.raises(RuntimeError, match=r"writes 16 .* at byte 4080 of an array of 4088 bytes"):
        library.run("emu_checked", "copy_vectors", ramp(1024), 1022)


def test_bytes_that_nobody_has_written_are_not_read(library: Library) -> None:
    with pytest.raises(RuntimeError, match=r"reads 4 bytes .*, which nobody has written"):
        library.run("emu_checked", "read_unwritten", ramp(), N)
    y, _ = library.run("emu_checked", "read_unwritten", ramp(), ramp())
    np.testing.assert_array_equal(y, 2 * ramp())


def test_a_report_leaves_nothing_behind(library: Library) -> None:
    with pytest.raises(RuntimeError):
        library.run("emu_checked", "no_barrier", ramp(), N)
    y, _ = library.run("emu_checked", "reverse_block", ramp(), N)
    np.testing.assert_array_equal(y, reversed_blocks(ramp()))


# --- Threads that wait for ever -------------------------------------------------------------------

BLOCKED = {
    "two_barriers": r"128 at the barriers of lines \d+ and \d+, 0 have returned",
    "return_before_barrier": r"127 at the barrier of line \d+, 1 has returned",
    "missing_arrival": r"128 at the mbarrier of line \d+, 0 have returned",
    "missing_lane": r"124 for other lanes of their warp, 4 have returned",
    "two_meetings": r"128 for other lanes of their warp, 0 have returned",
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", BLOCKED)
def test_a_deadlock_ends_the_grid(library: Library, name: str, build: str, order: str) -> None:
    library.set_order(order, seed=7)
    report = rf"^{name}: threads of block \(\d, 0, 0\) wait for ever: {BLOCKED[name]}"
    with pytest.raises(RuntimeError, match=report):
        library.run(build, name, ramp(), N)


# --- Counts ---------------------------------------------------------------------------------------

# The lines of a kernel: what each does, to shared memory or not, requests of a warp in all, lanes
# and transactions per request, and the fewest transactions that would do.
COUNTS: dict[str, list[tuple[str, bool, int, float, float, float]]] = {
    "copy": [("read", False, 32, 32, 4, 4), ("write", False, 32, 32, 4, 4)],
    "copy_vectors": [("read", False, 8, 32, 16, 16), ("write", False, 8, 32, 16, 16)],
    "copy_stride_8": [("read", False, 4, 32, 32, 4), ("write", False, 4, 32, 32, 4)],
    "copy_bytes": [("read", False, 128, 32, 1, 1), ("write", False, 128, 32, 1, 1)],
    "transpose": [
        ("read", False, 32, 32, 4, 4),
        ("write", True, 32, 32, 1, 1),
        ("read", True, 32, 32, 32, 1),
        ("write", False, 32, 32, 4, 4),
    ],
    "transpose_padded": [
        ("read", False, 32, 32, 4, 4),
        ("write", True, 32, 32, 1, 1),
        ("read", True, 32, 32, 1, 1),
        ("write", False, 32, 32, 4, 4),
    ],
    "half_of_each_warp": [
        ("read", False, 32, 16, 2, 2),
        ("write", False, 32, 16, 2, 2),
        ("read", False, 32, 16, 2, 2),
        ("write", False, 32, 16, 2, 2),
    ],
    "uneven_loops": [("read", False, 256, 18, 35 / 8, 20 / 8), ("write", False, 32, 32, 4, 4)],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_known_kernels(library: Library, name: str, order: str) -> None:
    library.set_order(order, seed=7)
    kernel, lines = library.count(name, ramp())
    threads = 256 if name.startswith("transpose") else N
    assert (kernel.kernel, kernel.grids, kernel.threads) == (name, 1, threads)
    found = [
        (
            line.what,
            line.shared,
            line.requests,
            line.lanes / line.requests,
            line.transactions / line.requests,
            line.least_transactions / line.requests,
        )
        for line in lines
    ]
    assert sorted(found) == sorted(COUNTS[name])
    width = {"copy_vectors": 16, "copy_bytes": 1}.get(name, 4)
    assert [line.bytes for line in lines] == [width * line.lanes for line in lines]


def test_lanes_that_part_are_counted(library: Library) -> None:
    together, _ = library.count("copy", ramp())
    assert together.step_lanes == 32 * together.steps
    parted, _ = library.count("half_of_each_warp", ramp())
    assert 16 * parted.steps < parted.step_lanes < 32 * parted.steps


def test_barriers_are_counted(library: Library) -> None:
    kernel, _ = library.count("reverse_block", ramp())
    assert (kernel.barriers, kernel.warp_barriers) == (8, 0)
    kernel, _ = library.count("sum_warp_in_shared", ramp())
    assert (kernel.barriers, kernel.warp_barriers) == (0, 6 * 32)


# The device 'emu'

only_emu = pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")


@only_emu
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 4, 5)])
def test_dlpack_shares_memory_under_the_logical_shape(shape: tuple[int, ...]) -> None:
    values = np.arange(1, 1 + math.prod(shape), dtype=np.float32).reshape(shape)
    there = cv.Tensor(values).to("emu")
    view = np.from_dlpack(there)
    np.testing.assert_array_equal(view, values)
    there._array.assign(np.asarray(2 * values))
    np.testing.assert_array_equal(view, 2 * values)
    del there
    np.testing.assert_array_equal(view, 2 * values)
    if len(shape) == 4:
        assert view.strides == (240, 4, 60, 12)


@only_emu
def test_what_is_emulated_has_no_cuda_array_interface() -> None:
    assert not hasattr(cv.tensor([1.0]).to("emu")._array, "__cuda_array_interface__")


@only_emu
def test_a_plan_says_which_instruction_of_tensor_cores() -> None:
    def reason(channels: int, direction: str = "forward", **options: Any) -> str:
        groups = options.get("groups", 1)
        x, w = (2, channels, 8, 8), (8 * groups, channels // groups, 3, 3)
        return primitives.conv2d_plan(
            direction, x, w, device="emu", dtype="float16", **options
        ).reason

    assert reason(64) == "by wgmma"
    assert reason(64, algo="tensor_core") == "by wgmma"
    assert re.match("by mma; wgmma would need 32 channels", reason(16))
    assert re.match("by mma; wgmma would need 32 channels", reason(64, "backward_input"))
    assert re.match("by mma; wgmma would need strides up to 8", reason(64, padding=130))
    assert reason(16, algo="wgmma") == reason(64, algo="mma") == "asked for"
    with pytest.raises(ValueError, match="algo='wgmma' needs float16 or bfloat16"):
        primitives.conv2d_plan("forward", (2, 64, 8, 8), (8, 64, 3, 3), device="emu", algo="wgmma")
    with pytest.raises(
        ValueError, match="algo='wgmma' needs multiples of 64 channels and of 64 filters"
    ):
        reason(64, groups=2, algo="wgmma")


def checked_half() -> None:
    half = cv.tensor([1.0]).to("emu").to("float16")
    with cv.emu.checked():
        cv.nn.functional.relu(half)


INVALID: dict[str, tuple[Callable[[], object], str]] = {
    "checked halves": (checked_half, "relu_forward: there is no emu_checked float16 kernel"),
    "no such mode": (
        lambda: _C.set_emulation("fast"),
        "must be 'plain', 'checked' or 'counted', got 'fast'",
    ),
    "no such order": (
        lambda: _C.set_emulated_order("sideways"),
        "must be 'forward', 'backward' or 'random', got 'sideways'",
    ),
}


@only_emu
@pytest.mark.parametrize("name", INVALID)
def test_invalid(name: str) -> None:
    call, words = INVALID[name]
    with pytest.raises(ValueError, match=words):
        call()
