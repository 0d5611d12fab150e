"""Images per second in evaluation, beside every runtime that is installed."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from measure import Contest, Prepare, Row, Runner, Step, check_same

TOLERANCE = 1e-3  # of the largest logit
LAYOUTS = ("NCHW", "channels_last")  # eager PyTorch is given its better one
RUNTIMES = ("torch.compile", "onnxruntime", "openvino")
GROUPS = ((), ("library", "threads"), ("library", "batch_size", "threads"))


Shape = tuple[int, ...]


def images(shape: Shape) -> np.ndarray:
    """Noise (N, C, H, W), the same at every call."""
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def network(model: str) -> Any:
    """Ours, for evaluation, with batch norms that have learnt something.

    As they begin, the last layers of some networks see next to nothing, and nobody would notice
    what libraries get wrong before them.
    """
    from convolith import nn

    rng = np.random.default_rng(0)
    net = zoo.ours(model).eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for name, tensor in layer.state_dict().items():
                if tensor.ndim:
                    least = 0.5 if name in ("weight", "running_var") else -0.5
                    tensor.numpy()[...] = rng.uniform(least, least + 1, tensor.shape)
    return net


def load_convolith(threads: int) -> Prepare:
    """Ours, with batch norm and activations fused into the convolutions."""
    import convolith
    from convolith import Tensor, nn, no_grad

    convolith.set_num_threads(threads)

    def prepare(model: str, shape: Shape, _: Path) -> Step:
        net = nn.fuse(network(model))
        x = Tensor(images(shape))

        def step() -> np.ndarray:
            with no_grad():
                return np.asarray(net(x).numpy())

        return step

    return prepare


def load_exporter() -> Prepare:
    """Ours as the writer of the ONNX files that all others read; the step does nothing."""
    from convolith.onnx.export import export

    def prepare(model: str, shape: Shape, file: Path) -> Step:
        export(network(model), images(shape), file, input_names=("x",), dynamic_batch=False)
        return lambda: None

    return prepare


def load_torch(threads: int, variant: str) -> Prepare:
    """PyTorch: eager in one of `LAYOUTS`, or 'torch.compile'."""
    import torch

    import onnx_torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    memory_format = torch.contiguous_format if variant == "NCHW" else torch.channels_last

    def prepare(_: str, shape: Shape, file: Path) -> Step:
        net = onnx_torch.load(file).to(memory_format=memory_format)
        call = torch.compile(net, dynamic=False) if variant == "torch.compile" else net
        x = torch.from_numpy(images(shape)).to(memory_format=memory_format)
        return lambda: call(x)

    return prepare


def load_onnxruntime(threads: int) -> Prepare:
    """ONNX Runtime on its CPU provider."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads

    def prepare(_: str, shape: Shape, file: Path) -> Step:
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(file, options, providers=providers)
        x = images(shape)
        return lambda: session.run(None, {"x": x})[0]

    return prepare


def load_openvino(threads: int) -> Prepare:
    """OpenVINO on the CPU, in float32."""
    import openvino

    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()

    def prepare(_: str, shape: Shape, file: Path) -> Step:
        request = core.compile_model(file, "CPU", options).create_infer_request()
        x = images(shape)
        return lambda: request.infer({"x": x}, share_inputs=True)[0]

    return prepare


def children(threads: int, quick: bool) -> dict[str, Runner]:
    """One for everything that is installed."""
    found = {"convolith": Runner(load_convolith, threads)}
    for library, load in {"onnxruntime": load_onnxruntime, "openvino": load_openvino}.items():
        if importlib.util.find_spec(library):
            found[library] = Runner(load, threads)
    for variant in LAYOUTS if quick else ("torch.compile", *LAYOUTS):
        found[variant] = Runner(load_torch, threads, variant)
    return found


def compare(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row for each network, batch size, number of threads and runtime."""
    about["versions"] = {
        name: importlib.metadata.version(name)
        for name in ("onnxruntime", "openvino")
        if importlib.util.find_spec(name)
    }
    from convolith.models import model_entry

    exporter = Runner(load_exporter)
    for threads in args.threads:
        runners = children(threads, args.quick)
        contest = Contest(threads, args.quick, patience=4)
        for model in args.models:
            for batch_size in args.batch_size:
                with tempfile.TemporaryDirectory(prefix="convolith-infer-") as folder:
                    shape = (batch_size, *model_entry(model).image)
                    problem = (model, shape, Path(folder) / f"{model}.onnx")
                    exporter.prepare("export", *problem)
                    results = {}
                    for name, runner in runners.items():
                        enter = contest.attempt if name in RUNTIMES else contest.enter
                        results[name] = enter(name, runner, *problem)
                computed = {name: r for name, r in results.items() if r is not None}
                check_same(f"{model} batch {batch_size}", computed, TOLERANCE)
                speed = {name: batch_size / s for name, s in contest.medians().items()}
                for name, error in contest.failed.items():
                    about.setdefault("failed", {})[f"{model} {name}"] = error
                contest.clear()
                yield from rows(model, batch_size, threads, speed)
        for runner in runners.values():
            runner.close()
    exporter.close()


def rows(model: str, batch_size: int, threads: int, speed: dict[str, float]) -> Iterator[Row]:
    """What was measured, a row for each peer; null where it could not be."""
    best = max(LAYOUTS, key=lambda layout: speed[layout])
    for library in ("torch", *RUNTIMES):
        eager = library == "torch"
        peer = speed.get(best if eager else library)
        yield {
            "model": model,
            "direction": "infer",
            "library": library,
            "threads": threads,
            "batch_size": batch_size,
            "ours": speed["convolith"],
            "peer": peer,
            "peer_layout": best if eager else None,
            "peer_default_layout": speed["NCHW"] if eager else None,
            "unit": "images/s",
            "ratio": peer and speed["convolith"] / peer,
        }


COLUMNS = (
    ("", "{model} {direction}", "<24"),
    ("batch", "{batch_size}", ">8"),
    ("threads", "{threads}", ">8"),
    ("images/s", "{ours:,.1f}", ">12"),
    ("peer", "{peer:,.1f}", ">12"),
    ("ratio", "{ratio:.2f}", ">7"),
    ("library", "{library}", ">15"),
    ("layout", "{peer_layout}", ">15"),
)


def add_arguments(job: argparse.ArgumentParser) -> None:
    """The command line of this comparison."""
    from convolith.models import list_models

    zoo.add_models_argument(job, list_models())
    job.add_argument(
        "--batch-size", nargs="+", type=int, default=[1, 16], metavar="N", help="default 1 16"
    )
