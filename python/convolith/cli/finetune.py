"""``convolith finetune``."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import convolith
from convolith.cli.common import (
    INTERRUPTED,
    add_model_option,
    command,
    complain,
    joined,
    positive_int,
    typed,
)
from convolith.train import BEST, LAST, finetune
from convolith.train.checkpoint import load_checkpoint
from convolith.train.files import writable_directory, write_atomically
from convolith.train.finetune import Job, Settings
from convolith.train.options import POSITIVE, SHARE, integer

_DEFAULTS = {f.name: f.default for f in fields(Settings) if f.default is not MISSING}


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(
        commands,
        "finetune",
        run,
        "teach a trained network the classes of a folder of pictures",
        "convolith finetune --weights mobilenet_v2.pth --data pictures --out runs/mine",
    )
    parser.add_argument(
        "--weights",
        required=True,
        metavar="FILE",
        help="weights to start from: safetensors, or a state dict that PyTorch wrote",
    )
    parser.add_argument(
        "--data", required=True, metavar="DIR", help="a folder of pictures for each class in it"
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help=f"the network that the weights are for; default {_DEFAULTS['model']}",
    )
    add_model_option(parser)
    parser.add_argument(
        "--freeze",
        nargs="*",
        metavar="PATTERN",
        help="parameters that stay as they are, such as 'features.*'; without a pattern none do; "
        "default: all but the new head",
    )
    for name, kind, what in (
        ("epochs", positive_int, ""),
        ("batch-size", positive_int, ""),
        ("lr", typed(POSITIVE), "learning rate of what was trained before"),
        ("head-lr", typed(POSITIVE), "learning rate of the new head"),
        ("validation", typed(SHARE), "part of the pictures that is set aside, of each class"),
        ("seed", typed(integer(0, 2**64)), ""),
    ):
        default = _DEFAULTS[name.replace("-", "_")]
        text = f"{what}; default {default}".removeprefix("; ")
        parser.add_argument(f"--{name}", type=kind, metavar="N", help=text)
    parser.add_argument(
        "--size", type=positive_int, metavar="N", help="of the images; default: as published"
    )
    parser.add_argument(
        "--augment", action="store_true", help="train on random parts and mirror images"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="output folder; default runs/finetune-MODEL-DATE-TIME"
    )


def run(args: argparse.Namespace) -> int:
    """Train, and write what came of it."""
    given: dict[str, Any] = {f.name: getattr(args, f.name, None) for f in fields(Settings)}
    given["model_options"] = joined(args.model_option)
    given = {name: value for name, value in given.items() if value is not None}
    if "freeze" in given:
        given["freeze"] = tuple(given["freeze"])
    settings = Settings(**given)
    name = time.strftime(f"finetune-{settings.model}-%Y%m%d-%H%M%S")
    folder = writable_directory(Path("runs", name) if args.out is None else args.out)
    start = time.perf_counter()
    return _train(finetune.prepare(settings, folder, progress=True), folder, start)


def _train(job: Job, folder: Path, start: float) -> int:
    trainer, classes = job.trainer, job.classifier.classes
    parameters = [(p.numpy().size, p.requires_grad) for p in trainer.model.parameters()]
    counts = sum(n for n, _ in parameters), sum(n for n, learns in parameters if learns)
    print(
        f"{len(job.training.dataset):,} pictures of {len(classes)} classes to train, "
        f"{len(job.validation.dataset):,} to validate; {counts[1]:,} of {counts[0]:,} parameters "
        f"learn, {job.settings.epochs} epochs on {convolith.get_num_threads()} threads, "
        f"output in {folder}",
        flush=True,
    )
    write_atomically(folder / "classes.txt", "".join(f"{name}\n" for name in classes).encode())
    try:
        job.run()
    except KeyboardInterrupt:
        complain(_interrupted(folder / LAST, job.settings.epochs))
        return INTERRUPTED
    last = trainer.history[-1]
    result = {
        "val_accuracy": last["val_accuracy"],
        "val_loss": last["val_loss"],
        "seconds": time.perf_counter() - start,
        "classes": classes,
        "parameters": counts[0],
        "learning_parameters": counts[1],
        "version": convolith.__version__,
        **asdict(job.settings),
    }
    write_atomically(folder / "result.json", (json.dumps(result, indent=2) + "\n").encode())
    print(f"validation accuracy {last['val_accuracy']:.2%}, {result['seconds']:.1f} s")
    print(f"written to {folder}: {BEST}, {LAST}, classes.txt, history.csv, result.json")
    print(f"use it: convolith predict {folder / LAST} IMAGE")
    return 0


def _interrupted(checkpoint: Path, epochs: int) -> str:
    if not checkpoint.exists():
        return "interrupted in the first epoch: there is no checkpoint yet"
    done = len(load_checkpoint(checkpoint)[1]["history"])
    return (
        f"interrupted after {done} of {epochs} epochs; "
        f"what it has learnt: convolith predict {checkpoint} IMAGE"
    )
