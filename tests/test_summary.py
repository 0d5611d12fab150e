"""What tells about a network: its summary, its picture, the command."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, models, nn, viz
from convolith.cli import main
from convolith.models import (
    Bottleneck,
    InvertedResidual,
    LeNet5,
    MobileNetV2,
    get_model,
    list_models,
    model_entry,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    summary,
)
from convolith.nn import functional as F


def rows(net: nn.Module, input: Any) -> dict[str, list[str]]:
    """The cells of each layer, by its name."""
    lines = summary(net, input).splitlines()[2:-3]
    return {cells[0]: cells[1:] for cells in map(str.split, lines)}


def fields(net: nn.Module, input: Any) -> dict[str, str]:
    return {name: cells[-1] for name, cells in rows(net, input).items()}


def test_summary() -> None:
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 5)
    )
    net[1].eval()
    lines = summary(net, (2, 2, 4, 4)).splitlines()
    cells = [line.split() for line in lines[2:6]]
    assert lines[0].split() == ["layer", "type", "output", "parameters", "FLOPs", "field"]
    assert cells == [
        ["0", "Conv2d", "2x4x4x4", "40", f"{2 * 2 * 64 * 9:,}", "3"],
        ["1", "BatchNorm2d", "2x4x4x4", "8", "0", "3"],
        ["2", "Flatten", "2x64", "0", "0", "all"],
        ["3", "Linear", "2x5", "325", f"{2 * 2 * 5 * 64:,}", "all"],
    ]
    total = 2 * 2 * 64 * 9 + 2 * 2 * 5 * 64
    bytes = 4 * 373 + 4 * 8 + 8, 4 * (3 * 128 + 10)
    assert lines[-2:] == [
        f"373 parameters, {total:,} FLOPs (2 per multiply-add) for input 2x2x4x4",
        f"memory: {bytes[0] / 1024:.1f} KiB of parameters and buffers, "
        f"{bytes[1] / 1024:.1f} KiB of activations",
    ]
    assert [module.training for module in net.modules()] == [True, True, False, True, True]
    assert not any(module._forward_hooks for module in net.modules())


def test_summary_of_a_network_that_does_not_fit_leaves_it_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    with pytest.raises(ValueError, match="linear"):
        summary(net, (1, 4))
    with cv.no_grad(), pytest.raises(ValueError, match="call it outside of no_grad"):
        summary(net, (1, 3))
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_input_is_a_shape_an_array_or_a_tensor() -> None:
    net = LeNet5()
    expected = summary(net, (2, 1, 28, 28))
    image = np.zeros((2, 1, 28, 28))
    assert summary(net, [2, 1, 28, 28]) == summary(net, image) == summary(net, Tensor(image))
    assert summary(net, image.astype(np.uint8)) == expected
    assert (
        summary(net.to(np.float64), (2, 1, 28, 28)).splitlines()[:-1]
        == (expected.splitlines()[:-1])
    )


def test_summary_on_a_device_and_fused() -> None:
    def make() -> nn.Module:
        cv.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())

    plain = summary(make(), (1, 1, 5, 5))
    if "emu" in cv._C.devices():
        assert summary(make().to("emu"), (1, 1, 5, 5)) == plain
    fused = rows(nn.fuse(make()), (1, 1, 5, 5))
    assert [cells[0] for cells in fused.values()] == ["FrozenConv2d", "Identity", "Identity"]
    assert "72 B of activations" in summary(nn.fuse(make()), (1, 1, 5, 5))


def windows(*layers: str) -> nn.Sequential:
    """3x3 convolutions c, 3x3 pools p, 2x2 pools q, the first layer of AlexNet a, 5x5 f."""
    make: dict[str, Callable[[], nn.Module]] = {
        "c": lambda: nn.Conv2d(1, 1, 3, padding=1),
        "f": lambda: nn.Conv2d(1, 1, 5, padding=2),
        "a": lambda: nn.Conv2d(1, 1, 11, 4, padding=2),
        "p": lambda: nn.MaxPool2d(3, 2),
        "q": lambda: nn.MaxPool2d(2),
    }
    return nn.Sequential(*(make[letter]() for letter in "".join(layers)))


# Araujo, Norris and Sim 2019, table 1: alexnet_v2 195, vgg_16 212 (196 before its last pool).
@pytest.mark.parametrize(
    ("layers", "last"),
    [("apfpcccp", ["163", "195"]), ("ccqccqcccqcccqcccq", ["196", "212"])],
    ids=["alexnet", "vgg16"],
)
def test_receptive_fields_of_plain_networks(layers: str, last: list[str]) -> None:
    assert list(fields(windows(layers), (1, 1, 224, 224)).values())[-2:] == last


@pytest.mark.parametrize(
    ("make", "last", "field"),
    [
        (lambda: get_model("mobilenet_v1"), "blocks.12.3", "315"),
        (lambda: MobileNetV2(0.25), "features.18.2", "491"),
        (resnet18, "layer4.1.bn2", "435"),
        (resnet34, "layer4.2.bn2", "899"),
        (resnet50, "layer4.2.bn3", "483"),
        (resnet101, "layer4.2.bn3", "1027"),
    ],
)
def test_receptive_fields_of_deep_networks(
    make: Callable[[], nn.Module], last: str, field: str
) -> None:
    """Araujo et al., table 1: 315, 483, 1027, with a bottleneck's stride where the paper has it."""
    net = make()
    for block in net.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, 1
    found = fields(net, (1, 3, 32, 32))
    assert found[last] == field
    assert found["avgpool"] == found["flatten"] == "all"


