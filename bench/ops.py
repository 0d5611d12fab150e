"""Everything that is no convolution: beside PyTorch, and beside a copy of as many bytes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

import gpu
import peak
from measure import Contest, Prepare, Row, Runner, Step, better, check_same
from operations import OPS, Arrays

TOLERANCE = 1e-3  # of the largest value
GROUPS = ((), ("direction", "threads"), ("name", "threads"))
MEGABYTES = 128.0  # of each large array


def load_convolith(threads: int) -> Prepare:
    """Ours."""
    import convolith
    from convolith import primitives

    convolith.set_num_threads(threads)
    return lambda op, megabytes: OPS[op].ours(primitives, Arrays(megabytes, np.asarray))


def load_torch(threads: int) -> Prepare:
    """PyTorch."""
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)

    def prepare(op: str, megabytes: float, variant: str) -> Step:
        def convert(array: np.ndarray) -> Any:
            tensor = torch.from_numpy(array)
            if variant == "channels_last" and tensor.ndim == 4:
                return tensor.to(memory_format=torch.channels_last)
            return tensor

        return OPS[op].torch(torch, Arrays(megabytes, convert), variant)

    return prepare


def load_numpy() -> Prepare:
    """NumPy, with the threads of the environment."""
    return lambda op, megabytes: OPS[op].numpy(np, Arrays(megabytes, np.asarray))


def _numpy_runner(threads: int) -> Runner:
    """OpenBLAS reads its number of threads as it is loaded."""
    variable = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(variable)
    os.environ[variable] = str(threads)
    try:
        return Runner(load_numpy)
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def load_device(name: str, peer: str, dtype: str) -> Prepare:
    """Both on a GPU."""
    device = gpu.DEVICES[name](peer, dtype)
    if device.torch:
        device.torch.set_grad_enabled(False)
    from convolith import primitives

    def prepare(op: str, megabytes: float, who: str) -> Step:
        def build(rng: Any) -> Step:
            if who == "convolith":
                return OPS[op].ours(primitives, Arrays(megabytes, device.ours, rng))
            convert = lambda array: device.theirs(array, who)  # noqa: E731
            return OPS[op].torch(device.torch, Arrays(megabytes, convert, rng), who)

        return gpu.Rotation(device, build, OPS[op].bytes(megabytes))

    return prepare


def pairs(args: argparse.Namespace, default_size: float) -> Iterator[tuple[str, float]]:
    """The operations that are asked for, and sizes."""
    for name, op in OPS.items():
        if args.op in name:
            for megabytes in [0.0] if op.flops else args.size or [default_size]:
                yield name, megabytes


def compare(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for each operation, size and number of threads."""
    peaks = about["peak_gflops"][about["isa"]]
    for threads in args.threads:
        ours, torch, numpy = (
            Runner(load_convolith, threads),
            Runner(load_torch, threads),
            _numpy_runner(threads),
        )
        contest = Contest(threads, args.quick)
        for name, megabytes in pairs(args, MEGABYTES):
            op = OPS[name]
            results = {"convolith": contest.enter("convolith", ours, name, megabytes)}
            if op.numpy:
                results["numpy"] = contest.enter("numpy", numpy, name, megabytes)
            for variant in op.variants:
                results[variant] = contest.enter(variant, torch, name, megabytes, variant)
            check_same(name, results, TOLERANCE)
            seconds = contest.medians()
            contest.clear()
            roof = peaks[str(threads)] if op.flops else peak.copy(megabytes, threads)
            yield row(name, megabytes, {"threads": threads}, seconds, roof)
        for runner in (ours, torch, numpy):
            runner.close()


def compare_device(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for each operation and size, in float32, on a GPU."""
    roofs = about.get("peak_gflops", {}), about.get("copy_gb_s", {})
    with gpu.Table(load_device, args, about, "float32") as table:
        for name, megabytes in pairs(args, gpu.MEGABYTES):
            seconds = table.measure(name, OPS[name].variants, name, megabytes)
            peak, copy = roofs[0].get("float32"), roofs[1].get(f"{megabytes:g} MB")
            if seconds:
                roof = peak if OPS[name].flops else copy
                yield row(name, megabytes, {"dtype": "float32"}, seconds, roof)


def row(
    name: str,
    megabytes: float,
    setting: dict[str, Any],
    seconds: dict[str, float],
    roof: float | None,
) -> Row:
    """What was measured, in GFLOP/s or GB/s, and its share of what the machine can do."""
    op = OPS[name]
    work, unit = (op.flops, "GFLOP/s") if op.flops else (op.bytes(megabytes), "GB/s")
    speed = {who: work / s * 1e-9 for who, s in seconds.items()}
    best = better(speed, op.variants)
    operation, direction = name.split()
    return {
        "name": operation,
        "direction": direction,
        **setting,
        "megabytes": megabytes or None,
        "ours": speed["convolith"],
        "share_of_roof": roof and speed["convolith"] / roof,
        "peer": best and speed[best],
        "peer_layout": best,
        "peer_default_layout": best and speed[op.variants[0]],
        "numpy": speed.get("numpy"),
        "unit": unit,
        "flops" if op.flops else "bytes": work,
        "ratio": best and speed["convolith"] / speed[best],
        "ratio_numpy": speed["convolith"] / speed["numpy"] if "numpy" in speed else None,
    }


COLUMNS = (
    ("", "{name} {direction}", "<34"),
    ("threads", "{threads}", ">8"),
    ("MB", "{megabytes:.0f}", ">6"),
    ("ours", "{ours:.1f}", ">9"),
    ("", " {unit}", "<8"),
    ("of roof", "{share_of_roof:.0%}", ">8"),
    ("peer", "{peer:.1f}", ">9"),
    ("its variant", "{peer_layout}", ">15"),
    ("ratio", "{ratio:.2f}", ">7"),
    ("to NumPy", "{ratio_numpy:.2f}", ">10"),
)


def add_arguments(job: argparse.ArgumentParser) -> None:
    """The command line of this comparison."""
    job.add_argument("--op", default="", metavar="SUBSTRING", help="only operations so named")
    job.add_argument(
        "--size", nargs="+", type=float, metavar="MB",
        help=f"MB of each large array, {MEGABYTES:g} by default, on a GPU {gpu.MEGABYTES:g}; "
        "beyond the last-level cache say 600",
    )  # fmt: skip
    gpu.add_arguments(job, precisions=False)
