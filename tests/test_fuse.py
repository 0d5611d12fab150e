"""Networks in which convolutions have taken over what follows them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn
from convolith.models import Bottleneck, LeNet5, MobileNetV1, ResNet, resnet20
from test_networks import randomised

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet20": resnet20,
    "imagenet_stem": lambda: ResNet((1, 1), (4, 8), num_classes=5),
    "bottleneck": lambda: ResNet((1, 1), (4, 8), num_classes=5, block=Bottleneck),
    "mobilenet": lambda: MobileNetV1(0.25, 10),
    "sequential": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=(0, 1, 2, 0)),
        nn.BatchNorm2d(4, eps=1e-2),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(4, 6, 1, groups=2, bias=False), nn.BatchNorm2d(6, affine=False)),
        nn.Tanh(),
    ),
}


def kinds(net: nn.Module) -> set[type[nn.Module]]:
    return {type(module) for module in net.modules()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETWORKS)
def test_fused_computes_the_same(name: str, dtype: type) -> None:
    cv.manual_seed(0)
    net = randomised(NETWORKS[name]()).to(dtype).train()
    before = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    fused = nn.fuse(net)
    assert not {nn.BatchNorm2d, nn.ReLU} & kinds(fused)
    assert not any(module.training for module in fused.modules())

    assert all(module.training for module in net.modules())
    assert nn.BatchNorm2d in kinds(net)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])

    x = Tensor(np.random.default_rng(1).standard_normal((2, 3, 32, 32)).astype(dtype))
    expected = net.eval()(x).numpy()
    # Every layer rounds anew, relative to values that may cancel in the next one.
    error = np.abs(fused(x).numpy() - expected).max() / np.abs(expected).max()
    assert error < 100 * np.finfo(dtype).eps


def test_only_what_follows_a_convolution_is_taken_over() -> None:
    net = nn.Sequential(
        nn.Conv2d(2, 2, 1),
        nn.ReLU(),
        nn.BatchNorm2d(2),  # behind a ReLU
        nn.ReLU(),
        nn.Conv2d(2, 2, 1),
        nn.BatchNorm2d(2, track_running_stats=False),
        nn.Conv2d(2, 2, 1),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(2),
    )
    fused = nn.fuse(net)
    assert [type(module).__name__ for module in fused.children()] == [
        *("FrozenConv2d", "Identity", "BatchNorm2d", "ReLU"),
        *("FrozenConv2d", "BatchNorm2d", "FrozenConv2d", "MaxPool2d", "BatchNorm2d"),
    ]
    assert fused[0].weight is not net[0].weight
    x = Tensor(np.random.default_rng(0).standard_normal((2, 2, 6, 6), np.float32))
    np.testing.assert_allclose(fused(x), net.eval()(x), rtol=1e-5, atol=1e-6)


def test_a_forward_of_its_own_is_left_alone() -> None:
    class Reversed(nn.Sequential):
        def forward(self, input: Tensor) -> Tensor:
            for module in reversed(list(self.children())):
                input = module(input)
            return input

    net = Reversed(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
    assert nn.BatchNorm2d in kinds(nn.fuse(net))


def test_a_convolution_used_twice_is_folded_for_each_use() -> None:
    shared = nn.Conv2d(3, 3, 1)
    net = randomised(
        nn.Sequential(shared, nn.BatchNorm2d(3), shared, nn.BatchNorm2d(3, activation="relu"))
    )
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 4)))
    np.testing.assert_allclose(nn.fuse(net)(x), net(x), rtol=1e-12, atol=1e-12)


def test_networks_without_batch_norm() -> None:
    net = LeNet5("relu")
    x = Tensor(np.random.default_rng(0).standard_normal((2, 1, 28, 28), np.float32))
    fused = nn.fuse(net)
    np.testing.assert_allclose(fused(x), net(x), rtol=1e-5, atol=1e-6)
    assert isinstance(fused.act1, nn.Identity)


def test_fused_weights_are_read_only_and_transformed_once_for_a_shape() -> None:
    net = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)).eval()
    fused = nn.fuse(net)
    rng = np.random.default_rng(5)
    for shape in [(4, 16, 12, 12), (4, 16, 12, 12), (1, 16, 5, 5), (4, 16, 12, 12)]:
        x = Tensor(rng.standard_normal(shape).astype(np.float32))
        np.testing.assert_allclose(fused(x).numpy(), net(x).numpy(), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        fused[0].weight.numpy()[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        fused.load_state_dict(fused.state_dict())
    with cv.exact():
        exact = fused(x).numpy()
        np.testing.assert_allclose(exact, net(x).numpy(), rtol=1e-6, atol=1e-6)
