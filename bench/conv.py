"""Convolutions of real networks, layer by layer, beside a peer's."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import gpu
from gpu import LAYOUTS
from measure import Contest, Prepare, Row, Runner, Step, better, check_same

SHAPES = Path(__file__).with_name("shapes")
SUITES = sorted(file.stem for file in SHAPES.glob("*.csv"))
DIRECTIONS = {"fwd": "forward", "bwd_input": "backward_input", "bwd_weight": "backward_weight"}
TOLERANCE = 1e-3  # of the largest value: Winograd's and other summation orders stay far below
GROUPS = ((), ("direction", "threads"), ("class", "threads"), ("class", "direction", "threads"))

Shape = tuple[int, int, int, int]
Operands = tuple[Any, ...]  # x, w, bias, dy


@dataclass(frozen=True)
class Layer:
    """A line of a table under shapes/."""

    suite: str
    name: str
    N: int
    C: int
    H: int
    W: int
    K: int
    R: int
    S: int
    stride: int
    padding: int
    groups: int
    count: int

    @cached_property
    def x(self) -> Shape:
        """Shape of the input."""
        return self.N, self.C, self.H, self.W

    @cached_property
    def w(self) -> Shape:
        """Shape of the filters."""
        return self.K, self.C // self.groups, self.R, self.S

    @cached_property
    def y(self) -> Shape:
        """Shape of the output."""
        P = (self.H + 2 * self.padding - self.R) // self.stride + 1
        Q = (self.W + 2 * self.padding - self.S) // self.stride + 1
        return self.N, self.K, P, Q

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of every library."""
        return {"stride": self.stride, "padding": self.padding, "groups": self.groups}

    @property
    def flops(self) -> int:
        """Of any direction, two for each multiply-add."""
        return 2 * int(np.prod(self.y)) * int(np.prod(self.w[1:]))

    @property
    def bytes(self) -> int:
        """That must move in any direction: two of the three arrays are read, one is written."""
        return 4 * sum(int(np.prod(shape)) for shape in (self.x, self.w, self.y))

    @property
    def kind(self) -> str:
        """The class whose mean it enters."""
        if self.C <= 4:
            return "first layers, C <= 4"
        if self.groups == self.C:
            return "depthwise"
        if self.R == self.S == 1:
            return "1x1"
        if self.R == self.S == 3 and self.stride == 1 and min(self.C, self.K) >= 64:
            return "3x3 stride 1, C and K >= 64"
        return "other"


def draw(layer: Layer, rng: Any) -> Operands:
    """x, w, bias and dy, the same in every library."""
    shapes = layer.x, layer.w, (layer.K,), layer.y
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in shapes)


@lru_cache(maxsize=1)  # directions and layouts of a layer follow each other
def arrays(layer: Layer) -> Operands:
    """The operands on the CPU."""
    return draw(layer, np.random.default_rng(0))


def layers(suites: list[str], substring: str = "") -> list[Layer]:
    """Lines of the tables whose name has the substring."""
    found = []
    for suite in suites:
        with (SHAPES / f"{suite}.csv").open() as file:
            for line in csv.DictReader(file):
                if substring in line["name"]:
                    name = line.pop("name")
                    found.append(Layer(suite, name, **{k: int(v) for k, v in line.items()}))
    return found


def load_convolith(threads: int) -> Prepare:
    """Ours."""
    import convolith

    convolith.set_num_threads(threads)
    return lambda layer, direction: ours(direction, arrays(layer), **layer.options)


def ours(direction: str, operands: Operands, **options: Any) -> Step:
    """A step on x, w, bias and dy."""
    from convolith import primitives

    x, w, bias, dy = operands
    return {
        "fwd": lambda: primitives.conv2d_forward(x, w, bias, **options),
        "bwd_input": lambda: primitives.conv2d_backward_input(dy, w, x.shape, **options),
        "bwd_weight": lambda: primitives.conv2d_backward_weight(dy, x, w.shape, **options),
    }[direction]


def load_torch(threads: int) -> Prepare:
    """PyTorch, with every array in the layout that is asked for."""
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    formats = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}

    def prepare(layer: Layer, direction: str, layout: str) -> Step:
        x, w, bias, dy = map(torch.from_numpy, arrays(layer))
        x, w, dy = (array.to(memory_format=formats[layout]) for array in (x, w, dy))
        return theirs(torch, direction, (x, w, bias, dy), layer)

    return prepare


def theirs(torch: Any, direction: str, operands: Operands, layer: Layer) -> Step:
    """PyTorch's step on x, w, bias and dy."""
    x, w, bias, dy = operands
    rest = [layer.stride] * 2, [layer.padding] * 2, [1, 1], False, [0, 0], layer.groups
    backward = torch.ops.aten.convolution_backward
    return {
        "fwd": lambda: torch.nn.functional.conv2d(x, w, bias, **layer.options),
        "bwd_input": lambda: backward(dy, x, w, None, *rest, (True, False, False))[0],
        "bwd_weight": lambda: backward(dy, x, w, None, *rest, (False, True, False))[1],
    }[direction]


