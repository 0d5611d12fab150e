"""Data: IDX files, MNIST, datasets, normalisation, and loaders with a seeded order."""

from convolith.data.dataset import Dataset, Normalize, Subset, TensorDataset, random_split
from convolith.data.idx import read_idx
from convolith.data.image import load_digit_image
from convolith.data.loader import DataLoader, RandomShift
from convolith.data.mnist import Digits, load_digits, load_mnist

__all__ = [
    "DataLoader",
    "Dataset",
    "Digits",
    "Normalize",
    "RandomShift",
    "Subset",
    "TensorDataset",
    "load_digit_image",
    "load_digits",
    "load_mnist",
    "random_split",
    "read_idx",
]
