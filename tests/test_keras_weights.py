"""Weights in files of Keras, against a network in Keras's own layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith import Tensor, models, nn
from convolith.weights import KerasLayer, load_keras, read_keras, read_weights

h5py = pytest.importorskip("h5py")

Layers = dict[str, tuple[str, dict[str, np.ndarray]]]  # class and variables by name
EPSILON = 1e-5


def random(*shape: int) -> np.ndarray:
    """The same at every call."""
    return np.random.default_rng(sum(shape)).uniform(0.5, 1.5, shape).astype(np.float32)


def keras_layers() -> Layers:
    """For images (8, 7, 3)."""
    norm = {name: random(4) + i for i, name in enumerate(["gamma", "beta"])}
    moving = {"moving_mean": random(4) * 9, "moving_variance": random(4)}
    return {
        "conv2d": ("Conv2D", {"kernel": random(3, 2, 3, 4), "bias": random(4)}),
        "batch_normalization": ("BatchNormalization", norm | moving),
        "depthwise_conv2d": ("DepthwiseConv2D", {"kernel": random(3, 3, 4, 2)}),
        "separable_conv2d": (
            "SeparableConv2D",
            {
                "depthwise_kernel": random(1, 2, 8, 1),
                "pointwise_kernel": random(1, 1, 8, 5),
                "bias": random(5),
            },
        ),
        "flatten": ("Flatten", {}),
        "dense": ("Dense", {"kernel": random(4 * 3 * 5, 6), "bias": random(6)}),
        "dense_1": ("Dense", {"kernel": random(6, 2), "bias": random(2)}),
    }


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, (3, 2), bias=False),
        nn.BatchNorm2d(4, eps=EPSILON),
        nn.Conv2d(4, 8, 3, groups=4, bias=False),
        nn.Conv2d(8, 8, (1, 2), groups=8, bias=False),
        nn.Conv2d(8, 5, 1),
        nn.Flatten(),
        nn.Linear(60, 6),
        nn.Linear(6, 2),
    )


def windows(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """(N, P, Q, C, R, S) of an image (N, H, W, C)."""
    return np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return np.einsum("npqcrs,rsck->npqk", windows(x, kernel), kernel)


def by_depth(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    y = np.einsum("npqcrs,rscm->npqcm", windows(x, kernel), kernel)
    return y.reshape(*y.shape[:3], -1)


def outputs(layers: Layers, x: np.ndarray) -> np.ndarray:
    """Of the network as Keras computes it, for images (N, H, W, C)."""
    conv, norm, depthwise, separable, _, dense, last = [v for _, v in layers.values()]
    x = convolved(x, conv["kernel"]) + conv["bias"]
    x = (x - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + EPSILON)
    x = x * norm.get("gamma", 1) + norm["beta"]
    x = by_depth(by_depth(x, depthwise["kernel"]), separable["depthwise_kernel"])
    x = convolved(x, separable["pointwise_kernel"]) + separable["bias"]
    x = x.reshape(len(x), -1) @ dense["kernel"] + dense["bias"]
    return x @ last["kernel"] + last["bias"]


def write_keras2(path: Path, layers: Layers) -> None:
    """Weights alone, as keras.applications has them."""
    with h5py.File(path, "w") as file:
        fill(file, layers, ":0")


def write_model(path: Path, layers: Layers) -> None:
    """A whole model as Keras 3 writes it."""
    with h5py.File(path, "w") as file:
        described = [
            {"class_name": kind, "config": {"name": name}} for name, (kind, _) in layers.items()
        ]
        file.attrs["model_config"] = json.dumps({"config": {"layers": described}})
        fill(file.create_group("model_weights"), layers, "")


def fill(root: Any, layers: Layers, end: str) -> None:
    root.attrs["layer_names"] = [name.encode() for name in layers]
    for name, (kind, variables) in layers.items():
        group = root.create_group(name)
        old = end and kind == "DepthwiseConv2D"
        given = {"depthwise_kernel" if old else key: a for key, a in variables.items()}
        group.attrs["weight_names"] = [f"{name}/{key}{end}".encode() for key in given]
        for key, array in given.items():
            group[f"{name}/{key}{end}"] = array


def write_keras3(path: Path, layers: Layers) -> None:
    """.weights.h5, whose groups have names of classes and come in the order of the alphabet."""
    with h5py.File(path, "w") as file:
        for name, (_, variables) in layers.items():
            group = file.create_group(f"layers/{name}/vars")
            group.attrs["name"] = name
            for i, array in enumerate(variables.values()):
                group[str(i)] = array


WRITERS = [write_keras2, write_model, write_keras3]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("scale", [True, False])
def test_the_model_computes_what_keras_does(
    tmp_path: Path, write: Callable[[Path, Layers], None], scale: bool
) -> None:
    layers, path = keras_layers(), tmp_path / "weights.h5"
    if not scale:
        del layers["batch_normalization"][1]["gamma"]
    write(path, layers)
    model = network()
    # A file of Keras 3 does not say that the separable convolution is the last one.
    source = read_keras(path, flattened=5) if write is write_keras3 else path
    report = load_keras(model, source)
    assert report.complete
    x = random(2, 8, 7, 3)
    got = model.eval()(Tensor(x.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_allclose(got, outputs(layers, x.astype(np.float64)), rtol=1e-4)


def test_layers_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["conv2d"] + [f"conv2d_{i}" for i in range(1, 12)]
    layers: Layers = {
        n: ("Conv2D", {"kernel": random(1, 1, 2, 2) + i}) for i, n in enumerate(names)
    }
    write_keras3(tmp_path / "a.h5", layers)
    assert [layer.name for layer in read_keras(tmp_path / "a.h5")] == names
    # By depth, as Keras lists the layers of a model with branches, but not as they were made.
    write_model(tmp_path / "b.h5", {n: layers[n] for n in names[::2] + names[1::2]})
    model = nn.Sequential(*[nn.Conv2d(2, 2, 1, bias=False) for _ in names])
    load_keras(model, tmp_path / "b.h5")
    for module, (_, variables) in zip(model, layers.values(), strict=True):
        np.testing.assert_array_equal(module.weight, variables["kernel"].transpose(3, 2, 0, 1))


def residual(name: str, *shape: int) -> KerasLayer:
    return KerasLayer(name, "conv", {"weight": random(*shape), "bias": random(shape[0])})


def test_names_of_keras_resnets() -> None:
    """The shortcut comes before the last convolution there, in the same shape."""
    shortcut, last = "conv2_block1_0", "conv2_block1_3"
    norms = [
        KerasLayer(f"{name}_bn", "batch_norm", {"running_mean": np.full(256, i, np.float32)})
        for i, name in enumerate([shortcut, last])
    ]
    convolutions = [
        residual(f"{shortcut}_conv", 256, 64, 1, 1),
        residual(f"{last}_conv", 256, 64, 1, 1),
    ]
    model = models.resnet50()
    report = load_keras(model, [*convolutions, *norms], strict=False)
    assert len(report.loaded) == 2 + 2 * 3  # weight, bias and mean of a batch norm
    assert report.unexpected == []
    state = model.state_dict()
    for name, layer, i in (("downsample.1", convolutions[0], 0), ("bn3", convolutions[1], 1)):
        mean = state[f"layer1.0.{name}.running_mean"]
        np.testing.assert_allclose(mean, i - layer.arrays["bias"])


def test_orders_that_disagree_are_refused() -> None:
    narrow, wide = residual("x", 4, 3, 1, 1), residual("y", 5, 3, 1, 1)
    model = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Conv2d(3, 4, 1))
    with pytest.raises(
        ValueError, match=r"x comes before y, but their places .*, 1 and 0, the other"
    ):
        load_keras(model, [narrow, wide])
    load_keras(model, [narrow, wide], rename={"x": "1", "y": "0"})
    np.testing.assert_array_equal(model[0].weight, wide.arrays["weight"])


def test_what_has_no_place_is_reported() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Linear(4, 2))
    given = [
        residual("x", 4, 3, 1, 1),
        residual("top", 2, 4),
        KerasLayer("e", "other", {"0": random(2)}),
    ]
    words = "2 loaded, 4 missing .*, 3 unexpected .x.weight, x.bias, e.0."
    with pytest.raises(ValueError, match=words):
        load_keras(model, given)


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x80\x02no HDF5")
    with pytest.raises(ValueError, match=r"a\.h5: no HDF5 file"):
        read_keras(path)
    with h5py.File(path, "w") as file:
        file["x"] = random(3)
    with pytest.raises(ValueError, match=r"a\.h5: an HDF5 file, but without layers of Keras"):
        read_keras(path)
    with pytest.raises(ValueError, match=r"a\.h5: an HDF5 file; read_keras reads those"):
        read_weights(path)
    with h5py.File(path, "w") as file:  # a terabyte that was never written
        file.create_dataset("layers/dense/vars/0", (1 << 19, 1 << 19), "f4", chunks=True)
    with pytest.raises(ValueError, match="its arrays are larger than the file"):
        read_keras(path)
    with pytest.raises(FileNotFoundError):
        read_keras(tmp_path / "nowhere.h5")


def test_dense_layers_that_cannot_be_flattened(tmp_path: Path) -> None:
    write_keras2(tmp_path / "a.h5", keras_layers())
    with pytest.raises(ValueError, match="dense has 60 inputs, no multiple of 7 channels"):
        read_keras(tmp_path / "a.h5", flattened=7)
    dense = {n.name: n for n in read_keras(tmp_path / "a.h5", flattened=1)}["dense"]
    np.testing.assert_array_equal(dense.arrays["weight"].T, random(60, 6))
