"""``convolith eval`` and ``convolith predict``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import convolith
from convolith import metrics
from convolith.cli.common import command
from convolith.data import load_digit_image
from convolith.train import LAST, recipe
from convolith.train.options import options
from convolith.train.recipe import Score
from convolith.train.settings import Settings


def add(commands: Any) -> None:
    """Add the commands."""
    evaluate = command(
        commands,
        "eval",
        _eval,
        "measure a checkpoint on the test images",
        f"convolith eval runs/modern/{LAST} --data mnist",
    )
    evaluate.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    evaluate.add_argument("--data", metavar="DIR", help=options(Settings)["data"].metadata["help"])

    predict = command(
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


def print_score(score: Score, images: int) -> None:
    """Accuracy and confusion."""
    wrong = images - int(score.confusion.trace())
    print(
        f"\ntest accuracy {score.accuracy:.2%}, error {1 - score.accuracy:.2%} "
        f"({wrong:,} of {images:,} wrong)\n\n{metrics.format_confusion_matrix(score.confusion)}\n"
    )


def _eval(args: argparse.Namespace) -> int:
    model, normalize, info = recipe.load_classifier(args.checkpoint)
    dataset = Settings(**info["config"]["settings"]).dataset
    digits = recipe.load_data(args.data, dataset)
    print_score(recipe.score(model, normalize, digits), len(digits.test_labels))
    return 0


def _predict(args: argparse.Namespace) -> int:
    model, normalize, _ = recipe.load_classifier(args.checkpoint)
    if len(normalize.mean) != 1:
        raise ValueError(f"{args.checkpoint}: it reads pictures in colour, and no digits")
    image = load_digit_image(args.image)
    logits = recipe.predict(model, normalize(image[None, None]))
    probabilities = convolith.primitives.softmax_forward(logits)[0]
    print(f"digit {np.argmax(probabilities)}")
    for digit, probability in enumerate(probabilities.tolist()):
        print(f"{digit}  {probability:7.2%}  {'#' * round(40 * probability)}".rstrip())
    return 0
