"""Trained networks for other tasks: frozen parts, new heads, features, weights in bfloat16."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn, optim
from convolith.data import DataLoader, TensorDataset
from convolith.models import get_model
from convolith.nn.utils import (
    evaluating,
    find_head,
    freeze,
    parameter_groups,
    replace_head,
    unfreeze,
)
from convolith.train import extract_features
from convolith.weights import read_weights, save_weights, store_bfloat16

RNG = np.random.default_rng(0)
EXAMPLE = Path(__file__).parent.parent / "examples" / "transfer.py"


def network() -> nn.Module:
    cv.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    return nn.Sequential(body, nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(4, 2))


def images(count: int = 6, size: int = 8) -> Tensor:
    return Tensor(RNG.standard_normal((count, 3, size, size)).astype(np.float32))


def one_step(model: nn.Module) -> set[str]:
    """The entries of the state that a step of training changes."""
    before = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    optimizer = optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss = nn.functional.cross_entropy(model.train()(images()), Tensor(np.arange(6) % 2))
    loss.backward()
    optimizer.step()
    state = model.state_dict()
    return {name for name, array in before.items() if (state[name].numpy() != array).any()}


# Freezing


def test_what_is_frozen_stays_to_the_bit_running_statistics_included() -> None:
    model = network()
    assert freeze(model, "0.*") == ["0.0.weight", "0.1.weight", "0.1.bias"]
    assert one_step(model) == {"3.weight", "3.bias"}
    assert [m.training for m in model.modules()] == [
        True,
        True,
        True,
        False,
        True,
        True,
        True,
        True,
    ]
    assert one_step(copy.deepcopy(model)) == {"3.weight", "3.bias"}
    assert unfreeze(model, "0.1.*") == ["0.1.weight", "0.1.bias"]
    assert model[0][1].training
    changed = one_step(model)
    assert {"0.1.weight", "0.1.bias", "0.1.running_mean", "0.1.running_var"} < changed
    assert "0.0.weight" not in changed


def test_a_batch_norm_that_still_learns_follows_the_mode() -> None:
    model = network()
    freeze(model, "0.1.weight")
    assert model.train()[0][1].training
    freeze(model.eval())
    unfreeze(model)
    assert not model[0][1].training  # the model is in evaluation mode
    assert model.train()[0][1].training


def test_without_a_pattern_all_are_meant() -> None:
    model = network()
    names = [name for name, _ in model.named_parameters()]
    assert freeze(model) == names
    assert not any(p.requires_grad for p in model.parameters())
    assert unfreeze(model) == names
    assert all(p.requires_grad for p in model.parameters())
    assert freeze(model, "*.bias", "3.*") == ["0.1.bias", "3.bias", "3.weight"]


def test_frozen_parameters_forget_their_gradient() -> None:
    model = network()
    model(images()).sum().backward()
    freeze(model, "3.*")
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    before = model[3].weight.numpy().copy()
    optimizer.step()
    np.testing.assert_array_equal(model[3].weight, before)


@pytest.mark.parametrize("function", [freeze, unfreeze])
def test_a_pattern_that_matches_nothing_changes_nothing(function: Any) -> None:
    model = network()
    freeze(model, "3.bias")
    words = f"{function.__name__}: no parameter matches '3.weigth'; did you mean 3.weight"
    with pytest.raises(ValueError, match=words):
        function(model, "*", "3.weigth")
    assert [p.requires_grad for p in model.parameters()] == [True, True, True, True, False]


def test_evaluating_gives_each_part_its_mode_back() -> None:
    model = network()
    model[0][1].eval()
    before = [m.training for m in model.modules()]

    def interrupted() -> None:
        with evaluating(model):
            assert not any(m.training for m in model.modules())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [m.training for m in model.modules()] == before


# Learning rates


def test_every_parameter_goes_to_the_first_pattern_that_matches() -> None:
    model = network()
    freeze(model, "0.0.*")
    groups = parameter_groups(model, {"*.bias": 0.5, "0.*": 0.1})
    parameters = dict(model.named_parameters())
    expected = [(0.5, ["0.1.bias", "3.bias"]), (0.1, ["0.1.weight"]), (1e-3, ["3.weight"])]
    made = optim.SGD(groups, lr=1e-3).param_groups
    for group, (rate, names) in zip(made, expected, strict=True):
        assert group["lr"] == rate
        for given, name in zip(group["params"], names, strict=True):
            assert given is parameters[name]
    assert [g["lr"] for g in parameter_groups(model, {"0.0.*": 1, "*": 2})] == [2]
    with pytest.raises(ValueError, match=r"parameter_groups: no parameter matches '1\.\*'"):
        parameter_groups(model, {"1.*": 1.0})


# Heads


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("cnn", "14"),
        ("efficientnet_b0", "classifier.1"),
        ("lenet5", "output"),
        ("mobilenet_v1", "fc"),
        ("mobilenet_v2", "classifier.1"),
        ("resnet18", "fc"),
        ("resnet20", "fc"),
        ("squeezenet1_1", "classifier.1"),
    ],
)
def test_networks_get_a_new_head(name: str, head: str) -> None:
    model = get_model(name)
    before = {key: t.shape for key, t in model.state_dict().items()}
    assert replace_head(model, 7) == find_head(model)[0] == head
    after = {key: t.shape for key, t in model.state_dict().items()}
    assert list(after) == list(before)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {f"{head}.weight", f"{head}.bias"}
    features = before[f"{head}.weight"][1]
    assert after[f"{head}.weight"][:2] == (7, features)
    c, h, w = {"lenet5": (1, 28, 28)}.get(name, (3, 32, 32))
    assert model.eval()(Tensor(np.zeros((1, c, h, w), np.float32))).shape == (1, 7)


def test_a_head_of_1x1_filters_and_one_that_is_for_training_alone() -> None:
    class Filters(nn.Module):
        def __init__(self) -> None:
            self.aux1 = nn.Linear(2, 9)
            self.classifier = nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.Conv2d(4, 9, 1, bias=False, activation="relu")
            )

    model = Filters().to(np.float64).eval()
    assert replace_head(model, 2) == "classifier.1"
    assert list(model.state_dict()) == [
        "classifier.0.weight",
        "classifier.0.bias",
        "classifier.1.weight",
    ]
    head = model.classifier[1]
    assert (head.weight.shape, head.weight.dtype) == ((2, 4, 1, 1), np.float64)
    assert (head.activation, head.training) == ("relu", False)


def test_googlenet_loses_the_heads_of_its_training() -> None:
    model = get_model("googlenet")
    assert replace_head(model, 7) == "fc"
    assert not [key for key in model.state_dict() if key.startswith("aux")]
    assert model.train()(images(2, 64)).shape == (2, 7)


def test_a_model_without_a_head() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match=r"Sequential with parameters is 1, Conv2d; expected a Li"):
        replace_head(model, 2)
    with pytest.raises(ValueError, match="out_features is 0"):
        replace_head(network(), 0)


# Features


def test_features_are_what_the_last_layer_gets() -> None:
    model, x = network(), images(7)
    got = extract_features(model, x.numpy(), batch_size=3)
    assert got.shape == (7, 4)
    assert model[0][1].training
    np.testing.assert_array_equal(model[0][1].running_mean, np.zeros(4))
    logits = model.eval()(x).numpy()
    weight, bias = model[3].weight.numpy(), model[3].bias.numpy()
    np.testing.assert_allclose(got @ weight.T + bias, logits, atol=1e-5)
    np.testing.assert_array_equal(extract_features(model, x), got)
    assert not model[3]._forward_hooks


def test_features_of_a_layer_from_a_loader() -> None:
    model, x = network().eval(), images(5)
    loader = DataLoader(TensorDataset(x, np.arange(5)), 2)
    got = extract_features(model, loader, layer="0.2")
    np.testing.assert_allclose(got, model[0](x), atol=1e-6)
    assert got.shape == (5, 4, 6, 6)


def test_features_refuse() -> None:
    model = network()
    with pytest.raises(ValueError, match=r"extract_features: there is no layer '0.3'; did you mea"):
        extract_features(model, images(), layer="0.3")
    with pytest.raises(ValueError, match="extract_features: there are no images"):
        extract_features(model, images(0))
    idle = nn.Linear(1, 1)
    model.forward = lambda x: x
    model.idle = idle
    with pytest.raises(ValueError, match="the layer 'idle' is no part of the forward pass"):
        extract_features(model, images())


# bfloat16


def test_stored_weights_are_rounded_and_take_half() -> None:
    """To 8 bits of precision, ties to even."""
    model = nn.Sequential(nn.Linear(6, 1))
    ulp = 2.0**-7  # of 1
    given = [1, 1 + ulp, 1 + 0.5 * ulp, 1 + 1.5 * ulp, 1 + 0.51 * ulp, -(2.0**-130)]
    rounded = [1, 1 + ulp, 1, 1 + 2 * ulp, 1 + ulp, -(2.0**-130)]
    model[0].weight.copy_(np.array([given], np.float32))
    whole, bias = model[0].weight.numpy().nbytes, model[0].bias
    assert store_bfloat16(model) is model
    np.testing.assert_array_equal(model[0].weight, np.array([rounded], np.float32))
    assert model[0].weight._bits.nbytes * 2 == whole
    assert model[0].bias is bias


def test_a_model_of_stored_weights_works_as_one_of_rounded_weights(tmp_path: Path) -> None:
    model = get_model("resnet20").eval()
    x = images(2, 32)
    plain = model(x).numpy()
    store_bfloat16(model)
    got = model(x).numpy()
    assert 0 < np.abs(got - plain).max() < 0.05 * np.abs(plain).max()
    save_weights(model, tmp_path / "half.safetensors", dtype="bfloat16")
    other = get_model("resnet20").eval()
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(other(x), got)
    np.testing.assert_array_equal(copy.deepcopy(model)(x), got)
    saved = read_weights(tmp_path / "half.safetensors")
    np.testing.assert_array_equal(saved["layer1.0.conv1.weight"], model.layer1[0].conv1.weight)
    np.testing.assert_allclose(nn.fuse(model)(x), got, atol=1e-4)


def test_a_weight_that_two_layers_share_is_stored_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    store_bfloat16(model)
    assert model[1].weight is model[0].weight


def test_stored_weights_cannot_be_written_to_or_moved() -> None:
    model = store_bfloat16(nn.Sequential(nn.Linear(3, 3)))
    with pytest.raises(ValueError, match="read-only"):
        model[0].weight.copy_(np.zeros((3, 3), np.float32))
    with pytest.raises(TypeError, match="store_bfloat16: such a model stays on the CPU"):
        model.to(np.float64)
    with pytest.raises(TypeError, match="store_bfloat16: such a model stays on the CPU"):
        store_bfloat16(nn.Linear(2, 2).to(np.float64))


@pytest.mark.parametrize("keep", [store_bfloat16, nn.fuse])
def test_nothing_is_loaded_into_weights_that_are_read_only(keep: Any) -> None:
    model = keep(nn.Sequential(nn.Conv2d(2, 3, 1), nn.Linear(4, 4)).eval())
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"0\.weight is read-only"):
        model.load_state_dict({key: value + 1 for key, value in before.items()})
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key])


# The example


def test_the_example_runs(tmp_path: Path) -> None:
    """With weights that have learnt nothing but the scale of pictures: colours tell enough."""
    pytest.importorskip("skimage")
    pytest.importorskip("PIL")
    cv.manual_seed(0)
    model = get_model("mobilenet_v2")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model(Tensor(RNG.standard_normal((8, 3, 16, 16)).repeat(4, 2).repeat(4, 3).astype(np.float32)))
    save_weights(model, tmp_path / "weights.safetensors")
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "weights.safetensors", "--size", "64", "--count", "8"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    label, accuracy = done.stdout.split()
    assert label == "accuracy"
    assert float(accuracy.rstrip("%")) > 25
