"""The command ``convolith``: train, eval, predict, info.

Exit status: 0, 1 for a failure (one sentence on standard error), 2 for wrong usage, 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import convolith
from convolith import metrics
from convolith.data import load_digit_image
from convolith.device import DEVICES
from convolith.models import summary
from convolith.train import BEST, LAST, recipe
from convolith.train.checkpoint import load_checkpoint
from convolith.train.files import writable_directory, write_atomically
from convolith.train.recipe import Score, Settings
from convolith.train.trainer import PRECISIONS
from convolith.viz import curves

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process if not given.

    Returns
    -------
    int
        The exit status.
    """
    args = _parser().parse_args(argv)
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        if args.debug:
            raise
        _complain(_sentence(error))
        return 1
    return status


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _complain(sentence: str) -> None:
    print(f"convolith: {sentence}", file=sys.stderr)


# Arguments


def _at_least(least: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{value} is not at least {least}")
        return value

    return integer


_positive_int = _at_least(1)


def _positive_float(text: str) -> float:
    if not 0 < (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def _seed(text: str) -> int:
    if not 0 <= (value := int(text)) < 2**64:
        raise argparse.ArgumentTypeError(f"{value} is not in 0 ... 2**64 - 1")
    return value


# argparse says "invalid NAME value"; these are the names.
_seed.__name__ = "integer"
_positive_float.__name__ = "number"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convolith", description="Train LeNet-5 on handwritten digits, and use the result."
    )
    version = f"convolith {convolith.__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = _command(
        commands,
        "train",
        _train,
        "train LeNet-5 and write checkpoints, history, result and curves",
        "convolith train --activation relu --pool max --out runs/modern",
    )
    usual, rates = Settings(), recipe.LEARNING_RATES
    unset = argparse.SUPPRESS  # so that --resume can tell what was given
    train.add_argument(
        "--activation", choices=("tanh", "relu"), default=unset, help=f"default {usual.activation}"
    )
    train.add_argument(
        "--pool", choices=("avg", "max"), default=unset, help=f"default {usual.pool}"
    )
    _add_data(train)
    train.add_argument(
        "--epochs", type=_positive_int, default=unset, metavar="N", help=f"default {usual.epochs}"
    )
    train.add_argument(
        "--batch-size",
        type=_positive_int,
        default=unset,
        metavar="N",
        help=f"default {usual.batch_size}",
    )
    train.add_argument(
        "--optimizer",
        choices=tuple(rates),
        default=unset,
        help=f"sgd with momentum 0.9 and weight decay {recipe.WEIGHT_DECAY}; "
        f"default {usual.optimizer}",
    )
    train.add_argument(
        "--lr",
        type=_positive_float,
        default=unset,
        help="learning rate at the start, lowered along a cosine; default "
        + ", ".join(f"{rate} for {name}" for name, rate in rates.items()),
    )
    train.add_argument(
        "--seed", type=_seed, default=unset, metavar="N", help=f"default {usual.seed}"
    )
    train.add_argument(
        "--device",
        choices=DEVICES,
        default=unset,
        help="emu: the CUDA kernels, emulated on the CPU, which is slow; default cpu",
    )
    train.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=unset,
        help="what convolutions and linear layers compute in: float16 and bfloat16 need a device, "
        f"parameters are float32; default {usual.precision}",
    )
    train.add_argument(
        "--workers",
        type=_at_least(0),
        metavar="N",
        help=f"threads that prepare batches; default 0 on the CPU, {recipe.WORKERS} for a device",
    )
    train.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="output folder; default runs/lenet5-DATE-TIME",
    )
    train.add_argument(
        "--resume",
        type=Path,
        metavar="CHECKPOINT",
        help=f"go on with an interrupted run, given its folder or {LAST}; writes to that folder",
    )

    evaluate = _command(
        commands,
        "eval",
        _eval,
        "measure a checkpoint on the test images",
        f"convolith eval runs/modern/{LAST} --data mnist",
    )
    evaluate.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    _add_data(evaluate)

    predict = _command(
        commands,
        "predict",
        _predict,
        "read the digit in a picture",
        f"convolith predict runs/modern/{LAST} seven.png",
    )
    predict.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    predict.add_argument(
        "image",
        type=Path,
        metavar="IMAGE",
        help="any size, grey or colour, dark on light or light on dark",
    )

    count = _command(
        commands,
        "profile",
        _profile,
        "count what the CUDA kernels of a primitive ask of memory, without a GPU",
        "convolith profile conv2d_forward --shape 1,16,14,14 --weight 32,16,3,3 --padding 1",
    )
    count.add_argument("primitive", metavar="PRIMITIVE", help="conv2d_forward, relu_backward, ...")
    count.add_argument("--shape", type=_ints, required=True, metavar="N,C,H,W", help="of the input")
    count.add_argument(
        "--weight", type=_ints, default=(), metavar="K,C,R,S", help="of filters, or O,I"
    )
    count.add_argument("--kernel-size", type=_pair, default=(2, 2), metavar="R[,S]")
    count.add_argument("--stride", type=_pair, default=(1, 1), metavar="N[,N]")
    count.add_argument("--padding", type=_pair, default=(0, 0), metavar="N[,N]")
    count.add_argument("--groups", type=_positive_int, default=1, metavar="N")
    count.add_argument(
        "--algo", default="auto", help="auto, direct, depthwise, tensor_core, mma or wgmma"
    )
    count.add_argument("--device", choices=("emu",), default="emu", help="default emu")
    count.add_argument("--json", type=Path, metavar="FILE", help="write the counts there, too")

    _command(commands, "info", _info, "show what this installation is", "convolith info")
    return parser


