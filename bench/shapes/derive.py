"""Write the tables beside this file again: every distinct convolution of well-known networks.

Needs PyTorch and torchvision. Layers of the same shape are one line; `count` says how many there
are, `name` is the first of them.

Examples
--------
python bench/shapes/derive.py
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
COLUMNS = ["name", "N", "C", "H", "W", "K", "R", "S", "stride", "padding", "groups", "count"]

# Network: batch size, size of an image.
OURS = {
    "lenet5": (64, (1, 28, 28)),
    "resnet20": (128, (3, 32, 32)),
    "mobilenet_v1": (8, (3, 224, 224)),
}
TORCHVISION = {
    "alexnet": 8,
    "vgg16": 8,
    "googlenet": 8,
    "resnet18": 16,
    "resnet50": 8,
    "mobilenet_v2": 8,
    "efficientnet_b0": 8,
}


def convolutions(net: nn.Module, image: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Every convolution in order of use, as columns; N is left out."""
    rows = []
    names = {module: name for name, module in net.named_modules()}

    def note(layer: nn.Conv2d, inputs: tuple[torch.Tensor, ...]) -> None:
        (stride,), (padding,) = set(layer.stride), set(layer.padding)
        _, C, H, W = inputs[0].shape
        K, _, R, S = layer.weight.shape
        size = {"name": names[layer], "C": C, "H": H, "W": W, "K": K, "R": R, "S": S}
        rows.append({**size, "stride": stride, "padding": padding, "groups": layer.groups})

    for module in names:
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(note)
    with torch.no_grad():
        net.eval()(torch.zeros(1, *image))
    return rows


def merged(rows: list[dict[str, Any]], batch_size: int) -> list[dict[str, Any]]:
    """Rows of the same shape as one, counted."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        shape = tuple(value for column, value in row.items() if column != "name")
        found.setdefault(shape, {**row, "N": batch_size, "count": 0})["count"] += 1
    return list(found.values())


def write(network: str, rows: list[dict[str, Any]]) -> None:
    """One table."""
    with (HERE / f"{network}.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    """All tables."""
    import networks

    # Builds of torchvision without its compiled operators lack two that its import asks for.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for missing in ("nms", "qnms"):
        library.define(f"{missing}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    for network, (batch_size, image) in OURS.items():
        write(network, merged(convolutions(networks.build(network), image), batch_size))
    for network, batch_size in TORCHVISION.items():
        net = models.get_model(network, weights=None)
        write(network, merged(convolutions(net, (3, 224, 224)), batch_size))


if __name__ == "__main__":
    main()