def load_device(name: str, peer: str, dtype: str) -> Prepare:
    """Both on a GPU."""
    device = gpu.DEVICES[name](peer, dtype)
    if device.torch:
        device.torch.set_grad_enabled(False)

    def prepare(layer: Layer, direction: str, algo: str, who: str) -> Step:
        def build(rng: Any) -> Step:
            operands = draw(layer, rng)
            if who == "convolith":
                mine = tuple(device.ours(array) for array in operands)
                return ours(direction, mine, algo=algo, **layer.options)
            its = tuple(device.theirs(array, who) for array in operands)
            return theirs(device.torch, direction, its, layer)

        return gpu.Rotation(device, build, layer.bytes)

    return prepare


def algorithm(layer: Layer, direction: str) -> str:
    """What serves a layer."""
    from convolith import primitives

    return primitives.conv2d_plan(DIRECTIONS[direction], layer.x, layer.w, **layer.options).algo


def pairs(args: argparse.Namespace, batch: int | None = None) -> Iterator[tuple[Layer, str]]:
    """The layers and directions that are asked for."""
    for layer in layers(args.suite, args.layer):
        for direction in args.direction:
            if direction != "bwd_input" or layer.C > 4:  # nobody needs the gradient of the images
                yield replace(layer, N=batch or layer.N), direction


def compare(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for each layer, direction and number of threads."""
    peaks = about["peak_gflops"][about["isa"]]
    checked: set[tuple[Layer, str]] = set()
    for threads in args.threads:
        mine, torch = Runner(load_convolith, threads), Runner(load_torch, threads)
        contest = Contest(threads, args.quick, args.cold)
        for layer, direction in pairs(args, args.batch):
            what = f"{layer.suite} {layer.name} {direction}"
            results = {"convolith": contest.enter("convolith", mine, layer, direction)}
            for layout in LAYOUTS:
                results[layout] = contest.enter(layout, torch, layer, direction, layout)
            if (layer, direction) not in checked:
                check_same(what, results, TOLERANCE)
                checked.add((layer, direction))
            served, setting = algorithm(layer, direction), {"threads": threads}
            yield row(layer, direction, setting, served, contest.medians(), peaks[str(threads)])
            contest.clear()
        for runner in (mine, torch):
            runner.close()


def compare_device(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for each layer, direction and precision, on a GPU."""
    for dtype in args.dtype:
        device = gpu.DEVICES[args.device](args.peer, dtype)
        peak = about.get("peak_gflops", {}).get(dtype)
        with gpu.Table(load_device, args, about, dtype) as table:
            for layer, direction in pairs(args, args.batch or gpu.BATCH):
                what = f"{layer.suite} {layer.name} {direction}"
                algo, served = device.algo(DIRECTIONS[direction], layer.x, layer.w, **layer.options)
                seconds = table.measure(what, LAYOUTS, layer, direction, algo)
                if seconds:
                    yield row(layer, direction, {"dtype": dtype}, served, seconds, peak)


def row(
    layer: Layer,
    direction: str,
    setting: dict[str, Any],
    algorithm: str,
    seconds: dict[str, float],
    peak: float | None,
) -> Row:
    """What was measured, in GFLOP/s; null where there is no peer."""
    speed = {name: layer.flops / s * 1e-9 for name, s in seconds.items()}
    best = better(speed, LAYOUTS)
    return {
        "suite": layer.suite,
        "name": layer.name,
        "shape": f"{'x'.join(map(str, layer.x))} {'x'.join(map(str, layer.w))}",
        "count": layer.count,
        "class": layer.kind,
        "direction": direction,
        **setting,
        "algorithm": algorithm,
        "ours": speed["convolith"],
        "share_of_peak": peak and speed["convolith"] / peak,
        "peer": best and speed[best],
        "peer_layout": best,
        "peer_default_layout": best and speed[LAYOUTS[0]],
        "unit": "GFLOP/s",
        "flops": layer.flops,
        "bytes": layer.bytes,
        "ratio": best and speed["convolith"] / speed[best],
        "ratio_default_layout": best and speed["convolith"] / speed[LAYOUTS[0]],
    }


COLUMNS = (
    ("", "{suite} {name} {direction}", "<52"),
    ("threads", "{threads}", ">8"),
    ("algorithm", "{algorithm}", ">16"),
    ("GFLOP/s", "{ours:.1f}", ">9"),
    ("of peak", "{share_of_peak:.0%}", ">9"),
    ("peer", "{peer:.1f}", ">9"),
    ("its layout", "{peer_layout}", ">15"),
    ("ratio", "{ratio:.2f}", ">7"),
    ("to NCHW", "{ratio_default_layout:.2f}", ">9"),
)


def add_arguments(job: argparse.ArgumentParser) -> None:
    """The command line of this comparison."""
    job.add_argument(
        "--suite", nargs="+", default=SUITES, choices=SUITES, metavar="NAME",
        help=f"networks, by default all of {', '.join(SUITES)}",
    )  # fmt: skip
    job.add_argument("--layer", default="", metavar="SUBSTRING", help="only layers so named")
    job.add_argument(
        "--direction", default=list(DIRECTIONS), type=_directions, metavar="DIRECTION",
        help="fwd, bwd_input, bwd_weight, bwd (both gradients) or all, the default",
    )  # fmt: skip
    job.add_argument("--cold", action="store_true", help="caches forget before every call (CPU)")
    gpu.add_arguments(job)


def _directions(name: str) -> list[str]:
    several = {"all": list(DIRECTIONS), "bwd": ["bwd_input", "bwd_weight"]}
    if name not in DIRECTIONS and name not in several:
        raise argparse.ArgumentTypeError(f"{name!r} is no direction")
    return several.get(name, [name])
