"""The benchmarks themselves, without measuring: tables are complete, children answer."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolith
from convolith import models, reference
from convolith.cli import main
from convolith.reference.elementwise import ACTIVATIONS

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import compare  # noqa: E402
import conv  # noqa: E402
import gpu  # noqa: E402
import infer  # noqa: E402
import measure  # noqa: E402
import operations  # noqa: E402
import record  # noqa: E402
import test_micro  # noqa: E402
import zoo  # noqa: E402

# Billions of multiply-adds for one image, as torchvision and the papers give them, and those of
# them that fully connected layers do.
GMACS = {
    "alexnet": (0.714, 0.0586),
    "vgg16": (15.47, 0.1236),
    "googlenet": (1.498, 0.0010),
    "resnet18": (1.814, 0.0005),
    "resnet50": (4.089, 0.0020),
    "mobilenet_v1": (0.569, 0.0010),
    "mobilenet_v2": (0.301, 0.0013),
    "efficientnet_b0": (0.386, 0.0013),
    "resnet20": (0.0406, 0.0),
}


@pytest.mark.parametrize("suite", GMACS)
def test_shapes_are_the_whole_network(suite: str) -> None:
    macs = sum(layer.count * layer.flops / layer.N / 2e9 for layer in conv.layers([suite]))
    whole, linear = GMACS[suite]
    assert macs + linear == pytest.approx(whole, rel=0.02)


def test_every_primitive_has_a_micro_benchmark() -> None:
    assert set(test_micro.CALLS) == set(reference.__all__)


def test_every_activation_is_compared() -> None:
    compared = {name.split()[0] for name in operations.OPS}
    assert {*ACTIVATIONS, "prelu", "maxout"} <= compared


def test_every_network_is_served() -> None:
    known = compare.parser().parse_args(["infer"]).models
    assert known == models.list_models()
    assert compare.parser().parse_args(["train"]).models == list(zoo.MODELS)
    assert {*zoo.MODELS} <= {*known}


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
def test_pytorch_runs_our_file(tmp_path: Path) -> None:
    problem = ("resnet20", (2, 3, 32, 32), tmp_path / "resnet20.onnx")
    infer.load_exporter()(*problem)
    runner = measure.Runner(infer.load_torch, 1, "channels_last")  # in a process of its own
    results = {
        "convolith": infer.load_convolith(convolith.get_num_threads())(*problem)(),
        "torch": runner.prepare("resnet20", *problem),
    }
    runner.close()
    measure.check_same("resnet20", results, 1e-5)


def load_halves(denominator: int) -> measure.Prepare:
    return lambda x: lambda: x / denominator


def test_a_child_prepares_repeats_and_survives_an_error() -> None:
    contest = measure.Contest(threads=1, quick=True)
    runner = measure.Runner(load_halves, 2)
    result = contest.enter("halves", runner, np.arange(4.0))
    assert contest.attempt("fails", runner, "text") is None
    assert "TypeError" in contest.failed["fails"]
    assert contest.medians().keys() == {"halves"}
    contest.close()
    np.testing.assert_array_equal(result, np.arange(4.0) / 2)


def test_different_results_end_a_comparison() -> None:
    results: dict[str, Any] = {"a": np.array([1.0, 2.0]), "b": np.array([1.0, 2.01])}
    measure.check_same("x", results, 1e-2)
    with pytest.raises(RuntimeError, match="a and b differ by 5"):
        measure.check_same("x", results, 1e-3)


def test_report_leaves_out_what_was_not_measured() -> None:
    rows = [{"threads": 1, "ratio": r} for r in (4.0, None, 1.0)]
    content = measure.report(rows, {}, [(), ("threads",)])
    assert content["geomean"] == pytest.approx({"all": 2.0, "1 threads": 2.0})
    assert content["worst"]["ratio"] == 1.0


@pytest.mark.parametrize("file", sorted(record.RUNS.glob("*.toml")), ids=lambda file: file.stem)
def test_recorded_runs_can_be_repeated(file: Path) -> None:
    assert main(["train", "--config", str(file), "--print-config"]) == 0


def test_a_recorded_run_is_a_row(tmp_path: Path) -> None:
    words = ["train", "--model", "perceptron", "--epochs", "2", "--out", str(tmp_path)]
    assert main(words) == 0
    row = record.recorded(tmp_path, "perceptron_mnist")
    assert (row["name"], row["dataset"], row["parameters"]) == ("perceptron_mnist", "mnist", 7850)
    assert [epoch["epoch"] for epoch in row["history"]] == [1, 2]
    assert 0.8 < row["test_accuracy"] < 1


@pytest.mark.skipif("emu" not in convolith.devices(), reason="this build has no emulator")
def test_rows_of_a_gpu_are_complete() -> None:
    """On the emulated GPU, without a peer: the way of a comparison, not its figures."""
    words = "conv --device emu --peer none --suite lenet5 --layer c3 --direction fwd --batch 1"
    content = compare.compare(compare.parser().parse_args([*words.split(), "--quick"]))
    assert content["machine"].keys() >= {"device", "commit", "date", "minutes"}
    assert "faults" not in content["machine"]
    assert [row["dtype"] for row in content["rows"]] == list(gpu.PRECISIONS)
    for row in content["rows"]:
        assert (row["name"], row["direction"], row["algorithm"]) == ("c3", "fwd", "direct")
        assert row["shape"] == "1x6x14x14 16x6x5x5"
        assert row["ours"] > 0
        assert row["ratio"] is row["peer"] is row["share_of_peak"] is None


@pytest.mark.skipif("emu" not in convolith.devices(), reason="this build has no emulator")
def test_a_fault_on_a_gpu_costs_its_row_only() -> None:
    args = compare.parser().parse_args(["ops", "--device", "emu", "--peer", "none", "--quick"])
    about: dict[str, Any] = {}
    with gpu.Table(load_faulty, args, about, "float32") as table:
        assert table.measure("a", (), np.nan) == {}
        assert table.measure("b", (), 1.0).keys() == {"convolith"}
    assert about["faults"] == {"a float32": "ValueError: nan"}


def load_faulty(device: str, peer: str, dtype: str) -> measure.Prepare:
    def prepare(value: float, who: str) -> measure.Step:
        if np.isnan(value):
            raise ValueError(value)
        emulated = gpu.DEVICES[device](peer, dtype)
        return gpu.Rotation(emulated, lambda rng: lambda: value, size=1 << 14)

    return prepare
