"""Everything that is no convolution: beside PyTorch, and beside a copy of as many bytes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import gpu
import peak
from gpu import LAYOUTS
from measure import Contest, Prepare, Row, Runner, Step, better, check_same

TOLERANCE = 1e-3  # of the largest value
GROUPS = ((), ("direction", "threads"), ("name", "threads"))
MEGABYTES = 128.0  # of each large array
CLASSES = 1000  # of a softmax
SGD = {"lr": 0.01, "momentum": 0.9}
ADAM = {"lr": 1e-3}
SLOPE = 0.01  # of leaky_relu

Shape = tuple[int, ...]
Convert = Callable[[Any], Any]


class Arrays:
    """Operands of about one size, the same ones for every library.

    Parameters
    ----------
    megabytes : float
        Of each large array.
    convert : callable
        From an array, NumPy's or that of `rng`, to what the library takes.
    rng : optional
        A generator like NumPy's.
    """

    def __init__(self, megabytes: float, convert: Convert, rng: Any = None) -> None:
        self.megabytes, self.convert = megabytes, convert
        self.rng = rng or np.random.default_rng(0)

    def shape(self, kind: str) -> Shape:
        """Of 'planes', the 'quarters' of them that pooling leaves, 'rows', or 'flat'."""
        count = self.megabytes * 1e6 / 4
        images = max(1, round(count / (64 * 56 * 56)))
        return {
            "planes": (images, 64, 56, 56),
            "quarters": (images, 64, 28, 28),
            "rows": (max(1, round(count / CLASSES)), CLASSES),
            "flat": (round(count),),
        }[kind]

    def normal(self, kind: str | Shape) -> Any:
        """Normally distributed values; a new draw at each call."""
        shape = self.shape(kind) if isinstance(kind, str) else kind
        return self.convert(self.rng.standard_normal(shape, dtype=np.float32))

    def labels(self) -> Any:
        """A class for each of the rows."""
        return self.convert(self.rng.integers(CLASSES, size=self.shape("rows")[0]))

    def statistics(self) -> tuple[Any, Any]:
        """Running mean and variance of the planes' channels."""
        return self.normal((64,)), self.convert(np.full(64, 2, np.float32))


@dataclass(frozen=True)
class Op:
    """An operation in every library.

    Parameters
    ----------
    kind : str
        Of `Arrays.shape`; '' where shapes are fixed.
    moved : float
        Bytes that must move, each input read once, each output written once, in arrays of `kind`;
        in elements where shapes are fixed.
    ours : callable
        From `convolith.primitives` and arrays to a step.
    torch : callable
        From the module torch, arrays and the variant to a step.
    variants : tuple of str
        Ways in which PyTorch does it; the first is its default, and it is given its best.
    numpy : callable, optional
        From the module numpy and arrays to a step.
    flops : int
        Where those count and not bytes.
    """

    kind: str
    moved: float
    ours: Callable[[Any, Arrays], Step]
    torch: Callable[[Any, Arrays, str], Step]
    variants: tuple[str, ...] = ("default",)
    numpy: Callable[[Any, Arrays], Step] | None = None
    flops: int = 0

    def bytes(self, megabytes: float) -> int:
        """That must move."""
        shape = Arrays(megabytes, np.asarray).shape(self.kind) if self.kind else ()
        return int(self.moved * 4 * np.prod(shape))


def _calls(function: Callable[..., Any], *kinds: str | Shape) -> Callable[..., Step]:
    """A function of a library and normal arrays as what `Op` wants."""

    def build(library: Any, a: Arrays, variant: str = "") -> Step:
        operands = [a.normal(kind) for kind in kinds]
        return lambda: function(library, *operands)

    return build


def _planes(moved: float, kinds: str, ours: Callable[..., Any], torch: Callable[..., Any]) -> Op:
    each = kinds.split()
    return Op("planes", moved, _calls(ours, *each), _calls(torch, *each), LAYOUTS)


