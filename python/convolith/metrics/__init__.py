"""How good predictions are."""

from convolith.metrics.classification import (
    accuracy,
    confusion_matrix,
    format_confusion_matrix,
    top_k_accuracy,
)
from convolith.metrics.report import classification_report
from convolith.metrics.scores import (
    UndefinedMetricWarning,
    f_score,
    precision,
    recall,
    specificity,
)

__all__ = [
    "UndefinedMetricWarning",
    "accuracy",
    "classification_report",
    "confusion_matrix",
    "f_score",
    "format_confusion_matrix",
    "precision",
    "recall",
    "specificity",
    "top_k_accuracy",
]
