"""Training steps of a network, the same in every library: weights, images and optimizer.

Each ``build_*`` function runs in its own process, imports its library there, and returns a step
that trains on `STEPS` batches and gives back the last loss.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

STEPS = 60
LR, MOMENTUM = 0.01, 0.9

MODELS = ("lenet5",)
LAYOUTS = ("NCHW", "channels_last")  # what PyTorch offers; it is given its better one


def batches(batch_size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The embedded digits, normalised, as batches of images (N, 1, 28, 28) and labels."""
    from convolith.data import Normalize, load_digits

    digits = load_digits()
    images = Normalize.fit(digits.train_images)(digits.train_images)
    order = np.arange(STEPS * batch_size) % len(images)
    return [
        (images[order[i : i + batch_size]], digits.train_labels[order[i : i + batch_size]])
        for i in range(0, len(order), batch_size)
    ]


def network(model: str) -> Any:
    """Our network of that name, with the same weights at every call."""
    import convolith
    from convolith.models import LeNet5

    convolith.manual_seed(0)
    return {"lenet5": LeNet5}[model]()


def initial_weights(model: str) -> dict[str, np.ndarray]:
    """One set of weights for all libraries; the keys are common to them."""
    return {name: np.array(w.numpy()) for name, w in network(model).state_dict().items()}


def build_convolith(model: str, batch_size: int, threads: int) -> Any:
    """Ours."""
    import convolith
    from convolith import optim
    from convolith.nn.functional import cross_entropy
    from convolith.tensor import Tensor

    convolith.set_num_threads(threads)
    weights = initial_weights(model)
    net = network(model)
    data = [(Tensor(x), Tensor(y)) for x, y in batches(batch_size)]

    def step() -> float:
        net.load_state_dict(weights)
        optimizer = optim.SGD(net.parameters(), LR, momentum=MOMENTUM)
        for images, labels in data:
            loss = cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.item())

    return step


def build_torch(model: str, batch_size: int, threads: int, layout: str) -> Any:
    """PyTorch, eager, in the given layout."""
    import torch
    from torch import nn

    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    weights = {name: torch.from_numpy(w) for name, w in initial_weights(model).items()}
    net = nn.Sequential()
    for name, layer in {
        "c1": nn.Conv2d(1, 6, 5, padding=2), "act1": nn.Tanh(), "s2": nn.AvgPool2d(2),
        "c3": nn.Conv2d(6, 16, 5), "act3": nn.Tanh(), "s4": nn.AvgPool2d(2),
        "c5": nn.Conv2d(16, 120, 5), "act5": nn.Tanh(), "flatten": nn.Flatten(),
        "f6": nn.Linear(120, 84), "act6": nn.Tanh(), "output": nn.Linear(84, 10),
    }.items():  # fmt: skip
        net.add_module(name, layer)
    net = net.to(memory_format=memory_format)
    data = [
        (torch.from_numpy(x).to(memory_format=memory_format), torch.from_numpy(y))
        for x, y in batches(batch_size)
    ]

    def step() -> float:
        net.load_state_dict(weights)
        optimizer = torch.optim.SGD(net.parameters(), LR, momentum=MOMENTUM)
        for images, labels in data:
            loss = nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.item())

    return step
