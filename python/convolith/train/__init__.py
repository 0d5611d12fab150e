"""Training: the loop, its callbacks, checkpoints, and the main job of the command line."""

from convolith.train import callbacks
from convolith.train.callbacks import (
    AverageWeights,
    Callback,
    ClipGradients,
    CSVLogger,
    DeadReLU,
    EarlyStopping,
    GradientNorm,
    LRScheduler,
    ModelCheckpoint,
    Progress,
    TensorBoard,
    TerminateOnNaN,
)
from convolith.train.callbacks.writing import BEST, LAST
from convolith.train.checkpoint import load_checkpoint, save_checkpoint
from convolith.train.features import extract_features
from convolith.train.lr_finder import LRCurve, lr_find
from convolith.train.state import load_model
from convolith.train.trainer import Trainer

__all__ = [
    "BEST",
    "LAST",
    "AverageWeights",
    "CSVLogger",
    "Callback",
    "ClipGradients",
    "DeadReLU",
    "EarlyStopping",
    "GradientNorm",
    "LRCurve",
    "LRScheduler",
    "ModelCheckpoint",
    "Progress",
    "TensorBoard",
    "TerminateOnNaN",
    "Trainer",
    "callbacks",
    "extract_features",
    "load_checkpoint",
    "load_model",
    "lr_find",
    "save_checkpoint",
]