def _command(commands: Any, name: str, run: Any, purpose: str, example: str) -> Any:
    parser = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"example: {example}",
    )
    parser.add_argument("--threads", type=_positive_int, metavar="N", help="default: all CPUs")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run, usage_error=parser.error)
    return parser


def _ints(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of integers such as 1,3,8,8"
        ) from None
    if min(values) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} has a negative number")
    return values


def _pair(text: str) -> tuple[int, int]:
    values = _ints(text)
    if len(values) > 2:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor a pair")
    return values[0], values[-1]


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="folder of the four MNIST files, gzipped or not; default: the embedded "
        "10,000 training and 2,000 test images",
    )


def _set_threads(args: argparse.Namespace) -> None:
    if args.threads is not None:
        convolith.set_num_threads(args.threads)


# Commands


def _train(args: argparse.Namespace) -> int:
    _set_threads(args)
    given = {f.name: getattr(args, f.name) for f in fields(Settings) if hasattr(args, f.name)}
    if given.get("data") is not None:
        given["data"] = str(Path(given["data"]).resolve())
    settings, source = Settings(**given), None
    if args.resume is not None:
        if clash := sorted((given.keys() - {"data"}) | ({"out"} if args.out else set())):
            options = ", ".join(f"--{name.replace('_', '-')}" for name in clash)
            args.usage_error(
                f"--resume keeps the settings and the folder of its run: leave out {options}"
            )
        source = args.resume / LAST if args.resume.is_dir() else args.resume
        _, _, info = recipe.load_classifier(source)
        settings = replace(Settings(**info["config"]["settings"]), **given)
        folder = source.parent
    else:
        folder = args.out or Path("runs", time.strftime("lenet5-%Y%m%d-%H%M%S"))
    writable_directory(folder)

    job = recipe.prepare(settings, folder, progress=True, workers=args.workers)
    trainer = job.trainer
    if source is not None:
        trainer.resume(source)
    print(summary(trainer.model, (1, *job.digits.train_images.shape[1:])))
    print(
        f"\n{len(job.train_loader.dataset):,} images to train, "
        f"{len(job.val_loader.dataset):,} to validate, {len(job.digits.test_labels):,} to test; "
        f"{settings.epochs} epochs on {convolith.get_num_threads()} threads, output in {folder}",
        flush=True,
    )
    try:
        job.run()
    except KeyboardInterrupt:
        _complain(_interrupted(folder / LAST, settings.epochs))
        return INTERRUPTED

    score = recipe.score(trainer.model.eval(), job.normalize, job.digits)
    _print_score(score, len(job.digits.test_labels))
    result = _result(trainer.history, score, job.settings)
    result["parameters"] = sum(p.numpy().size for p in trainer.model.parameters())
    print(f"{result['seconds']:.1f} s, {result['images_per_second']:,.0f} images/s")
    _write(folder, trainer.history, result)
    print(f"written to {folder}: {BEST}, {LAST}, history.csv, result.json", end="")
    try:
        curves(trainer.history, folder / "curves.png")
        print(", curves.png")
    except ImportError as error:
        print(f"\n{error}")
    return 0


def _profile(args: argparse.Namespace) -> int:
    from convolith.profile import Options, profile, report

    _set_threads(args)
    options = Options(**{f.name: getattr(args, f.name) for f in fields(Options)})
    counts = profile(args.primitive, options)
    print(report(counts))
    if args.json is not None:
        result = {"primitive": args.primitive, "options": asdict(options), **counts}
        write_atomically(args.json, (json.dumps(result, indent=2) + "\n").encode())
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


def _write(folder: Path, history: list[dict[str, Any]], result: dict[str, Any]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_atomically(folder / "history.csv", text.getvalue().encode())
    write_atomically(folder / "result.json", (json.dumps(result, indent=2) + "\n").encode())


def _interrupted(checkpoint: Path, epochs: int) -> str:
    """What there is to resume: as the checkpoint has it, whenever Ctrl-C came."""
    if not checkpoint.exists():
        return "interrupted in the first epoch: there is nothing to resume yet"
    done = len(load_checkpoint(checkpoint)[1]["history"])
    return (
        f"interrupted after {done} of {epochs} epochs; "
        f"go on with: convolith train --resume {checkpoint}"
    )


def _print_score(score: Score, images: int) -> None:
    wrong = images - int(score.confusion.trace())
    print(
        f"\ntest accuracy {score.accuracy:.2%}, error {1 - score.accuracy:.2%} "
        f"({wrong:,} of {images:,} wrong)\n\n{metrics.format_confusion_matrix(score.confusion)}\n"
    )


def _eval(args: argparse.Namespace) -> int:
    _set_threads(args)
    model, normalize, _ = recipe.load_classifier(args.checkpoint)
    digits = recipe.load_data(getattr(args, "data", None))
    _print_score(recipe.score(model, normalize, digits), len(digits.test_labels))
    return 0


def _predict(args: argparse.Namespace) -> int:
    _set_threads(args)
    model, normalize, _ = recipe.load_classifier(args.checkpoint)
    image = load_digit_image(args.image)
    logits = recipe.predict(model, normalize(image[None, None]))
    probabilities = convolith.primitives.softmax_forward(logits)[0]
    print(f"digit {np.argmax(probabilities)}")
    for digit, probability in enumerate(probabilities.tolist()):
        print(f"{digit}  {probability:7.2%}  {'#' * round(40 * probability)}".rstrip())
    return 0


def _info(args: argparse.Namespace) -> int:
    _set_threads(args)
    convolith.show_config()
    return 0
