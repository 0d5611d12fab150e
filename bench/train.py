"""Training steps of a network, the same in every library: weights, images and optimizer."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import gpu
import zoo
from gpu import LAYOUTS
from measure import Contest, Prepare, Row, Runner, Step, better, check_same
from zoo import MODELS, Batches, Weights

LR, MOMENTUM = 0.01, 0.9
# Libraries that differ by rounding end a repetition with losses this close; more is not the same
# work.
SAME_LOSS = 1e-2
GROUPS = ((), ("library", "threads"))


def load_convolith(threads: int) -> Prepare:
    """Ours."""
    import convolith
    from convolith import Tensor, optim
    from convolith.nn.functional import cross_entropy

    convolith.set_num_threads(threads)

    def prepare(model: str, weights: Weights, batches: Batches) -> Step:
        net = zoo.ours(model)
        data = [(Tensor(x), Tensor(y)) for x, y in batches]

        def step() -> float:
            net.load_state_dict(weights)
            optimizer = optim.SGD(net.parameters(), LR, momentum=MOMENTUM)
            return train(net, data, cross_entropy, optimizer)

        return step

    return prepare


def train(net: Any, data: list[tuple[Any, Any]], cross_entropy: Any, optimizer: Any) -> float:
    """The last loss, as a number."""
    return float(last_loss(net, data, cross_entropy, optimizer).item())


def last_loss(net: Any, data: list[tuple[Any, Any]], cross_entropy: Any, optimizer: Any) -> Any:
    """A step for each batch; the same lines for every library, as they share PyTorch's names."""
    for images, labels in data:
        loss = cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss


def load_torch(threads: int, variant: str) -> Prepare:
    """PyTorch: eager in one of `LAYOUTS`, or 'torch.compile'."""
    import torch
    from torch.nn.functional import cross_entropy

    import networks

    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    memory_format = torch.contiguous_format if variant == "NCHW" else torch.channels_last

    def prepare(model: str, weights: Weights, batches: Batches) -> Step:
        initial = {name: torch.from_numpy(w) for name, w in weights.items()}
        net = networks.build(model).to(memory_format=memory_format)
        call = torch.compile(net) if variant == "torch.compile" else net
        data = [
            (torch.from_numpy(x).to(memory_format=memory_format), torch.from_numpy(y))
            for x, y in batches
        ]

        def step() -> float:
            net.load_state_dict(initial)
            optimizer = torch.optim.SGD(net.parameters(), LR, momentum=MOMENTUM)
            return train(call, data, cross_entropy, optimizer)

        return step

    return prepare


def load_device(name: str, peer: str, dtype: str, captured: bool = False) -> Prepare:
    """Both on a GPU; what is timed goes on from step to step, and begins nowhere anew.

    `captured` replays our steps from a graph.
    """
    from convolith import Tensor, cuda, nn, optim
    from convolith.nn.functional import cross_entropy

    device = gpu.DEVICES[name](peer, dtype)

    def ours(model: str, batches: Batches) -> Step:
        net = zoo.ours(model).to(device.name)
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                image = (1, layer.in_channels, 32, 32)
                options = {"groups": layer.groups}
                layer.algo, _ = device.algo("forward", image, layer.weight.shape, **options)
        data = [(Tensor(x).to(device.name), Tensor(y).to(device.name)) for x, y in batches]
        optimizer = optim.SGD(net.parameters(), LR, momentum=MOMENTUM)
        if not captured:
            return lambda: train(net, data, cross_entropy, optimizer)
        train(net, data, cross_entropy, optimizer)  # makes the optimizer's state
        graph = cuda.CUDAGraph(device.name)
        with cuda.graph(graph):
            loss = last_loss(net, data, cross_entropy, optimizer)

        def step() -> float:
            graph.replay()
            return float(loss.item())

        return step

    def theirs(model: str, batches: Batches, layout: str) -> Step:
        import networks

        torch = device.torch
        form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        net = networks.build(model, zoo.weights(model)).to(device.place, memory_format=form)
        data = [(device.theirs(x, layout), device.theirs(y, layout)) for x, y in batches]
        optimizer = torch.optim.SGD(net.parameters(), LR, momentum=MOMENTUM)
        return lambda: train(net, data, torch.nn.functional.cross_entropy, optimizer)

    def prepare(model: str, batch_size: int, who: str) -> Step:
        batches = zoo.batches(model, batch_size)
        mine = who == "convolith"
        step = ours(model, batches) if mine else theirs(model, batches, who)
        return gpu.Whole(device, step)

    return prepare


