"""Search for hyperparameters with Optuna: ``pip install "convolith[tune]"``, then run this file.

Each trial trains a small network on a part of the embedded digits; a callback tells Optuna how it
goes after every epoch, and Optuna ends the trials that fall behind.
"""

from __future__ import annotations

import sys
from typing import Any

import optuna

import convolith as cv
from convolith import nn, optim
from convolith.data import DataLoader, Normalize, TensorDataset, load_digits, random_split
from convolith.train import Callback, Trainer

EPOCHS = 4
IMAGES = 2000


class Report(Callback):
    """Tell Optuna the accuracy of every epoch, and stop where it says so."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        """Report."""
        self.trial.report(row["val_accuracy"], row["epoch"])
        if self.trial.should_prune():
            raise optuna.TrialPruned


def objective(trial: optuna.Trial) -> float:
    """Validation accuracy of one choice of width, learning rate, momentum and batch size."""
    width = trial.suggest_int("width", 16, 128, log=True)
    lr = trial.suggest_float("lr", 1e-3, 1.0, log=True)
    momentum = trial.suggest_float("momentum", 0.0, 0.95)
    batch_size = trial.suggest_categorical("batch_size", [16, 32, 64])

    cv.manual_seed(0)
    digits = load_digits()
    images = Normalize.fit(digits.train_images)(digits.train_images[:IMAGES])
    training, validation = random_split(
        TensorDataset(images, digits.train_labels[:IMAGES]), [0.8, 0.2]
    )
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, 10))
    optimizer = optim.SGD(model.parameters(), lr, momentum=momentum)
    trainer = Trainer(model, optimizer, callbacks=[Report(trial)])
    try:
        history = trainer.fit(
            DataLoader(training, batch_size, shuffle=True), DataLoader(validation, 400), EPOCHS
        )
    except ArithmeticError as error:  # the loss exploded: a result, and no failure
        raise optuna.TrialPruned from error
    return float(history[-1]["val_accuracy"])


def main(trials: int) -> optuna.Study:
    """Search, and return the study."""
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.optimize(objective, n_trials=trials)
    return study


if __name__ == "__main__":
    best = main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    print(f"validation accuracy {best.best_value:.2%} with {best.best_params}")
