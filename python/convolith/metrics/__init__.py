"""How good predictions are."""

from convolith.metrics.classification import (
    accuracy,
    confusion_matrix,
    format_confusion_matrix,
    top_k_accuracy,
)

__all__ = ["accuracy", "confusion_matrix", "format_confusion_matrix", "top_k_accuracy"]
