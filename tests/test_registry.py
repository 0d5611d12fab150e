"""Every network of the registry: its size, and that it learns eight images by heart."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, models, nn, no_grad, optim

IMAGES = 8
STEPS = 120  # at most


class Recipe(NamedTuple):
    side: int  # of the images, small ones where the network takes them
    lr: float  # of Adam
    blocks: bool = False  # squares of 8x8 of a colour, 60 times as bright as noise


# By the beginning of the name; the longest that fits.
RECIPES = {
    "alexnet": Recipe(64, 1e-4),
    "alexnet_2012": Recipe(227, 1e-4, blocks=True),  # its first weights are small
    "cnn": Recipe(32, 1e-3),
    "efficientnet": Recipe(64, 1e-3),
    "googlenet": Recipe(64, 1e-3),
    "inception": Recipe(75, 1e-3),
    "lenet5": Recipe(28, 1e-2),
    "mobilenet": Recipe(64, 1e-3),
    "resnet": Recipe(32, 1e-3),
    "squeezenet": Recipe(64, 3e-4),
    "vgg": Recipe(32, 1e-4),
}


def images(channels: int, recipe: Recipe) -> np.ndarray:
    """(8, C, side, side)."""
    rng = np.random.default_rng(0)
    side = recipe.side
    if not recipe.blocks:
        return rng.standard_normal((IMAGES, channels, side, side)).astype(np.float32)
    coarse = rng.standard_normal((IMAGES, channels, -(-side // 8), -(-side // 8)))
    return (60 * coarse.repeat(8, 2).repeat(8, 3)[..., :side, :side]).astype(np.float32)


def network(name: str) -> nn.Module:
    """Without what keeps a network from learning by heart, and without further heads."""
    options: dict[str, Any] = {"num_classes": IMAGES, "dropout": 0.0, "aux_logits": False}
    taken = inspect.signature(models.model_entry(name).build).parameters
    model = models.get_model(name, **{k: v for k, v in options.items() if k in taken})
    if name.startswith("squeezenet"):  # whose last ReLU would leave some classes at 0 for good
        nn.init.ones_(model.classifier[1].bias)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", models.list_models())
def test_a_network_learns_eight_images_by_heart(name: str) -> None:
    recipe = RECIPES[max((start for start in RECIPES if name.startswith(start)), key=len)]
    cv.manual_seed(0)
    model = network(name)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    x = Tensor(images(models.model_entry(name).image[0], recipe))
    labels = Tensor(np.arange(IMAGES))
    losses: list[float] = []
    while len(losses) < STEPS and (not losses or losses[-1] > losses[0] / 100):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.5  # ln 8 = 2.08 where nothing is known
    assert losses[-1] <= losses[0] / 100


@pytest.mark.slow
@pytest.mark.parametrize("name", models.list_models())
def test_a_network_at_its_standard_size(name: str) -> None:
    entry = models.model_entry(name)
    model = models.get_model(name).eval()
    assert sum(p.numpy().size for p in model.parameters()) == entry.parameters
    with no_grad():
        logits = model(Tensor(np.zeros((1, *entry.image), np.float32)))
    assert logits.shape == (1, 1000 if entry.image[-1] > 200 else 10)
