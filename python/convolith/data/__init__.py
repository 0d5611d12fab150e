"""Data: readers, downloads, data sets and parts of them, augmentation, loaders in seeded order."""

from convolith.data import augment
from convolith.data.augment import augmentation
from convolith.data.cifar import CIFAR10, CIFAR100
from convolith.data.dataset import ConcatDataset, Dataset, Normalize, Subset, TensorDataset
from convolith.data.folder import ImageFolder
from convolith.data.idx import read_idx
from convolith.data.image import load_digit_image, read_picture
from convolith.data.imagenet import ImageNetTransform, imagenet_classes
from convolith.data.loader import DataLoader, RandomShift
from convolith.data.mnist import MNIST, Digits, FashionMNIST, load_digits, load_mnist
from convolith.data.network import download
from convolith.data.split import one_hot, random_split, train_test_split
from convolith.data.statistics import mean_std

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Digits",
    "FashionMNIST",
    "ImageFolder",
    "ImageNetTransform",
    "Normalize",
    "RandomShift",
    "Subset",
    "TensorDataset",
    "augment",
    "augmentation",
    "download",
    "imagenet_classes",
    "load_digit_image",
    "load_digits",
    "load_mnist",
    "mean_std",
    "one_hot",
    "random_split",
    "read_idx",
    "read_picture",
    "train_test_split",
]
