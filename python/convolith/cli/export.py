"""``convolith export``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from convolith import nn
from convolith._spelling import did_you_mean
from convolith.cli.common import command, positive_int
from convolith.models import get_model, list_models, model_entry
from convolith.train import LAST, recipe


def add(commands: Any) -> None:
    """Add the command."""
    parser = command(
        commands,
        "export",
        run,
        "write a network as an ONNX file",
        f"convolith export runs/modern/{LAST} digits.onnx",
    )
    parser.add_argument(
        "source",
        metavar="CHECKPOINT",
        help="of convolith train; or a network's name, such as resnet50: with new parameters then",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--opset", type=positive_int, default=17, metavar="N", help="default 17")
    parser.add_argument(
        "--fuse", action="store_true", help="join batch norms and activations to convolutions first"
    )


def run(args: argparse.Namespace) -> int:
    """Export, and say what the file takes."""
    from convolith.onnx.export import export

    model, image, words = _load(args.source)
    model = nn.fuse(model) if args.fuse else model
    export(model, np.zeros((1, *image), np.float32), args.file, opset=args.opset)
    print(f"{args.file}: takes images ({', '.join(map(str, ('batch', *image)))}){words}")
    return 0


def _load(source: str) -> tuple[nn.Module, tuple[int, ...], str]:
    """The network, the shape of its images, and what to know of them."""
    if Path(source).exists():
        model, normalize, info = recipe.load_classifier(source)
        words = f", their pixels from 0 to 1, less {normalize.mean}, divided by {normalize.std}"
        return model, recipe.image_shape(info), words
    if source not in list_models():
        raise ValueError(
            f"{source}: no such file, and no such network{did_you_mean(source, list_models())}"
        )
    return get_model(source), model_entry(source).image, ""
