"""AlexNet, VGG, SqueezeNet, GoogLeNet and Inception v3."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn
from convolith.models import (
    VGG,
    GoogLeNet,
    GoogLeNetOutputs,
    Inception3,
    InceptionOutputs,
    SqueezeNet,
    alexnet,
    alexnet_2012,
    get_model,
    googlenet,
    inception_v3,
    list_models,
    model_entry,
    squeezenet1_0,
    vgg11,
)
from convolith.models.googlenet import to_symmetric_range
from convolith.tensor import no_grad

Array = np.ndarray
NORM = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]

# Parameters as torchvision publishes them (of alexnet_2012: from the layer sizes of the paper), and
# the entries of a state_dict.
PUBLISHED: dict[str, tuple[int, int]] = {
    "alexnet": (61_100_840, 16),
    "alexnet_2012": (60_965_224, 16),
    "vgg11": (132_863_336, 22),
    "vgg13": (133_047_848, 26),
    "vgg16": (138_357_544, 32),
    "vgg19": (143_667_240, 38),
    "vgg11_bn": (132_868_840, 62),
    "vgg13_bn": (133_053_736, 76),
    "vgg16_bn": (138_365_992, 97),
    "vgg19_bn": (143_678_248, 118),
    "squeezenet1_0": (1_248_424, 52),
    "squeezenet1_1": (1_235_496, 52),
    "googlenet": (13_004_888, 364),
    "inception_v3": (27_161_264, 580),
}


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[str, float]]:
    """Weights are not drawn, and cost nothing: by id, the distribution and its last argument."""
    notes: dict[int, tuple[str, float]] = {}

    def noting(name: str) -> Callable[..., Tensor]:
        def note(tensor: Tensor, *args: float, **kwargs: float) -> Tensor:
            notes[id(tensor)] = name, [*args, *kwargs.values()][-1]
            return tensor

        return note

    for name in ("uniform_", "normal_"):
        monkeypatch.setattr(nn.init, name, noting(name))
    return notes


def fill(net: nn.Module, seed: int = 0) -> nn.Module:
    """Numbers that any library can draw, which keep activations of order 1 in any network."""
    rng = np.random.default_rng(seed)
    for key, value in net.state_dict().items():
        if value.ndim == 0:
            continue
        u = rng.random(value.shape, np.float32)
        if value.ndim > 1:
            u = (2 * u - 1) * np.sqrt(6 / np.prod(value.shape[1:]), dtype=np.float32)
        elif key.endswith((".weight", ".running_var")):
            u += 0.5
        else:
            u = (u - 0.5) * 0.5
        value.numpy()[...] = u
    return net


def images(n: int, size: int) -> Array:
    return np.random.default_rng(1).random((n, 3, size, size), np.float32) * 2 - 1


def parameters(net: nn.Module) -> int:
    return sum(p.numpy().size for p in net.parameters())


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_the_published_ones(name: str) -> None:
    net = get_model(name)
    assert (parameters(net), len(net.state_dict())) == PUBLISHED[name]
    entry = model_entry(name)
    assert entry.parameters == PUBLISHED[name][0]
    sides = {"alexnet_2012": 227, "inception_v3": 299}
    assert entry.image == (3, sides.get(name, 224), sides.get(name, 224))
    assert re.search(r" 20\d\d$", entry.source)
    assert name in list_models()


@pytest.mark.usefixtures("noted")
def test_sizes_without_heads() -> None:
    net = googlenet(aux_logits=False)
    assert (parameters(net), len(net.state_dict())) == (6_624_904, 344)
    net = inception_v3(aux_logits=False)
    assert (parameters(net), len(net.state_dict())) == (23_834_568, 566)


# The logits of the first of two images. Computed in float64 by torchvision's models under PyTorch;
# alexnet_2012's by the formulas of the paper in PyTorch, for pixels of +-128 as the paper has them.
LOGITS: dict[str, tuple[int, tuple[float, ...]]] = {
    "alexnet": (224, (-2.66761, 0.560377, 0.15947, -1.38992)),
    "alexnet_2012": (227, (-28.2453, -41.378, 16.1032, -23.6105)),
    "vgg11": (224, (-1.40735, -0.798225, 5.06271, -2.827)),
    "vgg13_bn": (32, (-2.1923, -9.38398, 2.45223, 5.31867)),
    "squeezenet1_0": (224, (0.000613882, 0.0, 1.87106, 0.286298)),
    "squeezenet1_1": (224, (0.655276, 0.0257474, 0.974983, 0.642708)),
    "googlenet": (224, (-6.98816, -4.98857, -9.02489, 12.138)),
    "inception_v3": (299, (-8.13349, 2.51054, 2.25398, -5.91848)),
}
SLOW = [pytest.mark.slow]


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=SLOW if "vgg" in name else []) for name in LOGITS]
)
def test_logits_are_those_of_pytorch(name: str) -> None:
    size, expected = LOGITS[name]
    net = fill(get_model(name, num_classes=4)).eval()
    x = images(2, size)[:1] * np.float32(128 if name == "alexnet_2012" else 1)
    with no_grad():
        logits = net(Tensor(x))
    assert logits.shape == (1, 4)
    np.testing.assert_allclose(logits.numpy()[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("noted")
def test_googlenet_has_two_heads_in_training() -> None:
    net = fill(googlenet(4, dropout=0, dropout_aux=0)).to(np.float64)
    outputs = net(Tensor(images(2, 64).astype(np.float64)))
    assert isinstance(outputs, GoogLeNetOutputs)
    assert outputs._fields == ("logits", "aux_logits2", "aux_logits1")
    expected = {  # as above
        "logits": (0.17801, 0.214211, 0.374935, 1.25143),
        "aux_logits2": (-1.61082, 0.131769, -1.29286, -0.656792),
        "aux_logits1": (1.21394, 1.34382, 1.13445, 0.0871313),
    }
    for name, logits in outputs._asdict().items():
        assert logits.shape == (2, 4)
        np.testing.assert_allclose(logits.numpy()[0], expected[name], rtol=1e-4)
    everything_learns(net, outputs)


@pytest.mark.slow
@pytest.mark.usefixtures("noted")
def test_inception_has_a_head_in_training() -> None:
    net = fill(inception_v3(4, dropout=0))
    outputs = net(Tensor(images(2, 299)))
    assert isinstance(outputs, InceptionOutputs)
    assert outputs._fields == ("logits", "aux_logits")
    expected = {  # as above
        "logits": (-0.390294, -0.0851178, 0.280892, -0.0405861),
        "aux_logits": (0.156172, 0.367298, -0.126745, 1.30208),
    }
    for name, logits in outputs._asdict().items():
        assert logits.shape == (2, 4)
        # The head normalises two numbers a channel: differences of rounding come out larger.
        np.testing.assert_allclose(logits.numpy()[0], expected[name], rtol=1e-2, atol=1e-3)
    everything_learns(net, outputs)


def everything_learns(net: nn.Module, outputs: tuple[Tensor, ...]) -> None:
    labels = Tensor(np.array([0, 3]))
    losses = [nn.functional.cross_entropy(logits, labels) for logits in outputs]
    sum(losses[1:], losses[0]).backward()
    without = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.numpy().any()]
    assert without == []


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize(
    ("make", "size"), [(googlenet, 32), (inception_v3, 75)], ids=["googlenet", "inception_v3"]
)
def test_logits_alone_without_heads_and_in_evaluation(
    make: Callable[..., nn.Module], size: int
) -> None:
    x = Tensor(images(2, size))
    with no_grad():
        assert fill(make(4, aux_logits=False))(x).shape == (2, 4)
        assert fill(make(4)).eval()(x).shape == (2, 4)


@pytest.mark.usefixtures("noted")
def test_keys_are_torchvisions() -> None:
    """Weights and biases of layers by their numbers, of parts by their names, in its order."""
    nets: dict[str, nn.Module] = {
        "alexnet": alexnet(2),
        "squeezenet": squeezenet1_0(2),
        "googlenet": googlenet(2),
        "inception_v3": inception_v3(2),
    }
    layers = {
        name: list(dict.fromkeys(key.rsplit(".", 1)[0] for key in net.state_dict()))
        for name, net in nets.items()
    }
    assert layers["alexnet"] == [
        *(f"features.{i}" for i in (0, 3, 6, 8, 10)),
        *(f"classifier.{i}" for i in (1, 4, 6)),
    ]
    fires = [i for i in range(3, 13) if i not in (6, 11)]
    assert layers["squeezenet"] == [
        "features.0",
        *(f"features.{i}.{part}" for i in fires for part in ("squeeze", "expand1x1", "expand3x3")),
        "classifier.1",
    ]
    google = layers["googlenet"]
    assert google[:8] == [
        *("conv1.conv", "conv1.bn", "conv2.conv", "conv2.bn", "conv3.conv", "conv3.bn"),
        *("inception3a.branch1.conv", "inception3a.branch1.bn"),
    ]
    assert google[8:10] == ["inception3a.branch2.0.conv", "inception3a.branch2.0.bn"]
    assert google[16:18] == ["inception3a.branch4.1.conv", "inception3a.branch4.1.bn"]
    head = ("conv.conv", "conv.bn", "fc1", "fc2")
    assert google[-9:] == [*(f"{aux}.{part}" for aux in ("aux1", "aux2") for part in head), "fc"]
    inception = layers["inception_v3"]
    assert inception[:2] == ["Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn"]
    assert "Mixed_5b.branch3x3dbl_3.conv" in inception
    assert "Mixed_6e.branch7x7dbl_5.bn" in inception
    assert "Mixed_7c.branch3x3dbl_3b.conv" in inception
    at = inception.index("AuxLogits.conv0.conv")
    assert inception[at + 4 : at + 6] == ["AuxLogits.fc", "Mixed_7a.branch3x3_1.conv"]
    assert inception[-1] == "fc"
    state = nets["inception_v3"].state_dict()
    assert [key for key in state if key.startswith("Conv2d_3b_1x1.")] == [
        "Conv2d_3b_1x1.conv.weight",
        *(f"Conv2d_3b_1x1.bn.{name}" for name in NORM),
    ]


@pytest.mark.usefixtures("noted")
def test_vgg_has_torchvisions_numbers() -> None:
    plain, normalised = get_model("vgg16").state_dict(), get_model("vgg16_bn").state_dict()
    numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    classifier = [f"classifier.{i}.{name}" for i in (0, 3, 6) for name in NORM[:2]]
    features = [f"features.{i}.{name}" for i in numbers for name in NORM[:2]]
    assert list(plain) == [*features, *classifier]
    assert plain["features.28.weight"].shape == (512, 512, 3, 3)
    numbers = [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]
    parts = [(i + part, name) for i in numbers for part in (0, 1) for name in NORM[: 2 + 3 * part]]
    assert list(normalised) == [*(f"features.{i}.{name}" for i, name in parts), *classifier]


@pytest.mark.usefixtures("noted")
def test_alexnet_2012_has_the_papers_layers() -> None:
    shapes = {key: value.shape for key, value in alexnet_2012().state_dict().items()}
    assert {key: shape for key, shape in shapes.items() if key.endswith("weight")} == {
        "conv1.weight": (96, 3, 11, 11),
        "conv2.weight": (256, 48, 5, 5),
        "conv3.weight": (384, 256, 3, 3),
        "conv4.weight": (384, 192, 3, 3),
        "conv5.weight": (256, 192, 3, 3),
        "fc6.weight": (4096, 9216),
        "fc7.weight": (4096, 4096),
        "fc8.weight": (1000, 4096),
    }


FUSED: dict[str, tuple[Callable[[], Any], int]] = {
    "alexnet": (lambda: alexnet(4).features, 63),
    "vgg_bn": (lambda: VGG((1, 1, 1, 2, 1), True, 4).features, 32),
    "squeezenet": (lambda: squeezenet1_0(4), 40),
    "googlenet": (lambda: googlenet(4), 64),
    "inception_v3": (lambda: inception_v3(4), 96),
}


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize("name", FUSED)
def test_fused_computes_the_same(name: str) -> None:
    make, size = FUSED[name]
    net = fill(make()).eval()
    fused = nn.fuse(net)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    x = Tensor(images(2, size))
    with no_grad():
        expected = net(x).numpy()
        error = np.abs(fused(x).numpy() - expected).max() / np.abs(expected).max()
    assert error < 1e-4


@pytest.mark.parametrize("device", ["cpu", "emu"])
def test_transform_input_undoes_imagenets_normalisation(device: str) -> None:
    if device not in cv.devices():
        pytest.skip(f"this build has no {device}")
    pixels = images(2, 4)  # in [-1, 1]
    mean = np.float32([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    std = np.float32([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    normalised = ((pixels + 1) / 2 - mean) / std
    back = to_symmetric_range(Tensor(normalised).to(device))
    np.testing.assert_allclose(back.numpy(), pixels, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize(("kind", "size"), [(GoogLeNet, 32), (Inception3, 75)])
def test_networks_transform_if_asked(kind: type[nn.Module], size: int) -> None:
    plain = fill(kind(4)).eval()
    transforming = fill(kind(4, transform_input=True)).eval()
    x = Tensor(images(1, size))
    with no_grad():
        np.testing.assert_array_equal(transforming(x), plain(to_symmetric_range(x)))


def test_initial_values(noted: dict[int, tuple[str, float]]) -> None:
    """Of the paper for alexnet_2012, of torchvision for the others."""
    alex, vgg = alexnet_2012(), vgg11()
    squeeze, google, inception = squeezenet1_0(), googlenet(), inception_v3()
    expected = [
        (alex.conv1, "normal_", 0.01),
        (alex.fc8, "normal_", 0.01),
        (vgg.features[18], "normal_", np.sqrt(2 / (512 * 9))),
        (vgg.classifier[0], "normal_", 0.01),
        (squeeze.features[12].expand3x3, "uniform_", np.sqrt(6 / (64 * 9))),
        (squeeze.classifier[1], "normal_", 0.01),
        (google.inception5b.branch3[1].conv, "normal_", 0.01),
        (google.aux1.fc2, "normal_", 0.01),
        (inception.Mixed_7c.branch1x1.conv, "normal_", 0.1),
        (inception.fc, "normal_", 0.1),
        (inception.AuxLogits.fc, "normal_", 0.001),
    ]
    for layer, distribution, last in expected:
        assert noted[id(layer.weight)] == (distribution, pytest.approx(last))
    for net in (vgg, squeeze):
        assert not any(m.bias.numpy().any() for m in net.modules() if hasattr(m, "bias"))
    biases = {key: set(v.numpy()) for key, v in alex.state_dict().items() if key.endswith("bias")}
    ones = {"conv2.bias", "conv4.bias", "conv5.bias", "fc6.bias", "fc7.bias"}
    assert biases == {key: {1.0} if key in ones else {0.0} for key in biases}


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_squeezenet_learns_a_batch_by_heart_from_biases_of_one(name: str) -> None:
    cv.manual_seed(0)
    net = get_model(name, num_classes=8, dropout=0)
    nn.init.ones_(net.classifier[1].bias)
    x, labels = Tensor(images(8, 64)), Tensor(np.arange(8))
    optimizer = cv.optim.Adam(net.parameters(), lr=3e-4)
    for _ in range(60):
        loss = nn.functional.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < np.log(8) / 100


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"VGG: blocks is \(1, 1\), expected five numbers"):
        VGG((1, 1))
    with pytest.raises(ValueError, match="SqueezeNet: version is '1_2', expected 1_0 or 1_1"):
        SqueezeNet("1_2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="out_channels is 0, expected at least 1"):
        squeezenet1_0(0)
    with pytest.raises(ValueError, match=r"max_pool2d: kernel_size 3 x 3 .* input of 1 x 1"):
        squeezenet1_0(2)(Tensor(images(1, 12)))
