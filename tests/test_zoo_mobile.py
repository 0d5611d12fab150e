"""MobileNetV2, EfficientNet, ResNet-9 and the ResNets for CIFAR."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn, reference
from convolith.models import (
    EfficientNet,
    MBConv,
    MobileNetV2,
    ResNet9,
    efficientnet_b0,
    efficientnet_b2,
    efficientnet_lite0,
    get_model,
    mobilenet_v2,
    model_entry,
    resnet9,
    resnet32,
)
from test_networks import randomised

Array = np.ndarray
NORM = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]

# As published: torchvision's models, the Lite0 of Liu 2020, the tables of the papers.
PARAMETERS = {
    "mobilenet_v2": 3_504_872,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_lite0": 4_652_008,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "resnet9": 6_573_120,
}
SIZES = {"efficientnet_b1": 240, "efficientnet_b2": 260, "efficientnet_b3": 300}
SMALL: dict[str, Callable[[], nn.Module]] = {
    "mobilenet_v2": lambda: MobileNetV2(0.25, 10),
    "efficientnet": lambda: EfficientNet(0.25, 0.5, 10),
    "efficientnet_lite": lambda: EfficientNet(0.25, 0.5, 10, lite=True),
    "resnet9": lambda: ResNet9(4),
    "resnet32": resnet32,
}


def count(net: nn.Module) -> int:
    return sum(p.numpy().size for p in net.parameters())


def norm_keys(*prefixes: str) -> list[str]:
    return [f"{prefix}.{name}" for prefix in prefixes for name in NORM]


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes_are_the_published_ones(name: str) -> None:
    net, entry = get_model(name), model_entry(name)
    assert count(net) == entry.parameters == PARAMETERS[name]
    cifar = name.startswith("resnet")
    size = 32 if cifar else SIZES.get(name, 224)
    assert entry.image == (3, size, size)
    images = Tensor(np.zeros((1, *entry.image), np.float32))
    assert net.eval()(images).shape == (1, 10 if cifar else 1000)
    assert [*get_model(name, num_classes=7).parameters()][-1].shape[0] == 7


def test_mobilenet_v2_has_torchvisions_keys() -> None:
    keys = list(mobilenet_v2().state_dict())
    assert keys[:6] == ["features.0.0.weight", *norm_keys("features.0.1")]
    assert keys[6:18] == [
        "features.1.conv.0.0.weight",
        *norm_keys("features.1.conv.0.1"),
        "features.1.conv.1.weight",
        *norm_keys("features.1.conv.2"),
    ]
    assert [key for key in keys if key.startswith("features.17.")] == [
        "features.17.conv.0.0.weight",
        *norm_keys("features.17.conv.0.1"),
        "features.17.conv.1.0.weight",
        *norm_keys("features.17.conv.1.1"),
        "features.17.conv.2.weight",
        *norm_keys("features.17.conv.3"),
    ]
    assert keys[-3:] == ["features.18.1.num_batches_tracked", *linear("classifier.1")]
    assert len(keys) == 314


def linear(prefix: str) -> list[str]:
    return [f"{prefix}.weight", f"{prefix}.bias"]


def test_efficientnet_has_torchvisions_keys() -> None:
    keys = list(efficientnet_b0().state_dict())
    assert keys[:6] == ["features.0.0.weight", *norm_keys("features.0.1")]
    first, second = "features.1.0.block", "features.2.1.block"
    assert keys[6:22] == [
        f"{first}.0.0.weight",
        *norm_keys(f"{first}.0.1"),
        *linear(f"{first}.1.fc1"),
        *linear(f"{first}.1.fc2"),
        f"{first}.2.0.weight",
        *norm_keys(f"{first}.2.1"),
    ]
    assert [key for key in keys if key.startswith(second)] == [
        f"{second}.0.0.weight",
        *norm_keys(f"{second}.0.1"),
        f"{second}.1.0.weight",
        *norm_keys(f"{second}.1.1"),
        *linear(f"{second}.2.fc1"),
        *linear(f"{second}.2.fc2"),
        f"{second}.3.0.weight",
        *norm_keys(f"{second}.3.1"),
    ]
    assert keys[-3:] == ["features.8.1.num_batches_tracked", *linear("classifier.1")]
    assert len(keys) == 360
    assert not any("fc1" in key for key in efficientnet_lite0().state_dict())


def test_width_scales_the_channels() -> None:
    assert round(count(MobileNetV2(0.5)) / 1e6, 2) == 1.97
    assert round(count(MobileNetV2(1.4)) / 1e6, 2) == 6.11
    assert mobilenet_v2(10, 1.4).classifier[1].weight.shape == (10, 1792)
    shapes = [p.shape for p in efficientnet_b2().parameters() if p.ndim == 4]
    assert (shapes[0][0], shapes[-1][0]) == (32, 1408)  # 32 and 1280, times 1.1
    halved = resnet9(width=32)
    assert count(halved) == 27 * 32 + 9 * 32**2 * (2 + 8 + 8 + 32 + 128) + 70 * 32 + 80 * 32
    lite = EfficientNet(1.2, 1.4, lite=True)
    assert lite.features[0][0].out_channels == 32
    assert lite.features[8][0].out_channels == 1280
    assert [len(stage) for stage in lite.features][1:8] == [1, 3, 3, 5, 5, 6, 1]


def test_blocks_and_drops_of_a_network() -> None:
    net = efficientnet_b0()
    blocks = [module for module in net.modules() if isinstance(module, MBConv)]
    drops = [block.stochastic_depth.p for block in blocks]
    np.testing.assert_allclose(drops, 0.2 * np.arange(16) / 16)
    dropouts = [m.p for m in efficientnet_b2().modules() if type(m) is nn.Dropout]
    assert dropouts == [0.3]
    norms = {(m.eps, m.momentum) for m in net.modules() if isinstance(m, nn.BatchNorm2d)}
    assert norms == {(1e-5, 0.1)}
    lite = efficientnet_lite0().modules()
    assert {(m.eps, m.momentum) for m in lite if isinstance(m, nn.BatchNorm2d)} == {(1e-3, 0.01)}


class Reference:
    """Layers in NumPy, their parameters from a state_dict."""

    def __init__(self, net: nn.Module, eps: float = 1e-5) -> None:
        self.state = {key: value.numpy() for key, value in net.state_dict().items()}
        self.eps = eps

    def conv(self, name: str, x: Array, **options: Any) -> Array:
        weight, bias = self.state[f"{name}.weight"], self.state.get(f"{name}.bias")
        depthwise = weight.shape[1] == 1 < weight.shape[0]
        groups = weight.shape[0] if depthwise else 1
        options = {"padding": weight.shape[-1] // 2, "groups": groups, **options}
        return reference.conv2d_forward(x, weight, bias, **options)

    def norm(self, name: str, x: Array) -> Array:
        weight, bias, mean, var = (self.state[f"{name}.{n}"][:, None, None] for n in NORM[:4])
        return (x - mean) / np.sqrt(var + self.eps) * weight + bias

    def classify(self, x: Array) -> Array:
        weight, bias = self.state["classifier.1.weight"], self.state["classifier.1.bias"]
        return x.mean((2, 3)) @ weight.T + bias


def relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def mobilenet_v2_by_numpy(net: nn.Module, x: Array) -> Array:
    """Sandler et al. 2018, table 2."""
    layers = Reference(net)
    x = relu6(layers.norm("features.0.1", layers.conv("features.0.0", x, stride=2)))
    for block in range(1, 18):
        name, shortcut = f"features.{block}.conv", x
        stride = 2 if block in (2, 4, 7, 14) else 1
        if block > 1:
            x = relu6(layers.norm(f"{name}.0.1", layers.conv(f"{name}.0.0", x)))
        last = 1 if block == 1 else 2
        x = layers.conv(f"{name}.{last - 1}.0", x, stride=stride)
        x = relu6(layers.norm(f"{name}.{last - 1}.1", x))
        x = layers.norm(f"{name}.{last + 1}", layers.conv(f"{name}.{last}", x))
        x = x + shortcut if stride == 1 and x.shape == shortcut.shape else x
    return layers.classify(relu6(layers.norm("features.18.1", layers.conv("features.18.0", x))))


def efficientnet_by_numpy(net: nn.Module, x: Array) -> Array:
    """Tan and Le 2019, table 1, with the blocks that the state_dict names; and Lite."""
    lite = not any("fc1" in key for key in net.state_dict())
    layers = Reference(net, 1e-3 if lite else 1e-5)
    act = relu6 if lite else silu
    options: dict[str, Any] = {"padding": "same"} if lite else {}
    stem = layers.conv("features.0.0", x, stride=2, **options)
    x = act(layers.norm("features.0.1", stem))
    for stage, first_stride in enumerate((1, 2, 2, 2, 1, 2, 1), 1):
        for block in itertools.count():
            name, shortcut = f"features.{stage}.{block}.block", x
            if f"{name}.0.0.weight" not in layers.state:
                break
            parts = iter(range(4))
            if stage > 1:
                part = f"{name}.{next(parts)}"
                x = act(layers.norm(f"{part}.1", layers.conv(f"{part}.0", x)))
            part, stride = f"{name}.{next(parts)}", first_stride if block == 0 else 1
            wide = layers.conv(f"{part}.0", x, stride=stride, **options)
            x = act(layers.norm(f"{part}.1", wide))
            if not lite:
                part = f"{name}.{next(parts)}"
                gate = silu(layers.conv(f"{part}.fc1", x.mean((2, 3), keepdims=True)))
                x = x * sigmoid(layers.conv(f"{part}.fc2", gate))
            part = f"{name}.{next(parts)}"
            x = layers.norm(f"{part}.1", layers.conv(f"{part}.0", x))
            if stride == 1 and x.shape == shortcut.shape:
                x = x + shortcut
    return layers.classify(act(layers.norm("features.8.1", layers.conv("features.8.0", x))))


def resnet9_by_numpy(net: nn.Module, x: Array) -> Array:
    """Page 2018."""
    layers = Reference(net)

    def conv(name: str, x: Array) -> Array:
        return np.maximum(layers.norm(f"{name}.1", layers.conv(f"{name}.0", x)), 0)

    x = conv("prep", x)
    for stage in ("layer1", "layer2", "layer3"):
        x = reference.max_pool2d_forward(conv(f"{stage}.0", x), 2)[0]
        if stage != "layer2":
            x = x + conv(f"{stage}.2.branch.1", conv(f"{stage}.2.branch.0", x))
    return x.max((2, 3)) @ layers.state["linear.weight"].T / 8


def lively(net: nn.Module) -> nn.Module:
    """`randomised`, with weights that let the input through all layers."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return randomised(net)


