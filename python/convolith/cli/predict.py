"""``convolith predict``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np

import convolith
from convolith import viz
from convolith.cli.common import add_model_option, command, joined, positive_int
from convolith.data import load_digit_image
from convolith.data.imagenet import Interpolation
from convolith.train import LAST, recipe
from convolith.train.checkpoint import load_checkpoint
from convolith.train.classifier import CONFIG, Classifier, load_classifier, pretrained

_TOP = 5
_PICTURES = ("top", "json", "cam", "occlusion")  # options that digits do not have
# Options that go with --weights.
_FOREIGN = ("model", "model_option", "classes", "size", "interpolation")


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(
        commands,
        "predict",
        run,
        "name what is on pictures, or read the digit in one",
        f"convolith predict --model mobilenet_v2 --weights mobilenet_v2.pth cat.jpg, "
        f"or convolith predict runs/modern/{LAST} seven.png",
    )
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="without --weights first a CHECKPOINT of train or finetune; then each IMAGE: "
        "any size, grey or colour, of digits dark on light or light on dark",
    )
    parser.add_argument("--model", metavar="NAME", help="of the network: see convolith models")
    add_model_option(parser)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="its weights: safetensors, or a state dict that PyTorch wrote",
    )
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="names of the classes, one a line; default: those of ImageNet",
    )
    parser.add_argument(
        "--size", type=positive_int, metavar="N", help="of the images; default: as published"
    )
    parser.add_argument(
        "--interpolation",
        choices=get_args(Interpolation),
        help="how pictures are scaled; default bilinear",
    )
    parser.add_argument(
        "--top", type=positive_int, metavar="N", help=f"classes to name; default {_TOP}"
    )
    parser.add_argument(
        "--json", action="store_true", default=None, help="print as JSON, with class numbers"
    )
    for name, what in (("cam", "class activation"), ("occlusion", "occlusion sensitivity")):
        parser.add_argument(
            f"--{name}",
            type=Path,
            metavar="FILE.png",
            help=f"draw the map of {what} of the first class over the picture; of several pictures "
            "each has its name in that of the file: FILE-cat.png",
        )


def run(args: argparse.Namespace) -> int:
    """Print classes and their probabilities, and draw what is asked for."""
    checkpoint, images = None, args.files
    if args.weights is None:
        checkpoint, *images = args.files
        _refuse(args, _FOREIGN, "go with --weights")
        if not images:
            args.usage_error("the following arguments are required: IMAGE")
    elif args.model is None:
        args.usage_error("--weights are those of a network: --model says which")
    if checkpoint is None:
        _name(args, _pretrained(args), images)
    elif CONFIG in load_checkpoint(checkpoint)[1].get("config", {}):
        _name(args, load_classifier(checkpoint), images)
    else:
        _refuse(args, _PICTURES, "are not for a checkpoint that reads digits")
        if len(images) > 1:
            args.usage_error(f"{checkpoint} reads one digit at a time")
        _read_digit(checkpoint, images[0])
    return 0


def _pretrained(args: argparse.Namespace) -> Classifier:
    names = None if args.classes is None else args.classes.read_text("utf-8").splitlines()
    return pretrained(
        args.model,
        args.weights,
        names,
        args.size,
        args.interpolation or "bilinear",
        **joined(args.model_option),
    )


def _refuse(args: argparse.Namespace, options: tuple[str, ...], why: str) -> None:
    """Wrong usage, if one of these is given."""
    given = [name for name in options if getattr(args, name) is not None]
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        args.usage_error(f"{named}: such options {why}")


def _name(args: argparse.Namespace, classifier: Classifier, images: list[Path]) -> None:
    """What is on each of `images`."""
    drawn = {kind: list(_files(getattr(args, kind), images)) for kind in ("cam", "occlusion")}
    rows = []
    for number, path in enumerate(images):
        crop = classifier.transform.crop(path)
        image = classifier.transform.normalize(crop)
        probabilities = classifier.probabilities(image)
        best = np.argsort(-probabilities, kind="stable")[: args.top or _TOP].tolist()
        rows.append(
            {
                "file": str(path),
                "classes": [
                    {"index": i, "name": classifier.classes[i], "probability": probabilities[i]}
                    for i in best
                ],
            }
        )
        if not args.json:
            print(_table(rows[-1]), flush=True)
        title = f"{classifier.classes[best[0]]} {probabilities[best[0]]:.1%}"
        if drawn["cam"]:
            heat = viz.class_activation(classifier.model, image, best[0])
            viz.overlay(crop, heat, title, drawn["cam"][number])
        if drawn["occlusion"]:
            window = max(1, classifier.transform.size // 7)  # 32 of 224
            stride = max(1, window // 2)
            heat = viz.occlusion(classifier.model, image, best[0], window, stride, progress=True)
            viz.overlay(crop, heat, title, drawn["occlusion"][number])
    if args.json:
        print(json.dumps(rows, indent=2))


def _table(row: dict[str, Any]) -> str:
    width = max(len(entry["name"]) for entry in row["classes"])
    lines = [row["file"]]
    for entry in row["classes"]:
        bar = "#" * round(40 * entry["probability"])
        lines.append(f"  {entry['name']:{width}}  {entry['probability']:7.2%}  {bar}".rstrip())
    return "\n".join(lines)


def _files(pattern: Path | None, images: list[Path]) -> Iterator[Path]:
    """Where the map of each picture goes; nowhere without a pattern."""
    if pattern is None:
        return
    if len(images) == 1:
        yield pattern
        return
    stems = [image.stem for image in images]
    for stem in stems:
        if stems.count(stem) > 1:
            raise ValueError(f"two pictures are named {stem}, and their maps would be one file")
        yield pattern.with_name(f"{pattern.stem}-{stem}{pattern.suffix}")


def _read_digit(checkpoint: Path, path: Path) -> None:
    model, normalize, _ = recipe.load_classifier(checkpoint)
    if len(normalize.mean) != 1:
        raise ValueError(f"{checkpoint}: it reads pictures in colour, and no digits")
    image = load_digit_image(path)
    logits = recipe.predict(model, normalize(image[None, None]))
    probabilities = convolith.primitives.softmax_forward(logits)[0]
    print(f"digit {np.argmax(probabilities)}")
    for digit, probability in enumerate(probabilities.tolist()):
        print(f"{digit}  {probability:7.2%}  {'#' * round(40 * probability)}".rstrip())
