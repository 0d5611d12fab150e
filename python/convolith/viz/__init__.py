"""Pictures; they need matplotlib, an extra: ``pip install "convolith[plot]"``."""

from convolith.viz.curves import curves

__all__ = ["curves"]
