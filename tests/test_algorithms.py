"""Which algorithm serves a convolution, and how to forbid one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import convolith
from convolith import _C, nn
from convolith.primitives import (
    conv2d_backward_weight,
    conv2d_forward,
    conv2d_plan,
    conv2d_prepare_weight,
)
from convolith.tensor import Tensor

X, W = (8, 64, 28, 28), (32, 64, 3, 3)


@pytest.mark.parametrize("direction", ["forward", "backward_input", "backward_weight"])
def test_plan_counts_and_gives_a_reason(direction: str) -> None:
    plan = conv2d_plan(direction, X, W, padding=1)
    assert plan.algo == "winograd"
    assert not plan.exact
    assert "3x3" in plan.reason
    assert plan.flops == 2 * 8 * 32 * 28 * 28 * 64 * 9
    assert plan.bytes == 4 * (8 * 64 * 28 * 28 + 32 * 64 * 9 + 8 * 32 * 28 * 28)


@pytest.mark.parametrize(
    ("options", "algo"),
    [
        ({"padding": 1, "stride": 2}, "direct"),
        ({"padding": 1, "dtype": "float64"}, "direct"),
        ({"padding": 1, "algo": "direct"}, "direct"),
    ],
)
def test_plan_of_options(options: dict[str, object], algo: str) -> None:
    assert conv2d_plan("forward", X, W, **options).algo == algo


def test_plan_is_what_runs() -> None:
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (X, W))
    bits = {
        algo: conv2d_forward(x, w, padding=1, algo=algo).tobytes()
        for algo in ("auto", "winograd", "direct")
    }
    assert bits["auto"] == bits["winograd"] != bits["direct"]
    with convolith.exact():
        assert conv2d_forward(x, w, padding=1).tobytes() == bits["direct"]
    assert conv2d_forward(x, w, padding=1).tobytes() == bits["auto"]


def test_exact_forbids_and_restores() -> None:
    with convolith.exact():
        plan = conv2d_plan("forward", X, W, padding=1)
        assert plan.algo == "direct"
        assert plan.exact
        assert "forbidden" in plan.reason
        with pytest.raises(ValueError, match=r"winograd.*exact"):
            conv2d_plan("forward", X, W, padding=1, algo="winograd")
        with convolith.exact(False):
            assert conv2d_plan("forward", X, W, padding=1).algo == "winograd"
        assert conv2d_plan("forward", X, W, padding=1).algo == "direct"
    assert conv2d_plan("forward", X, W, padding=1).algo == "winograd"


@pytest.mark.parametrize(("value", "algo"), [("1", "direct"), ("0", "winograd"), ("", "winograd")])
def test_environment_variable(value: str, algo: str) -> None:
    code = (
        "from convolith.primitives import conv2d_plan;"
        f"print(conv2d_plan('forward', {X}, {W}, padding=1).algo)"
    )
    environment = {**os.environ, "CONVOLITH_EXACT": value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == algo


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sideways", X, W), "direction.*sideways"),
        (("forward", X, (32, 3, 3, 3)), "64 channels"),
        (("forward", (64, 28, 28), W), "input_shape"),
    ],
)
def test_plan_complains(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        conv2d_plan(*arguments)
    with pytest.raises(ValueError, match=r"dtype.*int8"):
        conv2d_plan("forward", X, W, dtype="int8")


def test_module_passes_the_algorithm_on() -> None:
    x = Tensor(np.random.default_rng(1).standard_normal(X).astype(np.float32))
    layer = nn.Conv2d(64, 32, 3, padding=1, algo="direct", activation="relu")
    assert "algo='direct'" in repr(layer)
    assert "activation='relu'" in repr(layer)
    y = layer(x)
    expected = conv2d_forward(
        x.numpy(), layer.weight.numpy(), layer.bias.numpy(), padding=1, algo="direct"
    )
    np.testing.assert_array_equal(y.numpy(), np.maximum(expected, 0))
    y.sum().backward()
    dy = (expected > 0).astype(np.float32)
    expected_dw = conv2d_backward_weight(dy, x.numpy(), W, padding=1, algo="direct")
    np.testing.assert_array_equal(layer.weight.grad.numpy(), expected_dw)


def test_residual_is_differentiated() -> None:
    rng = np.random.default_rng(2)
    x, residual = (
        Tensor(rng.standard_normal((2, 3, 5, 5)).astype(np.float32), requires_grad=True)
        for _ in range(2)
    )
    layer = nn.Conv2d(3, 3, 3, padding=1, activation="relu")
    y = layer(x, residual)
    plain = layer.weight, layer.bias
    separate = nn.functional.relu(nn.functional.conv2d(x, *plain, padding=1) + residual)
    np.testing.assert_allclose(y.numpy(), separate.numpy(), rtol=1e-6, atol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(residual.grad.numpy(), (y.numpy() > 0).astype(np.float32))


@pytest.mark.parametrize("isa", _C.available_isas())
def test_prepared_weight_gives_the_same_bits(isa: str) -> None:
    rng = np.random.default_rng(3)
    x, w, residual = (
        rng.standard_normal(s).astype(np.float32)
        for s in ((2, 20, 14, 15), (35, 20, 3, 3), (2, 35, 14, 15))
    )
    before = _C.isa()
    _C.set_isa(isa)
    try:
        prepared = conv2d_prepare_weight(w, x.shape, padding=1)
        assert prepared is not None
        options = {"padding": 1, "residual": residual, "activation": "relu"}
        y = conv2d_forward(x, w, prepared=prepared, **options)
        assert y.tobytes() == conv2d_forward(x, w, algo="winograd", **options).tobytes()
        with pytest.raises(ValueError, match=r"prepared is \(35, 20, .*conv2d_prepare_weight"):
            conv2d_forward(x, w, stride=2, prepared=prepared)
    finally:
        _C.set_isa(before)


def test_nothing_to_prepare() -> None:
    w = np.ones((4, 3, 3, 3), np.float32)
    assert conv2d_prepare_weight(w, (1, 3, 8, 8), stride=2) is None
    with pytest.raises(ValueError, match="4 channels"):
        conv2d_prepare_weight(w, (1, 4, 8, 8))


@pytest.mark.skipif(len(_C.available_isas()) < 2, reason="one instruction set only")
def test_prepared_weight_belongs_to_an_instruction_set() -> None:
    x, w = np.ones((4, 16, 8, 8), np.float32), np.ones((16, 16, 3, 3), np.float32)
    first, second, *_ = _C.available_isas()
    before = _C.isa()
    try:
        _C.set_isa(first)
        prepared = conv2d_prepare_weight(w, x.shape, padding=1)
        _C.set_isa(second)
        with pytest.raises(ValueError, match="this instruction set"):
            conv2d_forward(x, w, padding=1, prepared=prepared)
    finally:
        _C.set_isa(before)
