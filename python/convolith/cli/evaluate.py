"""``convolith eval``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from convolith import metrics
from convolith.cli.common import command
from convolith.train import LAST, recipe
from convolith.train.options import options
from convolith.train.recipe import Score
from convolith.train.settings import Settings


def add(commands: Any) -> None:
    """Add the command."""
    evaluate = command(
        commands,
        "eval",
        _eval,
        "measure a checkpoint on the test images",
        f"convolith eval runs/modern/{LAST} --data mnist",
    )
    evaluate.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    evaluate.add_argument("--data", metavar="DIR", help=options(Settings)["data"].metadata["help"])


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
