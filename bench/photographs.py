"""What MobileNetV2 with torchvision's weights says of photographs, in float32 and in bfloat16.

Examples
--------
python bench/photographs.py --weights mobilenet_v2-b0353104.pth
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from measure import machine, write_json

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench/results/photographs.json"
TOP = 3


def photographs() -> dict[str, np.ndarray]:
    """Those of scikit-image and scikit-learn, (3, H, W) uint8 by name."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    found = {name: getattr(data, name)() for name in ("chelsea", "coffee", "rocket", "astronaut")}
    found |= dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    return {name: pixels.transpose(2, 0, 1) for name, pixels in found.items()}


def logits(model: Any, image: np.ndarray) -> np.ndarray:
    """Of one picture (classes)."""
    from convolith import Tensor, no_grad

    with no_grad():
        return np.asarray(model(Tensor(image[None])).numpy()[0])


def megabytes(model: Any) -> float:
    """Of the parameters, as they are kept: two bytes for each number in bfloat16."""
    from convolith.weights.stored import StoredParameter

    sizes = [
        (2 if isinstance(p, StoredParameter) else 4) * int(np.prod(p.shape))
        for p in model.parameters()
    ]
    return sum(sizes) / 1e6


def main() -> int:
    """Name, round, name again, learn other classes; and keep it."""
    from convolith import primitives, weights
    from convolith.train.classifier import pretrained

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", required=True, metavar="FILE", help="of torchvision")
    args = parser.parse_args()
    classifier = pretrained("mobilenet_v2", args.weights)
    images = {name: classifier.transform(pixels) for name, pixels in photographs().items()}
    exact = {name: logits(classifier.model, image) for name, image in images.items()}
    size = megabytes(classifier.model)
    rounded = weights.store_bfloat16(classifier.model)
    rows = []
    for name, image in images.items():
        share = primitives.softmax_forward(exact[name][None].astype(np.float64))[0]
        best = np.argsort(-share, kind="stable")[:TOP]
        changed = logits(rounded, image)
        row = {
            "name": name,
            "classes": [classifier.classes[i] for i in best],
            "probabilities": [float(share[i]) for i in best],
            "bfloat16_class": classifier.classes[int(changed.argmax())],
            "bfloat16_difference": float(np.abs(changed - exact[name]).max()),
        }
        rows.append(row)
        print(f"{name}: {row['classes'][0]} {share[best[0]]:.1%}")
    sys.path.insert(0, str(ROOT / "examples"))
    import transfer

    learnt = transfer.main(args.weights)
    about = {"parameters_mb": size, "bfloat16_mb": megabytes(rounded), "transfer_accuracy": learnt}
    write_json(RESULTS, {"rows": rows, **about, "machine": machine([2])})
    return 0


if __name__ == "__main__":
    sys.exit(main())
