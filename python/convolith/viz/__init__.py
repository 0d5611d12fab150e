"""Pictures; they need matplotlib, an extra: ``pip install "convolith[plot]"``."""

from convolith.viz.activation_functions import activation_functions
from convolith.viz.curves import curves

__all__ = ["activation_functions", "curves"]
