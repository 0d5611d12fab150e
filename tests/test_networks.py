"""Residual networks and MobileNet: the papers' sizes, and forward against the NumPy reference."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn, reference
from convolith.models import (
    BasicBlock,
    Bottleneck,
    MobileNetV1,
    ResNet,
    mobilenet_v1,
    resnet18,
    resnet20,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)

Array = np.ndarray
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, tuple[int, ...]]] = {
    # Parameters, and the shape behind the convolutions for an input of 64x64.
    "resnet18": (resnet18, 11_689_512, (2, 512, 2, 2)),
    "resnet34": (resnet34, 21_797_672, (2, 512, 2, 2)),
    "resnet50": (resnet50, 25_557_032, (2, 2048, 2, 2)),
    "resnet101": (resnet101, 44_549_160, (2, 2048, 2, 2)),
    "resnet152": (resnet152, 60_192_808, (2, 2048, 2, 2)),
    "resnet20": (resnet20, 269_722, (2, 64, 16, 16)),
    "mobilenet_v1": (mobilenet_v1, 4_231_976, (2, 1024, 2, 2)),
}


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """Everything that batch norm keeps, away from 0 and 1; float64, for evaluation."""
    rng = np.random.default_rng(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name, tensor in module.state_dict().items():
                if tensor.ndim:
                    low = 0.5 if name in ("weight", "running_var") else -0.5
                    tensor.numpy()[...] = rng.uniform(low, low + 1, tensor.shape)
    return net.to(np.float64).eval()


class Numpy:
    """Layers by the reference, their parameters from a state_dict."""

    def __init__(self, net: nn.Module) -> None:
        self.state = {key: value.numpy() for key, value in net.state_dict().items()}

    def conv_norm(self, conv: str, norm: str, x: Array, **options: Any) -> Array:
        names = ("weight", "bias", "running_mean", "running_var")
        x = reference.conv2d_forward(x, self.state[f"{conv}.weight"], **options)
        return reference.batch_norm_forward(x, *[self.state[f"{norm}.{name}"] for name in names])[0]

    def classify(self, x: Array) -> Array:
        return x.mean((2, 3)) @ self.state["fc.weight"].T + self.state["fc.bias"]


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def resnet_by_numpy(net: nn.Module, x: Array) -> Array:
    """He et al. 2015, for both stems, blocks and shortcuts."""
    layers = Numpy(net)
    kernel = layers.state["conv1.weight"].shape[-1]
    x = relu(layers.conv_norm("conv1", "bn1", x, stride=1 + (kernel == 7), padding=kernel // 2))
    if kernel == 7:
        x = reference.max_pool2d_forward(x, 3, stride=2, padding=1)[0]
    firsts = [key for key in layers.state if key.startswith("layer") and ".conv1." in key]
    for block in [key.removesuffix(".conv1.weight") for key in firsts]:
        stride = 2 if block.endswith(".0") and not block.startswith("layer1") else 1
        shortcut = x
        if f"{block}.downsample.0.weight" in layers.state:
            names = f"{block}.downsample.0", f"{block}.downsample.1"
            shortcut = layers.conv_norm(*names, x, stride=stride)
        elif stride == 2:
            shortcut = np.pad(x[:, :, ::2, ::2], ((0, 0), (0, x.shape[1]), (0, 0), (0, 0)))
        deep = f"{block}.conv3.weight" in layers.state
        strides, paddings = ((1, stride, 1), (0, 1, 0)) if deep else ((stride, 1), (1, 1))
        for i, (step, padding) in enumerate(zip(strides, paddings, strict=True), 1):
            names = f"{block}.conv{i}", f"{block}.bn{i}"
            x = layers.conv_norm(*names, x, stride=step, padding=padding)
            x = relu(x + shortcut if i == len(strides) else x)
    return layers.classify(x)


def mobilenet_by_numpy(net: nn.Module, x: Array) -> Array:
    """Howard et al. 2017, table 1: strides 2, 1, 2, 1, 2, 1, 2 and then 1, but once 2."""
    layers = Numpy(net)
    x = relu(layers.conv_norm("stem.0", "stem.1", x, stride=2, padding=1))
    for block in range(13):
        stride = 2 if block in (1, 3, 5, 11) else 1
        name, groups = f"blocks.{block}", x.shape[1]
        options = {"stride": stride, "padding": 1, "groups": groups}
        x = relu(layers.conv_norm(f"{name}.0", f"{name}.1", x, **options))
        x = relu(layers.conv_norm(f"{name}.2", f"{name}.3", x))
    return layers.classify(x)


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_are_the_papers(name: str) -> None:
    make, parameters, features = NETWORKS[name]
    net = make()
    assert sum(p.numpy().size for p in net.parameters()) == parameters
    seen: list[tuple[int, ...]] = []
    (pool,) = (m for m in net.modules() if isinstance(m, nn.GlobalAvgPool2d))
    pool.register_forward_hook(lambda module, args, y: seen.append(args[0].shape))
    images = Tensor(np.zeros((2, 3, 64, 64), np.float32))
    assert net.eval()(images).shape == (2, 10 if name == "resnet20" else 1000)
    assert seen == [features]


@pytest.mark.parametrize(
    ("net", "by_numpy"),
    [
        (lambda: ResNet((2, 1), (4, 8), num_classes=5), resnet_by_numpy),
        (lambda: ResNet((1, 2), (4, 8), "cifar", "pad", 5), resnet_by_numpy),
        (lambda: ResNet((1, 2), (4, 8), num_classes=5, block=Bottleneck), resnet_by_numpy),
        (lambda: MobileNetV1(0.125, 5), mobilenet_by_numpy),
    ],
    ids=["projecting", "padding", "bottleneck", "mobilenet"],
)
def test_forward_is_the_references(
    net: Callable[[], nn.Module], by_numpy: Callable[[nn.Module, Array], Array]
) -> None:
    cv.manual_seed(0)
    model = randomised(net())
    x = np.random.default_rng(1).standard_normal((2, 3, 21, 32))
    np.testing.assert_allclose(model(Tensor(x)), by_numpy(model, x), rtol=1e-9, atol=1e-9)


def test_resnet_has_torchvisions_keys() -> None:
    keys = list(resnet18().state_dict())
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert keys[:7] == ["conv1.weight", *[f"bn1.{n}" for n in norm], "layer1.0.conv1.weight"]
    block = [k.removeprefix("layer2.0.") for k in keys if k.startswith("layer2.0.")]
    assert block == [
        "conv1.weight",
        *[f"bn1.{n}" for n in norm],
        "conv2.weight",
        *[f"bn2.{n}" for n in norm],
        "downsample.0.weight",
        *[f"downsample.1.{n}" for n in norm],
    ]
    assert keys[-2:] == ["fc.weight", "fc.bias"]
    assert len(keys) == 122


def test_a_block_learns() -> None:
    """Both kinds and both shortcuts pass gradients on: all parameters of a network have one."""
    for shortcut, block in itertools.product(("pad", "project"), (BasicBlock, Bottleneck)):
        net = ResNet((1, 1), (4, 8), "cifar", shortcut, 3, block)
        net(
            Tensor(np.random.default_rng(0).standard_normal((2, 3, 8, 8), np.float32))
        ).sum().backward()
        assert all(p.grad is not None and p.grad.numpy().any() for p in net.parameters())


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="ResNet: shortcut is 'A', expected pad or project"):
        BasicBlock(4, 8, 2, "A")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ResNet: stem is 'big', expected imagenet or cifar"):
        ResNet((1,), (4,), "big")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="out_channels is 0"):
        MobileNetV1(0.01)
