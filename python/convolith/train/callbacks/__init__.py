"""What may happen along with training, each a small class."""

from convolith.train.callbacks.base import Callback, Totals
from convolith.train.callbacks.gradients import DeadReLU, GradientNorm
from convolith.train.callbacks.progress import Progress
from convolith.train.callbacks.schedule import LRScheduler
from convolith.train.callbacks.stopping import EarlyStopping, TerminateOnNaN
from convolith.train.callbacks.weights import AverageWeights, ClipGradients
from convolith.train.callbacks.writing import CSVLogger, ModelCheckpoint, TensorBoard

__all__ = [
    "AverageWeights",
    "CSVLogger",
    "Callback",
    "ClipGradients",
    "DeadReLU",
    "EarlyStopping",
    "GradientNorm",
    "LRScheduler",
    "ModelCheckpoint",
    "Progress",
    "TensorBoard",
    "TerminateOnNaN",
    "Totals",
]
