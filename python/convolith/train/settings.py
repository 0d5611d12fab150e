"""What a run of `convolith train` is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convolith import nn, optim
from convolith.data.augment.recipes import AUGMENTATIONS as PIPELINES
from convolith.device import DEVICES, Device
from convolith.models import registry
from convolith.models.choices import ACTIVATIONS
from convolith.optim import lr_scheduler
from convolith.train import options
from convolith.train.options import choice, integer, option
from convolith.train.trainer import PRECISIONS, Precision

WITH_OWN_OPTIONS = ("lenet5", "mlp", "cnn", "perceptron")
OF_CIFAR = tuple(
    name
    for name, entry in registry.MODELS.items()
    if entry.image == (3, 32, 32) and name not in WITH_OWN_OPTIONS
)
MODELS = (*WITH_OWN_OPTIONS, *OF_CIFAR)

# Whatever there is can be chosen, but schedules that take functions or other schedules.
OPTIMIZERS: dict[str, Any] = {
    name.lower(): kind
    for name, kind in vars(optim).items()
    if isinstance(kind, type) and issubclass(kind, optim.Optimizer) and kind is not optim.Optimizer
}
_NO_SCHEDULES = ("ChainedScheduler", "LambdaLR", "LRScheduler", "SequentialLR")
SCHEDULES: dict[str, Any] = {
    name: kind
    for name, kind in vars(lr_scheduler).items()
    if hasattr(kind, "step") and name not in (*_NO_SCHEDULES, "Optimizer")
}
# Losses of logits, and what their target is where it is not the class; None: class indices.
LOSS_TARGETS = {
    "BCEWithLogitsLoss": 0.0,
    "CrossEntropyLoss": None,
    "HingeLoss": -1.0,
    "HuberLoss": 0.0,
    "L1Loss": 0.0,
    "MSELoss": 0.0,
    "MultiMarginLoss": None,
    "RMSELoss": 0.0,
    "SmoothL1Loss": 0.0,
}
LOSSES: dict[str, Any] = {name: kind for name, kind in vars(nn).items() if name in LOSS_TARGETS}
DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
AUGMENTATIONS = ("shift", *PIPELINES)

LEARNING_RATES = {"sgd": 0.05, "adam": 0.002}
WEIGHT_DECAY = 5e-4
OPTIMIZER_OPTIONS = {"sgd": {"momentum": 0.9, "weight_decay": WEIGHT_DECAY}}

_RATES = ", ".join(f"{rate} for {name}" for name, rate in LEARNING_RATES.items())


@dataclass(frozen=True)
class Settings:
    """What decides the result of a run, to the bit; each help text says what it is."""

    model: str = option("lenet5", choice(MODELS), "the network; default lenet5")
    model_options: dict[str, Any] = option(
        {}, options.TABLE, f"of {', '.join(OF_CIFAR)}: what their functions take"
    )
    activation: str | None = option(
        None, choice(ACTIVATIONS), "default tanh for lenet5, relu for others"
    )
    pool: str = option("avg", choice(("avg", "max")), "of lenet5; default avg")
    widths: list[int] = option(
        [512, 512], options.POSITIVE_INTEGERS, "hidden layers of mlp; default 512,512"
    )
    dropout: float | None = option(
        None, options.SHARE, "of mlp and cnn; default 0 for mlp, 0.5 for cnn"
    )
    dataset: str = option("mnist", choice(DATASETS), "what is in the folder; default mnist")
    data: str | None = option(
        None,
        options.TEXT,
        "folder of the files of the dataset, packed or not; default: the embedded 10,000 training "
        "and 2,000 test images of mnist",
    )
    augment: str = option(
        "shift",
        choice(AUGMENTATIONS),
        "what is done to training images at random: shift by up to a pixel, or "
        "data.augment.augmentation; default shift",
    )
    epochs: int = option(20, integer(1), "default 20")
    batch_size: int = option(64, integer(1), "default 64")
    accumulate: int = option(1, integer(1), "batches to a step of the optimizer; default 1")
    optimizer: str = option(
        "sgd",
        choice(OPTIMIZERS),
        f"sgd with momentum 0.9 and weight decay {WEIGHT_DECAY}; default sgd",
    )
    optimizer_options: dict[str, Any] = option(
        {}, options.TABLE, "of the optimizer, such as momentum=0.8 nesterov=true"
    )
    lr: float | None = option(
        None, options.POSITIVE, f"learning rate at the start; default {_RATES}"
    )
    schedule: str = option(
        "CosineAnnealingLR",
        choice((*SCHEDULES, "none")),
        "how the learning rate changes; default CosineAnnealingLR, down to 0 at the end",
    )
    schedule_options: dict[str, Any] = option(
        {}, options.TABLE, "of the schedule, such as eta_min=0.001"
    )
    loss: str = option("CrossEntropyLoss", choice(LOSSES), "default CrossEntropyLoss")
    loss_options: dict[str, Any] = option(
        {}, options.TABLE, "of the loss, such as label_smoothing=0.1"
    )
    clip_norm: float | None = option(
        None, options.POSITIVE, "clip gradients to this norm; default: not"
    )
    clip_value: float | None = option(
        None, options.POSITIVE, "clip every element of gradients to this; default: not"
    )
    ema: float | None = option(
        None, options.SHARE, "decay of averaged weights, which are then the result; default: none"
    )
    patience: int | None = option(
        None,
        integer(1),
        "stop after so many epochs without a lower validation loss, and take the best; "
        "default: train to the end",
    )
    seed: int = option(0, integer(0, 2**64), "default 0")
    device: Device = option(
        "cpu",
        choice(DEVICES),
        "emu: the CUDA kernels, emulated on the CPU, which is slow; default cpu",
    )
    precision: Precision = option(
        "float32",
        choice(PRECISIONS),
        "what convolutions and linear layers compute in: float16 and bfloat16 need a device, "
        "parameters are float32; default float32",
    )


@dataclass(frozen=True)
class Execution:
    """What changes nothing but where files go and how fast it is."""

    workers: int | None = option(
        None, integer(0), "threads that prepare batches; default 0 on the CPU, 2 for a device"
    )
    out: str | None = option(None, options.TEXT, "output folder; default runs/MODEL-DATE-TIME")
