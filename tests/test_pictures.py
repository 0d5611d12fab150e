"""Pictures: what was drawn on them, and what they leave alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, metrics, nn, viz
from convolith.train import GradientNorm, lr_find
from convolith.train.lr_finder import LRCurve
from test_train import make

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)


def images_of(figure: Any) -> list[np.ndarray]:
    """The pictures on a figure."""
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def titles_of(figure: Any) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.images]


def labels_of(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def network() -> nn.Module:
    cv.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 10, 3), nn.Flatten()
    )


def test_curves() -> None:
    rows = [{"epoch": n, "loss": 1 / n, "accuracy": 1 - 1 / n, "val_loss": 2 / n} for n in (1, 2)]
    loss, accuracy = viz.curves(rows).axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    np.testing.assert_allclose(loss.lines[1].get_ydata(), [2, 1])
    (line,) = accuracy.lines
    np.testing.assert_allclose(line.get_ydata(), [0, 50])


def test_confusion() -> None:
    matrix = metrics.confusion_matrix(np.array([0, 1, 1, 2, 2, 2]), np.array([0, 1, 2, 2, 2, 2]))
    (axes,) = viz.confusion(matrix, ["cat", "dog", "fish"]).axes
    np.testing.assert_allclose(axes.images[0].get_array(), [[1, 0, 0], [0, 1, 0], [0, 0.25, 0.75]])
    assert labels_of(axes.xaxis) == labels_of(axes.yaxis) == ["cat", "dog", "fish"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "1", (1, 1): "1", (1, 2): "1", (2, 2): "3"}
    shares = viz.confusion(matrix / 6).axes[0]
    assert [text.get_text() for text in shares.texts] == ["0.17", "0.17", "0.17", "0.50"]
    assert labels_of(shares.xaxis) == ["0", "1", "2"]
    with pytest.raises(ValueError, match="confusion: 2 names for 3 classes"):
        viz.confusion(matrix, ["a", "b"])


def test_filters() -> None:
    for channels, shape in ((1, (3, 3)), (2, (3, 3)), (3, (3, 3, 3))):
        layer = nn.Conv2d(channels, 10, 3)
        figure = viz.filters(layer)
        assert titles_of(figure) == [str(number) for number in range(10)]
        assert {image.shape for image in images_of(figure)} == {shape}
    weight = layer.weight.numpy()[4, 2]
    drawn = images_of(viz.filters(layer, channel=2))[4]
    expected = (weight - weight.min()) / (weight.max() - weight.min())
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="filters: channel is 3, and the filters have 3"):
        viz.filters(layer, channel=3)


def test_feature_maps() -> None:
    model, image = network(), RNG.standard_normal((1, 8, 8)).astype(np.float32)
    model[1].eval()
    figure = viz.feature_maps(model, image)
    assert titles_of(figure) == [f"0: {n}" for n in range(3)] + [f"3: {n}" for n in range(8)]
    shapes = [picture.shape for picture in images_of(figure)]
    assert shapes == 3 * [(6, 6)] + 8 * [(4, 4)]
    maps = model[0](Tensor(image[None])).numpy()[0, 1]
    expected = (maps - maps.min()) / (maps.max() - maps.min())
    np.testing.assert_allclose(images_of(figure)[1], expected, rtol=1e-5, atol=1e-6)
    assert titles_of(viz.feature_maps(model, Tensor(image[None]), ["2"], limit=2)) == [
        "2: 0",
        "2: 1",
    ]
    assert [module.training for module in model.modules()] == [True, True, False, True, True, True]
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("layers", "words"),
    [(["9"], "there is no layer '9', only , 0, 1"), (["4"], r"4 gave \(1, 160\), expected \(1, C")],
)
def test_feature_maps_of_what_has_none(layers: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=f"feature_maps: {words}"):
        viz.feature_maps(network(), np.zeros((1, 8, 8)), layers)


@pytest.mark.parametrize("channels", [1, 3])
def test_mistakes(channels: int) -> None:
    images = RNG.random((12, channels, 5, 4))
    target = np.arange(12) % 3
    predicted = target.copy()
    predicted[[2, 5, 7, 8, 9, 11]] = [0, 1, 2, 0, 1, 0]
    figure = viz.mistakes(images, Tensor(predicted), target)
    assert titles_of(figure) == ["2 > 0", "2 > 1", "1 > 2", "2 > 0", "0 > 1", "2 > 0"]
    assert len(images_of(figure)) == 6
    few = viz.mistakes(images, predicted, target, ["cat", "dog", "fish"], limit=2)
    assert titles_of(few) == ["fish > cat", "fish > dog"]
    expected = images[2, 0] if channels == 1 else np.moveaxis(images[2], 0, 2)
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    np.testing.assert_allclose(images_of(few)[0], expected)
    assert images_of(viz.mistakes(images, target, target)) == []


def test_landscape_is_the_loss_along_normalised_filters() -> None:
    """Of |w - c|^2 it is a paraboloid; how far a step of 1 goes is the norm of the filter."""
    model = network().eval()
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    weights = [name for name, p in model.named_parameters() if p.ndim > 1]

    def distance() -> float:
        return float(sum(((p.numpy() - before[n]) ** 2).sum() for n, p in model.named_parameters()))

    axis, values = viz.landscape(model, distance, extent=0.5, steps=5, seed=3)
    np.testing.assert_allclose(axis, [-0.5, -0.25, 0, 0.25, 0.5])
    assert values[2, 2] == 0
    squares = sum((before[name].astype(np.float64) ** 2).sum() for name in weights)
    np.testing.assert_allclose(values[2], axis**2 * squares, rtol=1e-4)
    np.testing.assert_allclose(values[:, 2], axis**2 * squares, rtol=1e-4)
    for name, p in model.named_parameters():
        assert p.numpy().tobytes() == before[name].tobytes()


def test_landscape_puts_the_weights_back_after_an_error() -> None:
    model = network()
    before = model[0].weight.numpy().copy()

    def fail() -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        viz.landscape(model, fail)
    np.testing.assert_array_equal(model[0].weight, before)


def test_loss_landscape_of_a_trained_network() -> None:
    trainer, *loaders = make(None)
    trainer.fit(*loaders, epochs=4)

    def loss() -> float:
        return trainer.evaluate(loaders[1])["loss"]

    centre = loss()
    _, values = viz.landscape(trainer.model, loss, steps=3)
    assert values[1, 1] == centre
    axes, bar = viz.loss_landscape(trainer.model, loss, steps=5).axes
    assert axes.get_xlim() == axes.get_ylim() == (-1, 1)
    assert bar.get_ylabel() == "loss"
    assert len(axes.collections) >= 1
    assert loss() == centre


def test_gradient_flow() -> None:
    trainer, *loaders = make(None)
    trainer.callbacks = [GradientNorm()]
    history = trainer.fit(*loaders, epochs=3)
    (axes,) = viz.gradient_flow(history).axes
    assert labels_of(axes.xaxis) == ["0", "1", "5"]
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["epoch 1", "epoch 3"]
    expected = [history[1][f"grad_norm.{name}"] for name in ("0", "1", "5")]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), expected)
    with pytest.raises(ValueError, match="gradient_flow: the history has no norms; train with"):
        viz.gradient_flow([{"epoch": 1}])


def test_lr_curve() -> None:
    curve = LRCurve([1e-3, 1e-2, 1e-1], [3.0, 2.0, 9.0], [3.0, 2.5, np.nan], 1e-2)
    (axes,) = viz.lr_curve(curve).axes
    assert axes.get_xscale() == "log"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [3, 2, 9])
    np.testing.assert_allclose(axes.lines[2].get_xdata(), [1e-2, 1e-2])
    assert axes.get_legend().get_texts()[2].get_text() == "suggestion: 0.01"
    trainer, loader, _ = make(None)
    assert len(viz.lr_curve(lr_find(trainer, loader, end=0.1, steps=12)).axes[0].lines) == 3


PICTURES = {
    "confusion": lambda path: viz.confusion(np.eye(3, dtype=np.int64), path=path),
    "curves": lambda path: viz.curves([{"epoch": 1, "loss": 1, "accuracy": 1}], path),
    "feature_maps": lambda path: viz.feature_maps(network(), np.ones((1, 8, 8)), path=path),
    "filters": lambda path: viz.filters(nn.Conv2d(1, 2, 3), path=path),
    "gradient_flow": lambda path: viz.gradient_flow([{"epoch": 1, "grad_norm.0": 1.0}], path),
    "loss_landscape": lambda path: viz.loss_landscape(
        network(), lambda: float(RNG.random()), steps=3, path=path
    ),
    "lr_curve": lambda path: viz.lr_curve(LRCurve([1, 2], [2, 1], [2, 1], 1), path),
    "mistakes": lambda path: viz.mistakes(
        np.ones((1, 1, 4, 4)), np.zeros(1), np.ones(1), path=path
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_written_and_need_matplotlib(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PICTURES[name](tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "convolith\[plot\]"'):
        PICTURES[name](None)
