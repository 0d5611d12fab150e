"""A network that is exported and loaded again is the same network."""

from __future__ import annotations

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, models, nn
from convolith.onnx import export, load

# A network of each family, and the side of an image that it can see.
NETWORKS = {
    "lenet5": 28,
    "cnn": 32,
    "resnet9": 32,
    "resnet20": 32,
    "resnet18": 32,
    "mobilenet_v1": 32,
    "mobilenet_v2": 32,
    "efficientnet_b0": 32,
    "efficientnet_lite0": 32,
    "squeezenet1_1": 32,
    "googlenet": 32,
    "inception_v3": 75,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_loading_what_was_exported(name: str) -> None:
    cv.manual_seed(0)
    model = models.get_model(name).eval()
    rng = np.random.default_rng(0)
    for key, value in model.state_dict().items():
        if "running" in key:
            value.numpy()[...] = rng.uniform(0.5, 1.5, value.shape)
    shape = (models.model_entry(name).image[0], NETWORKS[name], NETWORKS[name])
    again = load(export(model, np.zeros((1, *shape), np.float32), None))
    x = Tensor(rng.standard_normal((3, *shape)).astype(np.float32))
    expected = model(x).numpy()
    np.testing.assert_allclose(again(x).numpy(), expected, rtol=0, atol=1e-6 * abs(expected).max())
    loaded = again.state_dict()
    for key, value in model.state_dict().items():
        if key in loaded:
            np.testing.assert_array_equal(loaded[key].numpy(), value.numpy())
    assert {k for k, _ in model.named_parameters()} - set(loaded) <= heads(model)


def heads(model: nn.Module) -> set[str]:
    """Parameters that evaluation has no use for."""
    return {key for key, _ in model.named_parameters() if "aux" in key.lower()}
