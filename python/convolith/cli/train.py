"""``convolith train``."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import Field, asdict, fields, replace
from pathlib import Path
from typing import Any

import convolith
from convolith.cli.common import INTERRUPTED, command, complain, joined, typed
from convolith.cli.evaluate import print_score
from convolith.models import summary
from convolith.train import BEST, LAST, build, recipe
from convolith.train.checkpoint import load_checkpoint
from convolith.train.files import writable_directory, write_atomically
from convolith.train.options import TABLE, TEXT, options, read_toml, write_toml
from convolith.train.recipe import Score
from convolith.train.settings import Execution, Settings
from convolith.viz import curves

_OPTIONS = options(Settings, Execution)


def add(commands: Any) -> None:
    """Add the command: an argument for each option."""
    parser = command(
        commands,
        "train",
        run,
        "train a network and write checkpoints, history, result and curves",
        "convolith train --activation relu --pool max --out runs/modern",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="options in TOML, by their names below with _ for -; the command line goes before it",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print all options as TOML, and end"
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="CHECKPOINT",
        help=f"go on with an interrupted run, given its folder or {LAST}; writes to that folder",
    )
    for name, field in _OPTIONS.items():
        _add_option(parser, name, field)


def _add_option(parser: Any, name: str, field: Field[Any]) -> None:
    kind = field.metadata["kind"]
    form: dict[str, Any] = {"type": typed(kind), "metavar": "N,N" if list in kind.types else "N"}
    if kind.choices:
        form = {"choices": kind.choices}
    elif kind is TABLE:
        form = {"type": typed(kind), "nargs": "+", "metavar": "NAME=VALUE"}
    elif kind is TEXT:
        form = {"metavar": "DIR"}
    # Suppressed, so that what was not given can be told from what was.
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        default=argparse.SUPPRESS,
        help=field.metadata["help"].replace("%", "%%"),
        **form,
    )


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the command line."""
    given = {name: getattr(args, name) for name in _OPTIONS if hasattr(args, name)}
    for name, value in given.items():
        if _OPTIONS[name].metadata["kind"] is TABLE:
            given[name] = joined(value)
    return given


def run(args: argparse.Namespace) -> int:
    """Train, test, and write what came of it; or print the options."""
    given = _given(args)
    settings, source = Settings(), None
    if args.resume is not None:
        _refuse_other_settings(args, given)
        source = args.resume / LAST if args.resume.is_dir() else args.resume
        settings = recipe.load_settings(source)
    elif args.config is not None:
        given = {**read_toml(args.config, _OPTIONS), **given}
    if given.get("data") is not None:
        given["data"] = str(Path(given["data"]).resolve())
    execution = Execution(**{f.name: given.pop(f.name, None) for f in fields(Execution)})
    settings = replace(settings, **given)
    if args.print_config:
        print(write_toml({**asdict(build.resolved(settings)), **asdict(execution)}, _OPTIONS))
        return 0
    if source is not None:
        folder = source.parent
    else:
        name = time.strftime(f"{settings.model}-%Y%m%d-%H%M%S")
        folder = Path("runs", name) if execution.out is None else Path(execution.out)
    writable_directory(folder)
    job = recipe.prepare(settings, folder, progress=True, workers=execution.workers)
    if source is not None:
        job.trainer.resume(source)
    return _train(job, folder)


def _refuse_other_settings(args: argparse.Namespace, given: dict[str, Any]) -> None:
    """Wrong usage, if more than the place of the data is given along with --resume."""
    clash = given.keys() - {"data", "workers"} | ({"config"} if args.config is not None else set())
    if clash:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(clash))
        args.usage_error(
            f"--resume keeps the settings and the folder of its run: leave out {named}"
        )


def _train(job: recipe.Job, folder: Path) -> int:
    trainer, images = job.trainer, job.digits.train_images
    print(summary(trainer.model, (1, *images.shape[1:])))
    print(
        f"\n{len(job.train_loader.dataset):,} images to train, "
        f"{len(job.val_loader.dataset):,} to validate, {len(job.digits.test_labels):,} to test; "
        f"{job.settings.epochs} epochs on {convolith.get_num_threads()} threads, "
        f"output in {folder}",
        flush=True,
    )
    try:
        job.run()
    except KeyboardInterrupt:
        complain(_interrupted(folder / LAST, job.settings.epochs))
        return INTERRUPTED

    score = recipe.score(trainer.model.eval(), job.normalize, job.digits)
    print_score(score, len(job.digits.test_labels))
    result = _result(trainer.history, score, job.settings)
    result["parameters"] = sum(p.numpy().size for p in trainer.model.parameters())
    print(f"{result['seconds']:.1f} s, {result['images_per_second']:,.0f} images/s")
    write_atomically(folder / "result.json", (json.dumps(result, indent=2) + "\n").encode())
    print(f"written to {folder}: {BEST}, {LAST}, history.csv, result.json", end="")
    try:
        curves(trainer.history, folder / "curves.png")
        print(", curves.png")
    except ImportError as error:
        print(f"\n{error}")
    return 0


def _result(history: list[dict[str, Any]], score: Score, settings: Settings) -> dict[str, Any]:
    seconds = sum(row["seconds"] for row in history)
    images = sum(row["seconds"] * row["images_per_second"] for row in history)
    return {
        "test_accuracy": score.accuracy,
        "test_error": 1 - score.accuracy,
        "seconds": seconds,
        "images_per_second": images / seconds,
        "version": convolith.__version__,
        "threads": convolith.get_num_threads(),
        **asdict(settings),
    }


def _interrupted(checkpoint: Path, epochs: int) -> str:
    """What there is to resume: as the checkpoint has it, whenever Ctrl-C came."""
    if not checkpoint.exists():
        return "interrupted in the first epoch: there is nothing to resume yet"
    done = len(load_checkpoint(checkpoint)[1]["history"])
    return (
        f"interrupted after {done} of {epochs} epochs; "
        f"go on with: convolith train --resume {checkpoint}"
    )