def _rows(moved: float, count: int, ours: Callable[..., Any], torch: Callable[..., Any]) -> Op:
    each = ["rows"] * count
    return Op("rows", moved, _calls(ours, *each), _calls(torch, *each))


def _batch_norm(P: Any, a: Arrays, training: bool) -> Step:
    x, weight, bias, statistics = _normalised(a)
    return lambda: P.batch_norm_forward(x, weight, bias, *statistics, training=training)[0]


def _batch_norm_torch(t: Any, a: Arrays, training: bool) -> Step:
    x, weight, bias, statistics = _normalised(a)
    forward = t.nn.functional.batch_norm
    return lambda: forward(x, *statistics, weight, bias, training=training)


def _batch_norm_backward(P: Any, a: Arrays) -> Step:
    x, weight, bias, _ = _normalised(a)
    dy = a.normal("planes")
    _, mean, invstd = P.batch_norm_forward(x, weight, bias, training=True)
    return lambda: P.batch_norm_backward(dy, x, weight, mean, invstd, training=True)


def _batch_norm_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    x, weight, bias, statistics = _normalised(a)
    dy = a.normal("planes")
    if x.is_cuda:  # the way of training, which chooses between PyTorch's own kernels and cuDNN's
        inputs = [array.requires_grad_() for array in (x, weight, bias)]
        with t.enable_grad():
            y = t.nn.functional.batch_norm(x, *statistics, weight, bias, training=True)
        return lambda: t.autograd.grad(y, inputs, dy, retain_graph=True)
    _, mean, invstd = t.native_batch_norm(x, weight, bias, *statistics, True, 0.1, 1e-5)
    backward, mask = t.ops.aten.native_batch_norm_backward, [True] * 3
    return lambda: backward(dy, x, weight, *statistics, mean, invstd, True, 1e-5, mask)


def _normalised(a: Arrays) -> tuple[Any, Any, Any, tuple[Any, Any]]:
    return a.normal("planes"), a.normal((64,)), a.normal((64,)), a.statistics()


def _max_pool_backward(P: Any, a: Arrays) -> Step:
    x, dy = a.normal("planes"), a.normal("quarters")
    _, indices = P.max_pool2d_forward(x, 3, stride=2, padding=1)
    return lambda: P.max_pool2d_backward(dy, indices, x.shape)


def _max_pool_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    x, dy = a.normal("planes"), a.normal("quarters")
    _, indices = t.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True)
    window = [3, 3], [2, 2], [1, 1], [1, 1], False
    backward = t.ops.aten.max_pool2d_with_indices_backward
    return lambda: backward(dy, x, *window, indices)


def _avg_pool_backward(P: Any, a: Arrays) -> Step:
    dy, shape = a.normal("quarters"), a.shape("planes")
    return lambda: P.avg_pool2d_backward(dy, shape, 2)


def _avg_pool_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    dy, x = a.normal("quarters"), a.normal("planes")
    backward = t.ops.aten.avg_pool2d_backward
    return lambda: backward(dy, x, [2, 2], [2, 2], [0, 0], False, True, None)


def _cross_entropy(P: Any, a: Arrays) -> Step:
    x, labels = a.normal("rows"), a.labels()
    return lambda: P.softmax_cross_entropy_forward(x, labels)[0]


def _cross_entropy_torch(t: Any, a: Arrays, _: str) -> Step:
    x, labels = a.normal("rows"), a.labels()
    return lambda: t.nn.functional.cross_entropy(x, labels)


def _cross_entropy_backward(P: Any, a: Arrays) -> Step:
    x, labels = a.normal("rows"), a.labels()
    loss, probs = P.softmax_cross_entropy_forward(x, labels)
    dloss = a.convert(np.ones(loss.shape, np.float32))
    return lambda: P.softmax_cross_entropy_backward(dloss, probs, labels)


