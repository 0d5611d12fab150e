"""Optimizers, schedules of learning rates and averages of weights, with PyTorch's names."""

from convolith.optim import lr_scheduler
from convolith.optim.adam import LAMB, Adam, Adamax, AdamW, NAdam
from convolith.optim.adaptive import Adadelta, Adagrad, RMSprop
from convolith.optim.averaging import EMA, SWA
from convolith.optim.optimizer import Optimizer
from convolith.optim.sgd import LARS, SGD

__all__ = [
    "EMA",
    "LAMB",
    "LARS",
    "SGD",
    "SWA",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "lr_scheduler",
]