def compare_device(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for each network and precision, on a GPU, beside eager PyTorch."""
    batch_size = args.batch or gpu.BATCH
    about["captured"] = args.captured
    load = partial(load_device, captured=args.captured)
    for dtype in args.dtype:
        with gpu.Table(load, args, about, dtype, SAME_LOSS, patience=8) as table:
            for model in args.models:
                seconds = table.measure(f"{model} train", LAYOUTS, model, batch_size)
                if seconds:
                    images = MODELS[model].steps * batch_size
                    yield device_row(model, dtype, batch_size, images, seconds)


def device_row(
    model: str, dtype: str, batch_size: int, images: int, seconds: dict[str, float]
) -> Row:
    """What was measured, in images/s; null where there is no peer."""
    speed = {name: images / s for name, s in seconds.items()}
    best = better(speed, LAYOUTS)
    return {
        "model": model,
        "direction": "train",
        "library": "torch",
        "dtype": dtype,
        "batch_size": batch_size,
        "ours": speed["convolith"],
        "peer": best and speed[best],
        "peer_layout": best,
        "peer_default_layout": best and speed[LAYOUTS[0]],
        "unit": "images/s",
        "ratio": best and speed["convolith"] / speed[best],
        "ours_memory_mb": None,
        "peer_memory_mb": None,
    }


def compare(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for each network, number of threads, and way to run PyTorch."""
    compiled = [] if args.quick else ["torch.compile"]
    for model in args.models:
        problem = (model, zoo.weights(model), zoo.batches(model))
        for threads in args.threads:
            contest = Contest(threads, args.quick, patience=8)
            ours = Runner(load_convolith, threads)
            results = {"convolith": contest.enter("convolith", ours, *problem)}
            for variant in (*compiled, *LAYOUTS):
                runner = Runner(load_torch, threads, variant)
                enter = contest.attempt if variant in compiled else contest.enter
                results[variant] = enter(variant, runner, *problem)
            results = {name: loss for name, loss in results.items() if loss is not None}
            for name, error in contest.failed.items():
                about.setdefault("failed", {})[f"{model} {name}"] = error
            check_same(model, results, SAME_LOSS)
            images = MODELS[model].steps * MODELS[model].batch_size
            speed = {name: images / s for name, s in contest.medians().items()}
            memory = {name: r.peak_memory() for name, r in contest.steps.items()}
            contest.close()
            best = max(LAYOUTS, key=lambda layout: speed[layout])
            for library in ("torch", *compiled):
                peer = best if library == "torch" else library
                yield {
                    "model": model,
                    "direction": "train",
                    "library": library,
                    "threads": threads,
                    "batch_size": MODELS[model].batch_size,
                    "ours": speed["convolith"],
                    "peer": speed.get(peer),
                    "peer_layout": peer if library == "torch" else None,
                    "peer_default_layout": speed["NCHW"] if library == "torch" else None,
                    "unit": "images/s",
                    "ratio": speed["convolith"] / speed[peer] if peer in speed else None,
                    "ours_memory_mb": memory["convolith"],
                    "peer_memory_mb": memory.get(peer),
                }


COLUMNS = (
    ("", "{model} {direction}", "<24"),
    ("threads", "{threads}", ">8"),
    ("images/s", "{ours:,.1f}", ">12"),
    ("peer", "{peer:,.1f}", ">12"),
    ("ratio", "{ratio:.2f}", ">7"),
    ("library", "{library}", ">15"),
    ("layout", "{peer_layout}", ">15"),
    ("MB", "{ours_memory_mb:,.0f}", ">8"),
    ("peer MB", "{peer_memory_mb:,.0f}", ">9"),
)


def add_arguments(job: argparse.ArgumentParser) -> None:
    """The command line of this comparison."""
    zoo.add_models_argument(job, list(MODELS))
    gpu.add_arguments(job)
    job.add_argument(
        "--captured", action="store_true", help="on a GPU: replay our steps from a graph"
    )