def test_windows_of_every_kind() -> None:
    dilated = nn.Sequential(*(nn.Conv2d(1, 1, 3, dilation=d, padding=d) for d in (1, 2, 4)))
    assert list(fields(dilated, (1, 1, 16, 16)).values()) == ["3", "7", "15"]  # Yu and Koltun 2016
    flat = nn.Sequential(nn.Conv2d(1, 1, (1, 7)), nn.Conv2d(1, 1, (3, 1), stride=(2, 1)))
    assert list(fields(flat, (1, 1, 16, 16)).values()) == ["1x7", "3x7"]
    line = nn.Sequential(nn.Conv1d(1, 1, 3, stride=2), nn.MaxPool1d(2), nn.AdaptiveAvgPool1d(1))
    assert list(fields(line, (1, 1, 20)).values()) == ["3", "5", "all"]
    # Each output of a 4x4 transposed convolution at stride 2 is made of 2x2 inputs.
    back = nn.Sequential(
        nn.Conv2d(1, 1, 2, stride=2), nn.ConvTranspose2d(1, 1, 4, stride=2), nn.Conv2d(1, 1, 3)
    )
    assert list(fields(back, (1, 1, 16, 16)).values()) == ["2", "4", "6"]
    wider = nn.Sequential(nn.AvgPool2d(4), nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3))
    assert list(fields(wider, (1, 1, 16, 16)).values()) == ["4", "4", "8"]
    powers = nn.Sequential(nn.LPPool2d(2, 3), nn.ZeroPad2d(1), nn.LPPool2d(2, (2, 1), stride=1))
    assert list(fields(powers, (1, 1, 16, 16)).values()) == ["3", "3", "6x3"]
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d((8, 8)), nn.AdaptiveAvgPool2d((8, 8)))
    assert list(fields(pooled, (1, 1, 16, 16)).values()) == ["2", "2"]


