"""Optimizers and learning rate schedules, with PyTorch's names and defaults."""

from convolith.optim import lr_scheduler
from convolith.optim.adam import Adam
from convolith.optim.optimizer import Optimizer
from convolith.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "lr_scheduler"]