def _cross_entropy_backward_torch(t: Any, a: Arrays, _: str) -> Step:
    x, labels = a.normal("rows"), a.labels()
    logs, aten = t.log_softmax(x, 1), t.ops.aten
    loss, weight = aten.nll_loss_forward(logs, labels, None, 1, -100)

    def step() -> Any:
        dlogs = aten.nll_loss_backward(t.ones_like(loss), logs, labels, None, 1, -100, weight)
        return aten._log_softmax_backward_data(dlogs, logs, 1, t.float32)

    return step


def _optimizer(P: Any, a: Arrays, adam: bool) -> Step:
    param, grad, first, second = a.normal("flat"), a.normal("flat"), _zeros(a), _zeros(a)

    def step() -> Any:
        if adam:
            P.adam_step(param, grad, first, second, step=1, **ADAM)
        else:
            P.sgd_step(param, grad, first, **SGD)
        return param

    return step


def _zeros(a: Arrays) -> Any:
    return a.convert(np.zeros(a.shape("flat"), np.float32))


def _optimizer_torch(t: Any, a: Arrays, variant: str, adam: bool) -> Step:
    param = t.nn.Parameter(a.normal("flat"))
    param.grad = a.normal("flat")
    kind, options = (t.optim.Adam, ADAM) if adam else (t.optim.SGD, SGD)
    optimizer = kind([param], fused=variant == "fused" or None, **options)

    def step() -> Any:
        optimizer.step()
        return param.data

    return step


WINDOW = {"stride": 2, "padding": 1}
FUSED = ("default", "fused")

OPS = {
    "relu fwd": _planes(2, "planes", lambda P, x: P.relu_forward(x), lambda t, x: t.relu(x)),
    "relu bwd": _planes(
        3,
        "planes planes",
        lambda P, dy, y: P.relu_backward(dy, y),
        lambda t, dy, y: t.ops.aten.threshold_backward(dy, y, 0),
    ),
    "leaky_relu fwd": _planes(
        2,
        "planes",
        lambda P, x: P.leaky_relu_forward(x, SLOPE),
        lambda t, x: t.nn.functional.leaky_relu(x, SLOPE),
    ),
    "leaky_relu bwd": _planes(
        3,
        "planes planes",
        lambda P, dy, x: P.leaky_relu_backward(dy, x, SLOPE),
        lambda t, dy, x: t.ops.aten.leaky_relu_backward(dy, x, SLOPE, False),
    ),
    "sigmoid fwd": _planes(
        2, "planes", lambda P, x: P.sigmoid_forward(x), lambda t, x: t.sigmoid(x)
    ),
    "sigmoid bwd": _planes(
        3,
        "planes planes",
        lambda P, dy, y: P.sigmoid_backward(dy, y),
        lambda t, dy, y: t.ops.aten.sigmoid_backward(dy, y),
    ),
    "tanh fwd": _planes(2, "planes", lambda P, x: P.tanh_forward(x), lambda t, x: t.tanh(x)),
    "tanh bwd": _planes(
        3,
        "planes planes",
        lambda P, dy, y: P.tanh_backward(dy, y),
        lambda t, dy, y: t.ops.aten.tanh_backward(dy, y),
    ),
    "add fwd": _planes(
        3, "planes planes", lambda P, a, b: P.add_forward(a, b), lambda t, a, b: a + b
    ),
    "batch_norm fwd": Op(
        "planes",
        2,
        lambda P, a: _batch_norm(P, a, True),
        lambda t, a, _: _batch_norm_torch(t, a, True),
        LAYOUTS,
    ),
    "batch_norm bwd": Op("planes", 3, _batch_norm_backward, _batch_norm_backward_torch, LAYOUTS),
    "batch_norm eval": Op(
        "planes",
        2,
        lambda P, a: _batch_norm(P, a, False),
        lambda t, a, _: _batch_norm_torch(t, a, False),
        LAYOUTS,
    ),
    "max_pool2d fwd": _planes(
        1.75,  # a quarter of the values, and indices of twice their size
        "planes",
        lambda P, x: P.max_pool2d_forward(x, 3, **WINDOW),
        lambda t, x: t.nn.functional.max_pool2d(x, 3, **WINDOW, return_indices=True),
    ),
    "max_pool2d bwd": Op("planes", 1.75, _max_pool_backward, _max_pool_backward_torch, LAYOUTS),
    "avg_pool2d fwd": _planes(
        1.25,
        "planes",
        lambda P, x: P.avg_pool2d_forward(x, 2),
        lambda t, x: t.nn.functional.avg_pool2d(x, 2),
    ),
    "avg_pool2d bwd": Op("planes", 1.25, _avg_pool_backward, _avg_pool_backward_torch, LAYOUTS),
    "global_avg_pool2d fwd": _planes(
        1,
        "planes",
        lambda P, x: P.global_avg_pool2d_forward(x),
        lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, 1),
    ),
    "softmax fwd": _rows(2, 1, lambda P, x: P.softmax_forward(x), lambda t, x: t.softmax(x, 1)),
    "softmax bwd": _rows(
        3,
        2,
        lambda P, dy, y: P.softmax_backward(dy, y),
        lambda t, dy, y: t.ops.aten._softmax_backward_data(dy, y, 1, t.float32),
    ),
    "log_softmax fwd": _rows(
        2, 1, lambda P, x: P.log_softmax_forward(x), lambda t, x: t.log_softmax(x, 1)
    ),
    "log_softmax bwd": _rows(
        3,
        2,
        lambda P, dy, y: P.log_softmax_backward(dy, y),
        lambda t, dy, y: t.ops.aten._log_softmax_backward_data(dy, y, 1, t.float32),
    ),
    "cross_entropy fwd": Op("rows", 2, _cross_entropy, _cross_entropy_torch),
    "cross_entropy bwd": Op("rows", 2, _cross_entropy_backward, _cross_entropy_backward_torch),
    "sgd step": Op(
        "flat",
        5,  # reads parameter, gradient, velocity; writes parameter, velocity
        lambda P, a: _optimizer(P, a, adam=False),
        lambda t, a, variant: _optimizer_torch(t, a, variant, adam=False),
        FUSED,
    ),
    "adam step": Op(
        "flat",
        7,
        lambda P, a: _optimizer(P, a, adam=True),
        lambda t, a, variant: _optimizer_torch(t, a, variant, adam=True),
        FUSED,
    ),
}

