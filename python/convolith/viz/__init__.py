"""Pictures; they need matplotlib, an extra: ``pip install "convolith[plot]"``.

`architecture` needs graphviz instead: ``pip install "convolith[graph]"``.
"""

from convolith.viz.activation_functions import activation_functions
from convolith.viz.architecture import architecture
from convolith.viz.confusion import confusion
from convolith.viz.curves import curves
from convolith.viz.filters import filter_bank
from convolith.viz.landscape import landscape, loss_landscape
from convolith.viz.layers import feature_maps, filters
from convolith.viz.mistakes import mistakes
from convolith.viz.training import gradient_flow, lr_curve

__all__ = [
    "activation_functions",
    "architecture",
    "confusion",
    "curves",
    "feature_maps",
    "filter_bank",
    "filters",
    "gradient_flow",
    "landscape",
    "loss_landscape",
    "lr_curve",
    "mistakes",
]
