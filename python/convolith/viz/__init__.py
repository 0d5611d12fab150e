"""Pictures; they need matplotlib, an extra: ``pip install "convolith[plot]"``."""

from convolith.viz.curves import curves
from convolith.viz.filters import filter_bank

__all__ = ["curves", "filter_bank"]
