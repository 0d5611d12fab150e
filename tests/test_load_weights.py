"""Weights into models, and out of them into files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, models, nn
from convolith.weights import load_weights, read_weights, save_weights


def same(got: np.ndarray, expected: np.ndarray) -> None:
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(got, expected)


def network() -> nn.Module:
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)
    return nn.Sequential(*layers)


def state(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def test_weights_go_in_whatever_their_prefix_and_dtype() -> None:
    cv.manual_seed(1)
    source = {f"module.{name}": a for name, a in state(network()).items()}
    for dtype in (np.float64, np.float16):
        given = {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in source.items()}
        model = network()
        report = load_weights(model, given)
        assert (len(report.loaded), report.complete) == (len(source), True)
        assert str(report) == f"{len(source)} loaded"
        for name, array in state(model).items():
            assert array.dtype == (np.float32 if array.dtype.kind == "f" else np.int64)
            np.testing.assert_array_equal(array, given[f"module.{name}"].astype(array.dtype))


def test_a_strict_load_that_fails_changes_nothing_and_says_why() -> None:
    model = network()
    before = state(model)
    given: dict[str, Any] = {name: array + 1 for name, array in before.items()}
    del given["0.bias"], given["1.num_batches_tracked"]  # the latter may be missing
    given |= {"head": np.ones(3, np.float32), "3.weight": np.ones((2, 5), np.float32)}
    given["3.bias"] = np.ones(2, np.int64)
    words = (
        r"do not fit Sequential: 5 loaded, 1 missing \(0.bias\), 1 unexpected \(head\), "
        r"2 mismatched \(3.weight: float32 \(2, 5\) for float32 \(2, 4\), 3.bias: int64 \(2,\)"
    )
    with pytest.raises(ValueError, match=words):
        load_weights(model, given)
    for name, array in state(model).items():
        np.testing.assert_array_equal(array, before[name])
    report = load_weights(model, given, strict=False)
    assert report.missing == ["0.bias"]
    assert report.unexpected == ["head"]
    for name, array in state(model).items():
        kept = {"0.bias", "1.num_batches_tracked", "3.weight", "3.bias"}
        np.testing.assert_array_equal(array, before[name] + (name not in kept))
    with pytest.raises(ValueError, match="0 loaded, 8 missing"):
        load_weights(model, {"other": np.ones(3)}, strict=False)


def test_names_are_changed_on_the_way() -> None:
    source = state(network())
    renamed = {
        f"backbone.{n}" if n[0] < "3" else f"backbone.head.{n[2:]}": a for n, a in source.items()
    }
    for rename in (
        {"backbone.": "", "backbone.head.": "3."},
        lambda name: name.replace("backbone.head", "3").replace("backbone.", ""),
    ):
        model = network()
        load_weights(model, renamed, rename=rename)
        for name, array in state(model).items():
            np.testing.assert_array_equal(array, source[name])
    with pytest.raises(ValueError, match="two arrays are renamed to x"):
        load_weights(network(), source, rename=lambda name: "x")


def test_other_names_in_the_same_order() -> None:
    source = state(network())
    others = {
        f"net.{i}.{name.split('.')[-1]}": array
        for i, (name, array) in enumerate(source.items())
        if "num_batches" not in name
    }
    model = network()
    report = load_weights(model, others)
    assert str(report) == "8 loaded in order"
    for name in source:
        if "num_batches" not in name:
            np.testing.assert_array_equal(model.state_dict()[name].numpy(), source[name])
    for change in (
        {"net.0.weight": np.zeros((3, 4, 3, 3), np.float32)},  # another shape
        {"more": np.zeros(1, np.float32)},
        {"0.weight": source["0.weight"]},  # one name is the same: the others have to be, too
    ):
        with pytest.raises(ValueError, match="missing"):
            load_weights(network(), {**others, **change})
    swapped = dict(sorted(others.items(), key=lambda item: item[0].endswith("bias")))
    with pytest.raises(ValueError, match="0 loaded, 8 missing"):
        load_weights(network(), swapped)


def test_a_linear_layer_is_a_1x1_convolution() -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    conv, linear = nn.Conv2d(3, 4, 1, bias=False), nn.Linear(3, 4, bias=False)
    load_weights(conv, {"weight": values})
    load_weights(linear, {"weight": values[..., None, None]})
    assert conv.weight.shape == (4, 3, 1, 1)
    for module in (conv, linear):
        np.testing.assert_array_equal(module.weight.numpy().reshape(4, 3), values)


def test_weights_come_back_from_a_file(tmp_path: Path) -> None:
    cv.manual_seed(2)
    net, path = models.resnet20(), tmp_path / "net.safetensors"
    save_weights(net, path)
    other = models.resnet20()
    assert load_weights(other, path).complete
    x = Tensor(np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32))
    np.testing.assert_array_equal(other.eval()(x), net.eval()(x))
    assert list(tmp_path.iterdir()) == [path]


def test_halves_take_half_the_space(tmp_path: Path) -> None:
    net = models.resnet20()
    sizes = {}
    for dtype in (None, "float16", "bfloat16"):
        save_weights(net, tmp_path / "x", dtype=dtype)
        sizes[dtype] = (tmp_path / "x").stat().st_size
    assert set(read_weights(tmp_path / "x")) == set(net.state_dict())
    parameters = 4 * sum(t.numpy().size for t in net.state_dict().values())
    assert sizes["bfloat16"] == pytest.approx(sizes[None] - parameters / 2, abs=300)
    assert sizes["float16"] == pytest.approx(sizes["bfloat16"], abs=300)
    assert load_weights(models.resnet20(), tmp_path / "x").complete


def test_bfloat16_is_the_nearest_and_ties_go_to_even(tmp_path: Path) -> None:
    """By hand: bfloat16 has 7 bits behind the one that is not written."""
    one = 2.0**-7
    values = [1 + one / 2, 1 + 3 * one / 2, 1 + one / 2 + 2.0**-20, -1 - one, 3.4e38, np.inf, 0.0]
    nearest = [1.0, 1 + 2 * one, 1 + one, -1 - one, np.inf, np.inf, 0.0]
    given = {"a": np.array([*values, np.nan], np.float32), "n": np.array(5), "e": np.zeros((0, 2))}
    save_weights(given, tmp_path / "x", dtype="bfloat16")
    got = read_weights(tmp_path / "x")
    same(got["a"], np.array([*nearest, np.nan], np.float32))
    assert (got["n"], got["n"].dtype, got["e"].shape) == (5, np.int64, (0, 2))


def test_what_is_written_is_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    given = {
        "a": np.arange(6.0).reshape(2, 3).T,
        "b": np.array([True, False]),
        "c": np.arange(3, dtype=">i2"),
        "d": np.float16(2.5),
        "é": np.zeros((2, 0), np.uint8),
    }
    save_weights(given, tmp_path / "x")
    got = load_file(tmp_path / "x")
    assert set(got) == set(given)
    for name, array in given.items():
        np.testing.assert_array_equal(got[name], array)
    with pytest.raises(TypeError, match="safetensors has no <U1"):
        save_weights({"a": np.array(["x"])}, tmp_path / "x")
    with pytest.raises(ValueError, match="dtype is 'int8', expected float32, float16 or bfloat16"):
        save_weights(given, tmp_path / "x", dtype="int8")  # type: ignore[arg-type]
    assert set(load_file(tmp_path / "x")) == set(given)


@pytest.mark.skipif("emu" not in cv.devices(), reason="the emulator is not built")
def test_models_on_a_device(tmp_path: Path) -> None:
    source = state(network())
    model = network().to("emu").bfloat16()
    assert load_weights(model, source).complete
    expected = (source["0.weight"].view(np.uint32) + 0x8000) & 0xFFFF0000  # but for ties
    np.testing.assert_array_equal(
        model.state_dict()["0.weight"].numpy().view(np.uint32) & 0xFFFF0000, expected
    )
    assert load_weights(network(), model.state_dict()).complete
    save_weights(model, tmp_path / "x", dtype="bfloat16")
    got = read_weights(tmp_path / "x")
    np.testing.assert_array_equal(got["0.weight"].view(np.uint32), expected)
