"""What the CUDA kernels of a primitive ask of a GPU's memory, counted on the emulated device.

Counted are requests (an instruction of a warp), the sectors of 32 bytes that they touch in global
memory or the passes over the banks that they take in shared memory, and the fewest that would do.
There are no times: those depend on caches and on how much is under way, which is not emulated.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convolith import _C, emu, primitives
from convolith._table import aligned
from convolith.device import Array, to_device, zeros_like
from convolith.reference.elementwise import ACTIVATIONS

Counts = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """The problem: what `convolith profile` takes, under PyTorch's names.

    Attributes
    ----------
    shape : tuple of int
        Of the input.
    weight : tuple of int
        Of the filters (K, C/G, R, S), or of a linear layer's weight (O, I).
    kernel_size, stride, padding : tuple of int
        Of windows.
    groups : int
    algo : str
        How a convolution is computed.
    """

    shape: tuple[int, ...]
    weight: tuple[int, ...] = ()
    kernel_size: tuple[int, ...] = (2, 2)
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
    groups: int = 1
    algo: str = "auto"

    @property
    def conv(self) -> dict[str, Any]:
        """The keywords of a convolution."""
        window = {"stride": self.stride, "padding": self.padding}
        return {**window, "groups": self.groups, "algo": self.algo}

    @property
    def window(self) -> dict[str, Any]:
        """The keywords of a pooling."""
        stride = None if self.stride == (1, 1) else self.stride
        return {"kernel_size": self.kernel_size, "stride": stride, "padding": self.padding}


def _random(shape: tuple[int, ...]) -> Array:
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return to_device(values, "emu")


def _x(o: Options) -> Array:
    return _random(o.shape)


def _w(o: Options) -> Array:
    return _random(o.weight)


def _vector(o: Options) -> Array:
    return _random(o.shape[1:2])


def _labels(o: Options) -> Array:
    shape = (o.shape[0], *o.shape[2:])
    labels = np.random.default_rng(0).integers(0, o.shape[1], shape, dtype=np.int64)
    return to_device(labels, "emu")


def _conv_output(o: Options) -> Array:
    return primitives.conv2d_forward(_x(o), _w(o), **o.conv)


def _linear_output(o: Options) -> Array:
    return _random((*o.shape[:-1], o.weight[0]))


def _probabilities(o: Options) -> Array:
    return primitives.softmax_forward(_x(o), 1)


Arguments = tuple[tuple[Any, ...], dict[str, Any]]
_ARGUMENTS: dict[str, Callable[[Options], Arguments]] = {
    "conv2d_forward": lambda o: ((_x(o), _w(o)), o.conv),
    "conv2d_backward_input": lambda o: ((_conv_output(o), _w(o), o.shape), o.conv),
    "conv2d_backward_weight": lambda o: ((_conv_output(o), _x(o), o.weight), o.conv),
    "conv2d_backward_bias": lambda o: ((_x(o),), {}),
    "linear_forward": lambda o: ((_x(o), _w(o)), {}),
    "linear_backward_input": lambda o: ((_linear_output(o), _w(o)), {}),
    "linear_backward_weight": lambda o: ((_linear_output(o), _x(o)), {}),
    **{f"{f}_forward": lambda o: ((_x(o),), {}) for f in ACTIVATIONS},
    **{f"{f}_backward": lambda o: ((_x(o), _x(o)), {}) for f in ACTIVATIONS},
    "prelu_forward": lambda o: ((_x(o), _vector(o)), {}),
    "prelu_backward": lambda o: ((_x(o), _x(o), _vector(o)), {}),
    "add_forward": lambda o: ((_x(o), _x(o)), {}),
    "dropout_forward": lambda o: ((_x(o),), {"p": 0.5, "seed": 0, "offset": 0}),
    "max_pool2d_forward": lambda o: ((_x(o),), o.window),
    "max_pool2d_backward": lambda o: (
        (*primitives.max_pool2d_forward(_x(o), **o.window), o.shape),
        {},
    ),
    "avg_pool2d_forward": lambda o: ((_x(o),), o.window),
    "avg_pool2d_backward": lambda o: (
        (primitives.avg_pool2d_forward(_x(o), **o.window), o.shape),
        o.window,
    ),
    "global_avg_pool2d_forward": lambda o: ((_x(o),), {}),
    "batch_norm_forward": lambda o: ((_x(o), _vector(o), _vector(o)), {"training": True}),
    "batch_norm_backward": lambda o: ((_x(o), _x(o), _vector(o), _vector(o), _vector(o)), {}),
    "softmax_forward": lambda o: ((_x(o), 1), {}),
    "softmax_backward": lambda o: ((_x(o), _probabilities(o), 1), {}),
    "log_softmax_forward": lambda o: ((_x(o), 1), {}),
    "softmax_cross_entropy_forward": lambda o: ((_x(o), _labels(o)), {}),
    "softmax_cross_entropy_backward": lambda o: (
        (_random(()), _probabilities(o), _labels(o)),
        {},
    ),
    "scale_forward": lambda o: ((_x(o), _random(()), zeros_like(_random(()))), {}),
    "sgd_step": lambda o: ((_x(o), _x(o), _x(o)), {"lr": 0.1, "momentum": 0.9}),
    "adam_step": lambda o: ((_x(o), _x(o), _x(o), zeros_like(_x(o))), {"step": 1}),
    "lamb_step": lambda o: ((_x(o), _x(o), _x(o), zeros_like(_x(o))), {"step": 1}),
    "rmsprop_step": lambda o: ((_x(o), _x(o), zeros_like(_x(o))), {}),
    "total_norm_forward": lambda o: (([_x(o), _x(o)],), {}),
}
PRIMITIVES = tuple(_ARGUMENTS)


def _flops(primitive: str, o: Options) -> int | None:
    """What a product of matrices takes, two for each multiplication; None of other primitives."""
    if primitive.startswith("linear"):
        return 2 * math.prod(o.shape) * o.weight[0]
    if primitive.startswith("conv2d") and primitive != "conv2d_backward_bias":
        return primitives.conv2d_plan(
            "forward", o.shape, o.weight, device="emu", **{**o.conv, "algo": "auto"}
        ).flops
    return None


def profile(primitive: str, options: Options) -> Counts:
    """Run `primitive` once on the emulated device, and count.

    Parameters
    ----------
    primitive : str
        One of `PRIMITIVES`.
    options : Options

    Returns
    -------
    dict
        "flops" of the problem, if it is a convolution or a linear layer, else None. "kernels", one
        dict each: kernel, grids, blocks, threads, barriers, warp_barriers, tensor_flops, and steps
        and step_lanes: basic blocks that warps went through, and lanes that took part. "lines", one
        dict for each access of a source line: kernel, line, access, memory, requests, lanes, bytes,
        transactions and least_transactions. "faults": what the checked build has to say, races and
        accesses out of bounds with thread and line; empty where all is well.

    Raises
    ------
    ValueError
        If there is no such primitive, or the shapes do not fit together.
    RuntimeError
        If this build has no emulator.
    """
    if primitive not in _ARGUMENTS:
        raise ValueError(f"profile: no primitive {primitive!r}; there are {', '.join(PRIMITIVES)}")
    args, kwargs = _ARGUMENTS[primitive](options)
    run = functools.partial(getattr(primitives, primitive), *args, **kwargs)
    faults = []
    with emu.checked():
        try:
            run()
        except RuntimeError as error:
            faults.append({"fault": str(error)})
    with emu.mode("counted"):
        _C.start_counting()
        try:
            run()
        finally:
            counts: Counts = _C.stop_counting()
    return {"flops": _flops(primitive, options), **counts, "faults": faults}


def report(counts: Counts) -> str:
    """What `profile` counted as text: for each kernel its launch, then line by line."""
    parts = [f"{counts['flops']:,} FLOPs in all"] if counts["flops"] else []
    for kernel in counts["kernels"]:
        lanes = kernel["step_lanes"] / max(32 * kernel["steps"], 1)
        size = kernel["threads"] // max(kernel["blocks"], 1)
        facts = [
            f"{kernel['blocks']:,} blocks of {size:,} threads",
            f"{lanes:.0%} of lanes active",
            f"{kernel['barriers']:,} barriers",
        ]
        if kernel["tensor_flops"]:
            facts.append(f"{kernel['tensor_flops']:,} FLOPs on tensor cores")
        rows = [
            (
                line["line"],
                f"{line['memory']} {line['access']}",
                f"{line['requests']:,}",
                f"{line['lanes'] / line['requests']:.1f}",
                f"{line['bytes']:,}",
                f"{line['transactions'] / line['requests']:.2f}",
                f"{line['least_transactions'] / line['requests']:.2f}",
            )
            for line in counts["lines"]
            if line["kernel"] == kernel["kernel"]
        ]
        parts.append(f"{kernel['kernel']}: {', '.join(facts)}\n{_table(rows)}")
    parts += [f"fault: {fault['fault']}" for fault in counts["faults"]]
    return "\n\n".join(parts)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Sectors of global memory, or passes over the banks of shared memory, for each request."""
    head = ("line", "access", "requests", "lanes", "bytes", "sectors/passes", "ideal")
    return "\n".join(f"  {line}" for line in aligned([head, *rows], "llrrrrr"))
