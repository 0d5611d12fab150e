"""Training: the loop, checkpoints, and the main job of the command line."""

from convolith.train.checkpoint import load_checkpoint, save_checkpoint
from convolith.train.trainer import BEST, LAST, Trainer, load_model

__all__ = ["BEST", "LAST", "Trainer", "load_checkpoint", "load_model", "save_checkpoint"]
