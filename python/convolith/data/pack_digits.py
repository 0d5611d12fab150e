"""Make the embedded digits anew: ``python -m convolith.data.pack_digits MNIST_DIR OUT_DIR``."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np

from convolith.data.idx import pack_idx
from convolith.data.mnist import FILES, load_mnist

TRAIN = slice(0, 10_000)
TEST = slice(0, None, 5)


def pack_digits(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Write the subset of the MNIST files in `source` to `target`: the same bytes every time.

    Parameters
    ----------
    source : path
        Directory of the four MNIST files.
    target : path
        Directory to write to; made if it is not there.
    """
    digits = load_mnist(source)
    arrays = (
        digits.train_images[TRAIN, 0],
        digits.train_labels[TRAIN].astype(np.uint8),
        digits.test_images[TEST, 0],
        digits.test_labels[TEST].astype(np.uint8),
    )
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(FILES, arrays, strict=True):
        # An empty name and no time: nothing of today gets into the file.
        with (
            (folder / f"{name}.gz").open("wb") as file,
            gzip.GzipFile("", "wb", 9, file, mtime=0) as packed,
        ):
            packed.write(pack_idx(array))


if __name__ == "__main__":
    pack_digits(*sys.argv[1:])
