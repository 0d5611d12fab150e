"""A network trained on ImageNet learns four new classes from a few crops of four photographs.

Get weights of MobileNetV2 as PyTorch writes them, ``pip install scikit-image pillow``, then run
``python examples/transfer.py mobilenet_v2.pth``. The photographs come with scikit-image. Training
sees crops of their left halves, the test crops of their right halves, so nothing is in both. All
but a new last layer is frozen; what the frozen part makes of the crops is computed once.
"""

from __future__ import annotations

import argparse

import numpy as np
from skimage import data as photographs

import convolith as cv
from convolith import nn, optim
from convolith.data import DataLoader, ImageNetTransform, TensorDataset
from convolith.models import get_model
from convolith.tensor import Tensor
from convolith.train import Trainer, extract_features
from convolith.weights import load_weights

PHOTOGRAPHS = {
    "cat": photographs.chelsea,
    "coffee": photographs.coffee,
    "rocket": photographs.rocket,
    "astronaut": photographs.astronaut,
}


def crops(half: int, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random squares of the left (0) or right (1) halves: images (N, 3, size, size), labels (N)."""
    generator = np.random.default_rng(half)
    transform = ImageNetTransform(size, size)
    images = []
    for photograph in PHOTOGRAPHS.values():
        pixels = photograph().transpose(2, 0, 1)
        middle = pixels.shape[2] // 2
        part = pixels[:, :, middle:] if half else pixels[:, :, :middle]
        for _ in range(count):
            side = int(generator.integers(120, 200))
            top = int(generator.integers(part.shape[1] - side))
            left = int(generator.integers(part.shape[2] - side))
            images.append(transform(part[:, top : top + side, left : left + side]))
    return np.stack(images), np.repeat(np.arange(len(PHOTOGRAPHS)), count)


def main(weights: str, size: int = 224, count: int = 24, epochs: int = 30) -> float:
    """Train the head, and return the accuracy on crops of what it has not seen."""
    cv.manual_seed(0)
    model = get_model("mobilenet_v2")
    load_weights(model, weights)
    head = nn.utils.replace_head(model, len(PHOTOGRAPHS))
    nn.utils.freeze(model)
    nn.utils.unfreeze(model, f"{head}.*")

    images, labels = crops(0, count, size)
    features = extract_features(model, images, progress=True)
    last = dict(model.named_modules())[head]
    trainer = Trainer(last, optim.Adam(last.parameters(), lr=0.01))
    trainer.fit(DataLoader(TensorDataset(features, labels), 16, shuffle=True), epochs=epochs)

    images, labels = crops(1, count, size)
    with nn.utils.evaluating(model), cv.no_grad():
        predicted = model(Tensor(images)).numpy().argmax(1)
    return float((predicted == labels).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", help="of MobileNetV2")
    parser.add_argument("--size", type=int, default=224, help="of the crops; default 224")
    parser.add_argument("--count", type=int, default=24, help="crops of each half; default 24")
    args = parser.parse_args()
    print(f"accuracy {main(args.weights, args.size, args.count):.2%}")
