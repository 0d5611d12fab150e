"""Weights trained elsewhere, read without what wrote them and without executing anything."""

from convolith.weights.keras import KerasLayer, read_keras
from convolith.weights.keras_load import load_keras
from convolith.weights.load import LoadReport, load_weights
from convolith.weights.read import read_weights
from convolith.weights.safetensor_files import save_weights
from convolith.weights.stored import store_bfloat16

__all__ = [
    "KerasLayer",
    "LoadReport",
    "load_keras",
    "load_weights",
    "read_keras",
    "read_weights",
    "save_weights",
    "store_bfloat16",
]
