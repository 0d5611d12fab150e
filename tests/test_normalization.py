"""Layers that normalise each sample by itself, or across channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn, reference
from convolith.nn import functional as F
from test_tensor import assert_gradients

RNG = np.random.default_rng(0)
SHAPE = (2, 6, 5, 4)


def drawn(layer: nn.Module) -> nn.Module:
    """With a weight and bias that differ from 1 and 0."""
    for parameter in layer.parameters():
        parameter.numpy()[...] = RNG.normal(size=parameter.shape)
    return layer


# The layer, and the primitive with the arguments between input and weight.
LAYERS: dict[str, tuple[nn.Module, str, tuple[Any, ...]]] = {
    "LayerNorm": (nn.LayerNorm(4, dtype=np.float64), "layer_norm", ((4,),)),
    "LayerNorm of three axes": (
        nn.LayerNorm([6, 5, 4], dtype=np.float64),
        *("layer_norm", ((6, 5, 4),)),
    ),
    "LayerNorm without bias": (
        nn.LayerNorm((5, 4), bias=False, dtype=np.float64),
        *("layer_norm", ((5, 4),)),
    ),
    "LayerNorm without affine": (
        nn.LayerNorm(4, elementwise_affine=False),
        *("layer_norm", ((4,),)),
    ),
    "GroupNorm": (nn.GroupNorm(3, 6, dtype=np.float64), "group_norm", (3,)),
    "GroupNorm without affine": (nn.GroupNorm(2, 6, affine=False), "group_norm", (2,)),
    "InstanceNorm2d": (nn.InstanceNorm2d(6), "instance_norm", ()),
    "InstanceNorm2d with affine": (
        nn.InstanceNorm2d(6, affine=True, dtype=np.float64),
        *("instance_norm", ()),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_the_reference(name: str) -> None:
    layer, primitive, options = LAYERS[name]
    drawn(layer)
    x = RNG.normal(2, 3, SHAPE)
    vectors = [v if v is None else v.numpy() for v in (layer.weight, layer.bias)]
    expected, *_ = getattr(reference, f"{primitive}_forward")(x, *options, *vectors)
    np.testing.assert_allclose(layer(Tensor(x)), expected, rtol=1e-11, atol=1e-11)
    assert repr(layer).startswith(name.split()[0] + "(")


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_layers(name: str) -> None:
    layer = drawn(LAYERS[name][0])
    x = Tensor(RNG.normal(size=SHAPE), requires_grad=True)
    weights = Tensor(RNG.normal(size=SHAPE))
    assert_gradients(lambda: (layer(x) * weights).sum(), [x, *layer.parameters()])


def test_parameters_have_pytorchs_names() -> None:
    vectors = ["weight", "bias"]
    running = ["running_mean", "running_var", "num_batches_tracked"]
    names = {
        nn.LayerNorm(3): vectors,
        nn.LayerNorm(3, bias=False): ["weight"],
        nn.LayerNorm(3, elementwise_affine=False): [],
        nn.GroupNorm(1, 3): vectors,
        nn.GroupNorm(1, 3, affine=False): [],
        nn.InstanceNorm1d(3): [],
        nn.InstanceNorm2d(3, affine=True, track_running_stats=True): vectors + running,
        nn.LocalResponseNorm(5): [],
    }
    for layer, expected in names.items():
        assert list(layer.state_dict()) == expected, layer


@pytest.mark.parametrize("device", ["cpu", "emu"])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_instance_norm_keeps_running_statistics(device: str, momentum: float | None) -> None:
    if device not in cv.devices():
        pytest.skip("this build has no emulator")
    layer = nn.InstanceNorm1d(3, momentum=momentum, track_running_stats=True).to(device)
    mean, var = np.zeros(3), np.ones(3)
    x = Tensor(np.float32(RNG.normal(2, 3, (4, 3, 7)))).to(device)
    for _ in range(2):
        y = layer(x).cpu().numpy()
        values = x.cpu().numpy().astype(np.float64)
        mean += (momentum or 0) * (values.mean((0, 2)) - mean)
        var += (momentum or 0) * (values.var(2, ddof=1).mean(0) - var)
        np.testing.assert_allclose(y.mean(2), 0, atol=1e-6)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    np.testing.assert_allclose(layer.running_mean.cpu(), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.running_var.cpu(), var, rtol=1e-5)
    side = (1, 3, 1)
    expected = (values - mean.reshape(side)) / np.sqrt(var.reshape(side) + 1e-5)
    np.testing.assert_allclose(layer.eval()(x).cpu(), expected, rtol=1e-4, atol=1e-5)


def test_local_response_norm_by_hand() -> None:
    x = Tensor(np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1))
    y = nn.LocalResponseNorm(2, alpha=4.0, beta=1.0, k=1.0)(x)  # of an even size: c - 1 and c
    expected = [1 / (1 + 2 * 1), 2 / (1 + 2 * 5), 3 / (1 + 2 * 13)]
    np.testing.assert_allclose(y.numpy().ravel(), expected, rtol=1e-14)
    assert repr(nn.LocalResponseNorm(5)) == "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)"


def test_gradient_of_local_response_norm() -> None:
    x = Tensor(RNG.normal(size=SHAPE), requires_grad=True)
    weights = Tensor(RNG.normal(size=SHAPE))
    assert_gradients(
        lambda: (F.local_response_norm(x, 3, 2.0, 0.6, 0.5) * weights).sum(),
        [x],
    )


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.GroupNorm(2, 8),
        nn.ReLU(),
        nn.LocalResponseNorm(3),
        nn.Conv2d(8, 6, 1),
        nn.InstanceNorm2d(6, affine=True),
        nn.Conv2d(6, 4, 1),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.LayerNorm(144),
    )


def test_fuse_leaves_them_alone() -> None:
    cv.manual_seed(0)
    net = drawn(network()).eval()
    x = Tensor(np.float32(RNG.normal(size=(2, 3, 8, 8))))
    fused = nn.fuse(net)
    np.testing.assert_allclose(fused(x), net(x), rtol=1e-4, atol=1e-5)
    kept = {nn.GroupNorm, nn.InstanceNorm2d, nn.LayerNorm, nn.LocalResponseNorm, nn.ReLU}
    assert kept <= {type(module) for module in fused.modules()}
    assert nn.BatchNorm2d not in {type(module) for module in fused.modules()}


@pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_parameters_stay_float32_beside_halves(half: str) -> None:
    net = network().to("emu").to(half)
    for name, parameter in net.named_parameters():
        convolution = isinstance(net[int(name.split(".")[0])], nn.Conv2d)
        assert str(parameter.dtype) == (half if convolution else "float32"), name
    y = net(Tensor(np.float32(RNG.normal(size=(2, 3, 8, 8)))).to("emu").to(half))
    assert str(y.dtype) == half
    y.backward(y.detach())
    assert all(parameter.grad is not None for parameter in net.parameters())


WRONG = {
    "layer": (lambda: nn.LayerNorm((3, 0)), "LayerNorm: normalized_shape is 0"),
    "layer of nothing": (lambda: nn.LayerNorm(()), "LayerNorm: normalized_shape is 0"),
    "groups": (lambda: nn.GroupNorm(4, 6), "num_groups=4 does not divide num_channels=6"),
    "no groups": (lambda: nn.GroupNorm(0, 6), "GroupNorm: num_groups is 0"),
    "instance": (lambda: nn.InstanceNorm1d(0), "InstanceNorm1d: num_features is 0"),
    "rank": (
        lambda: nn.InstanceNorm2d(3)(Tensor(np.ones((2, 3, 4)))),
        r"InstanceNorm2d: the input has rank 3 \(2, 3, 4\), expected rank 4",
    ),
    "features": (lambda: nn.LayerNorm(3)(Tensor(np.ones((2, 4)))), "normalized_shape"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name: str) -> None:
    call, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        call()