# N, inputs and outputs of layers in VGG-16, AlexNet, ResNet-18 and LeNet-5.
LINEAR = ((64, 4096, 4096), (64, 9216, 4096), (64, 512, 1000), (64, 120, 84))


def _linear(N: int, I: int, O: int) -> dict[str, Op]:
    """The three directions of a linear layer."""
    x, w, bias, dy = (N, I), (O, I), (O,), (N, O)
    calls: dict[str, tuple[list[Shape], Any, Any, Any]] = {
        "fwd": (
            [x, w, bias],
            lambda P, x, w, bias: P.linear_forward(x, w, bias),
            lambda t, x, w, bias: t.nn.functional.linear(x, w, bias),
            lambda np, x, w, bias: x @ w.T + bias,
        ),
        "bwd_input": (
            [dy, w],
            lambda P, dy, w: P.linear_backward_input(dy, w),
            lambda t, dy, w: dy @ w,
            lambda np, dy, w: dy @ w,
        ),
        "bwd_weight": (
            [dy, x],
            lambda P, dy, x: P.linear_backward_weight(dy, x),
            lambda t, dy, x: dy.T @ x,
            lambda np, dy, x: dy.T @ x,
        ),
    }
    return {
        f"linear_{N}x{I}x{O} {direction}": Op(
            "", N * I + I * O + N * O, _calls(ours, *shapes), _calls(torch, *shapes),
            numpy=_calls(numpy, *shapes), flops=2 * N * I * O,
        )
        for direction, (shapes, ours, torch, numpy) in calls.items()
    }  # fmt: skip


for _sizes in LINEAR:
    OPS |= _linear(*_sizes)


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