class Branches(nn.Module):
    """1x1, 3x3 and 5x5 beside each other, scaled by the mean of all."""

    def __init__(self) -> None:
        self.one = nn.Conv2d(1, 2, 1)
        self.three = nn.Conv2d(1, 3, 3, padding=1)
        self.five = nn.Conv2d(1, 4, 5, padding=2)
        self.gate = nn.GlobalAvgPool2d()
        self.last = nn.Conv2d(9, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1, H - 2, W - 2)."""
        joined = F.cat([self.one(x), self.three(x), self.five(x)], dim=1)
        result: Tensor = self.last(joined * self.gate(joined))
        return result


def test_the_largest_branch_counts_and_gates_do_not() -> None:
    found = fields(Branches(), (1, 1, 9, 9))
    assert found == {"one": "1", "three": "3", "five": "5", "gate": "all", "last": "7"}


def test_flops_of_every_kind() -> None:
    net = nn.Sequential(nn.Conv1d(4, 6, 3, groups=2), nn.ConvTranspose1d(6, 2, 5, stride=2))
    found = rows(net, (2, 4, 10))
    assert found["0"][3] == f"{2 * 2 * 6 * 8 * 2 * 3:,}"  # N K Q, each of C/G S products
    assert found["1"][3] == f"{2 * 2 * 6 * 8 * 2 * 5:,}"  # N C L, each to K/G S products
    net = nn.Sequential(
        nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), nn.LocallyConnected2d(6, 2, 9, 3)
    )
    found = rows(net, (2, 4, 4, 4))
    assert found["0"][3] == f"{2 * 2 * 4 * 16 * 3 * 9:,}"
    assert found["1"][3] == f"{2 * 2 * 2 * 49 * 6 * 9:,}"


@pytest.mark.parametrize(
    ("name", "products"),  # billions, as torchvision's documentation has them
    [("mobilenet_v2", 0.30), ("efficientnet_b0", 0.39), ("resnet18", 1.81), ("resnet50", 4.09)],
)
def test_flops_are_the_published_ones(name: str, products: float) -> None:
    total = summary(get_model(name), (1, 3, 224, 224)).splitlines()[-2]
    flops = int(total.split()[2].replace(",", ""))
    assert round(flops / 2e9, 2) == products


class Both(NamedTuple):
    logits: Tensor
    auxiliary: Tensor


class TwoHeads(nn.Module):
    """A network that returns a tuple, and in it a layer that does."""

    def __init__(self) -> None:
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        self.heads = nn.ModuleList([nn.Conv2d(1, 3, 1), nn.Conv2d(1, 5, 3)])

    def forward(self, x: Tensor) -> Both:
        """(N, 1, H, W) to two images."""
        smaller, indices = self.pool(x)
        x = self.unpool(smaller, indices)
        return Both(self.heads[0](x), self.heads[1](x + x.mean()))


def test_tuples() -> None:
    found = rows(TwoHeads(), (1, 1, 6, 6))
    assert found["pool"][1:3] == ["1x1x3x3", "1x1x3x3"]
    assert found["heads.0"][1] == "1x3x6x6"
    assert {name: cells[-1] for name, cells in found.items()} == {
        "pool": "2",
        "unpool": "2",
        "heads.0": "2",
        "heads.1": "4",
    }


def graph_of(net: nn.Module, input: Any) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """The shape at each node and the edges, by the first two lines of the labels."""
    names, shapes, edges = {}, {}, set()
    for line in viz.architecture(net, input).source.splitlines():
        head, _, rest = line.strip().partition(" ")
        if rest.startswith("[label=") and head.isdigit():
            *name, last = rest.split('"')[1].split(r"\n")
            names[head] = " ".join(name)
            shapes[names[head]] = last
        elif rest.startswith("->"):
            edges.add((names[head], names[rest.split()[1]]))
    return shapes, edges


def test_picture_of_a_shortcut() -> None:
    pytest.importorskip("graphviz")
    shapes, edges = graph_of(InvertedResidual(4, 4, 1, 1), (1, 4, 6, 6))
    assert shapes == {
        "input": "1x4x6x6",
        "Conv2d conv.0.0": "1x4x6x6",
        "BatchNorm2d conv.0.1": "1x4x6x6",
        "ReLU6 conv.0.2": "1x4x6x6",
        "Conv2d conv.1": "1x4x6x6",
        "BatchNorm2d conv.2": "1x4x6x6",
        "Add": "1x4x6x6",
    }
    chain = list(shapes)
    assert edges == {*itertools.pairwise(chain), ("input", "Add")}


def test_picture_of_branches() -> None:
    pytest.importorskip("graphviz")
    _, edges = graph_of(Branches(), (1, 1, 9, 9))
    into: dict[str, set[str]] = {}
    for source, target in edges:
        into.setdefault(target, set()).add(source)
    (joined,) = into["GlobalAvgPool2d gate"]
    assert into[joined] == {"Conv2d one", "Conv2d three", "Conv2d five"}
    (scaled,) = into["Conv2d last"]
    assert into[scaled] == {joined, "GlobalAvgPool2d gate"}


def test_picture_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("graphviz")
    graph = viz.architecture(LeNet5(), (1, 1, 28, 28), tmp_path / "net.gv")
    assert (tmp_path / "net.gv").read_text() == graph.source
    with pytest.raises(ValueError, match=r"net.jpeg ends in '.jpeg', expected one of .svg, .png"):
        viz.architecture(LeNet5(), (1, 1, 28, 28), tmp_path / "net.jpeg")
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(RuntimeError, match=r"needs the program dot: install Graphviz .*net.gv"):
        viz.architecture(LeNet5(), (1, 1, 28, 28), tmp_path / "net.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"net.gv", "programs"}
    dot = programs / "dot"
    dot.write_text("#!/bin/sh\necho drawn\n")
    dot.chmod(0o755)
    viz.architecture(LeNet5(), (1, 1, 28, 28), tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text() == "drawn\n"
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r'pip install "convolith\[graph\]"'):
        viz.architecture(LeNet5(), (1, 1, 28, 28))


def test_command_lists_every_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "input", "parameters", "source"]
    assert [line.split()[0] for line in lines] == list_models()
    (line,) = (line for line in lines if line.startswith("resnet20 "))
    assert line.split(maxsplit=3)[1:] == ["3x32x32", "269,722", model_entry("resnet20").source]


def test_command_shows_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("graphviz")
    file = tmp_path / "net.gv"
    assert main(["models", "lenet5", "--graph", str(file)]) == 0
    said = capsys.readouterr().out
    assert said == f"{summary(LeNet5(), (1, 1, 28, 28))}\nwritten to {file}\n"
    assert file.read_text().startswith("digraph")


def test_command_complains(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "resnet19"]) == 1
    assert "there is no 'resnet19'; did you mean resnet" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["models", "--graph", "net.svg"])
    assert end.value.code == 2
    assert "--graph draws one network: give its NAME" in capsys.readouterr().err


def test_page_has_every_network() -> None:
    page = (Path(__file__).parent.parent / "docs/models.md").read_text()
    for name in list_models():
        entry = model_entry(name)
        shape = "x".join(map(str, entry.image))
        assert f"| `{name}` | {entry.source} | {shape} | {entry.parameters:,} |" in page
    assert [name for name in models.__all__ if name not in page] == []