@pytest.mark.parametrize(
    ("name", "by_numpy"),
    [
        ("mobilenet_v2", mobilenet_v2_by_numpy),
        ("efficientnet", efficientnet_by_numpy),
        ("efficientnet_lite", efficientnet_by_numpy),
        ("resnet9", resnet9_by_numpy),
    ],
)
def test_forward_is_the_references(
    name: str, by_numpy: Callable[[nn.Module, Array], Array]
) -> None:
    cv.manual_seed(0)
    net = lively(SMALL[name]())
    x = np.random.default_rng(1).standard_normal((2, 3, 36, 32))
    expected = by_numpy(net, x)
    assert np.abs(expected[0] - expected[1]).max() > 1e-2
    np.testing.assert_allclose(net(Tensor(x)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SMALL)
def test_fused_computes_the_same(name: str) -> None:
    cv.manual_seed(0)
    net = lively(SMALL[name]()).to(np.float32)
    fused = nn.fuse(net)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    x = Tensor(np.random.default_rng(1).standard_normal((2, 3, 32, 32), np.float32))
    expected = net(x).numpy()
    assert np.abs(fused(x).numpy() - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_a_batch_by_heart(name: str) -> None:
    """Eight images of noise: the loss falls to a hundredth, dropout and stochastic depth apart."""
    cv.manual_seed(0)
    net = SMALL[name]()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images = Tensor(np.random.default_rng(0).standard_normal((8, 3, 32, 32), np.float32))
    labels = Tensor(np.arange(8))
    optimizer = cv.optim.Adam(net.parameters(), lr=5e-3)
    losses: list[float] = []
    while len(losses) < 60 and (not losses or losses[-1] > losses[0] / 100):
        loss = nn.functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] <= losses[0] / 100
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="MobileNetV2: width is 0, expected a number above 0"):
        MobileNetV2(0)
    with pytest.raises(ValueError, match="EfficientNet: width is -1, expected a number above 0"):
        EfficientNet(-1)
    with pytest.raises(ValueError, match="EfficientNet: depth is 0, expected a number above 0"):
        EfficientNet(depth=0)
    with pytest.raises(ValueError, match="ResNet9: width is 0, expected at least 1"):
        ResNet9(0)
    with pytest.raises(ValueError, match="there is no 'efficientnetb0'; did you mean efficientn"):
        get_model("efficientnetb0")
