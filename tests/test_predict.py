"""Pictures for trained networks, maps of what they see, and the command that names pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, data, nn, viz
from convolith.cli import main
from convolith.models import get_model
from convolith.weights import save_weights

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


def noise(width: int, height: int, mode: str = "RGB") -> Any:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8))


# The transform


@pytest.mark.parametrize(
    ("width", "height", "scaled", "corner"),
    [
        (451, 300, (384, 256), (80, 16)),
        (300, 451, (256, 384), (16, 80)),
        (256, 256, (256, 256), (16, 16)),
        (100, 61, (419, 256), (98, 16)),  # 97.5 is rounded to the even number
    ],
)
def test_transform_has_the_bits_of_the_published_pipeline(
    width: int, height: int, scaled: tuple[int, int], corner: tuple[int, int]
) -> None:
    """Sizes are those that torchvision 0.29 computes, resampling is Pillow's."""
    picture = noise(width, height)
    small = np.asarray(picture.resize(scaled, Image.Resampling.BILINEAR))
    left, top = corner
    crop = small[top : top + 224, left : left + 224].transpose(2, 0, 1)
    expected = (crop.astype(np.float32) / np.float32(255) - MEAN) / STD
    transform = data.ImageNetTransform()
    for given in (picture, np.asarray(picture).transpose(2, 0, 1)):
        x = transform(given)
        assert (x.shape, x.dtype) == ((3, 224, 224), np.float32)
        assert x.tobytes() == np.ascontiguousarray(expected).tobytes()


def test_transform_of_other_sizes() -> None:
    picture = noise(90, 50)
    for size, resize in ((224, 256), (299, 342), (32, 37)):
        assert data.ImageNetTransform(size).resize == resize
    small = np.asarray(picture.resize((72, 40), Image.Resampling.BICUBIC))[4:36, 20:52]
    transform = data.ImageNetTransform(32, 40, (0, 0, 0), (1, 1, 1), "bicubic")
    np.testing.assert_array_equal(transform.crop(picture), small.transpose(2, 0, 1))
    np.testing.assert_allclose(transform(picture) * 255, transform.crop(picture), rtol=1e-6)


def test_pictures_of_every_kind_are_upright_and_rgb(tmp_path: Path) -> None:
    upright = noise(40, 60)
    exif = Image.Exif()
    exif[0x0112] = 6  # as cameras say that the top is at the right
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(data.read_picture(tmp_path / "turned.png"), upright)

    grey = noise(8, 8, "L")
    grey.save(tmp_path / "grey.png")
    expected = np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(data.read_picture(tmp_path / "grey.png"), expected)
    assert np.asarray(data.read_picture(tmp_path / "grey.png", "L")).shape == (8, 8)

    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 4, 8))
    clear.save(tmp_path / "clear.png")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.paste(0, (0, 0, 4, 8))
    palette.save(tmp_path / "palette.png", transparency=b"\x00\xff")
    for name in ("clear.png", "palette.png"):
        pixels = np.asarray(data.read_picture(tmp_path / name))
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert pixels[7, 7].tolist() == [10, 20, 30]


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    noise(40, 40).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    (tmp_path / "text.png").write_text("no picture")
    for name in ("half.png", "text.png"):
        with pytest.raises(ValueError, match=f"{name}: not a picture that Pillow can read"):
            data.ImageNetTransform()(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        data.ImageNetTransform()(tmp_path / "none.png")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 0}, "size is 0, expected at least 1"),
        ({"size": 64, "resize": 63}, "resize is 63, expected at least the size, 64"),
        ({"interpolation": "cubic"}, "interpolation is 'cubic', expected one of nearest"),
    ],
)
def test_transform_refuses(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"ImageNetTransform: {words}"):
        data.ImageNetTransform(**arguments)
    with pytest.raises(ValueError, match=r"is \(4, 4, 3\) uint8, expected a file"):
        data.ImageNetTransform()(np.zeros((4, 4, 3), np.uint8))


def test_class_names() -> None:
    names = data.imagenet_classes()
    assert len(set(names)) == len(names) == 1000
    known = {0: "tench", 281: "tabby", 285: "Egyptian cat", 967: "espresso", 999: "toilet tissue"}
    assert {number: names[number] for number in known} == known


# Maps


def pooling_network() -> nn.Module:
    """Convolution, batch norm, ReLU, global average pooling, linear."""
    cv.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, stride=2),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(5, 4),
    )


def test_class_activation_is_the_map_of_zhou_where_the_mean_is_pooled() -> None:
    model, image = pooling_network(), RNG.standard_normal((3, 9, 9)).astype(np.float32)
    model.eval()
    x = Tensor(image[None])
    features = model[2](model[1](model[0](x))).numpy()[0].astype(np.float64)  # (5, 4, 4)
    weight, bias = model[5].weight.numpy(), model[5].bias.numpy()
    maps = np.einsum("kc,chw->khw", weight, features) / 16
    logits = model(x).numpy()[0]
    np.testing.assert_allclose(maps.sum((1, 2)) + bias, logits, atol=1e-5)
    for target in (None, 0, 3):
        got = viz.class_activation(model, image, target, layer="2")
        coarse = np.maximum(maps[logits.argmax() if target is None else target], 0)
        expected = cv.reference.interpolate2d_forward(
            coarse[None, None], size=(9, 9), mode="bilinear"
        )
        np.testing.assert_allclose(got, expected[0, 0], atol=1e-6)
        np.testing.assert_array_equal(viz.class_activation(model, image, target), got)


def test_class_activation_weighs_channels_by_the_mean_slope() -> None:
    """Of an earlier layer, against finite differences."""
    cv.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 2)
    ).to(np.float64)
    image = RNG.standard_normal((1, 8, 8))
    maps = model[1](model[0](Tensor(image[None]))).numpy()

    def logit(maps: np.ndarray) -> float:
        x = Tensor(maps)
        for layer in list(model)[2:]:
            x = layer(x)
        return float(x.numpy()[0, 1])

    slopes = []
    for channel in range(3):
        step = np.zeros_like(maps)
        step[:, channel] = 1e-6 / 36  # all positions at once: the sum of slopes, over 36
        slopes.append((logit(maps + step) - logit(maps - step)) / 2e-6)
    coarse = np.maximum(np.einsum("c,chw->hw", slopes, maps[0]), 0)
    expected = cv.reference.interpolate2d_forward(coarse[None, None], size=(8, 8), mode="bilinear")
    got = viz.class_activation(model, image, 1, layer="1")
    np.testing.assert_allclose(got, expected[0, 0], atol=1e-6)


def test_maps_leave_the_model_as_it_was() -> None:
    model, image = pooling_network(), np.ones((3, 9, 9), np.float32)
    model[1].eval()
    model[0].weight.requires_grad = False
    before = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    viz.class_activation(model, image)
    viz.occlusion(model, image, window=4, stride=2)
    assert [m.training for m in model] == [True, False, True, True, True, True]
    assert [p.requires_grad for p in model.parameters()] == [False] + 5 * [True]
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor, before[name])


def test_occlusion_is_what_hiding_costs() -> None:
    """Of two classes, one of which looks at a single pixel."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    weight = np.zeros((2, 36), np.float32)
    weight[1, 2 * 6 + 3] = 2
    model[1].weight.copy_(weight)
    model[1].bias.copy_(np.zeros(2, np.float32))
    image = np.full((1, 6, 6), 1.0, np.float32)
    drop = 1 / (1 + np.exp(-2)) - 0.5
    got = viz.occlusion(model, image, window=3, stride=2, batch_size=3)
    # Squares begin at 0, 2 and 3: the pixel (2, 3) is in those that begin at 0, 2 and at 2, 3.
    hides = {(i, j): i <= 2 < i + 3 and j <= 3 < j + 3 for i in (0, 2, 3) for j in (0, 2, 3)}
    expected = np.zeros((6, 6))
    for y, x in np.ndindex(6, 6):
        over = [h for (i, j), h in hides.items() if i <= y < i + 3 and j <= x < j + 3]
        expected[y, x] = drop * np.mean(over)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    other = viz.occlusion(model, image, target=0, window=3, stride=2)
    np.testing.assert_allclose(other, -expected, atol=1e-6)
    assert not viz.occlusion(model, image, window=3, value=1.0, stride=3).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: viz.class_activation(m, x, 4), "target is 4, and the model has 4 classes"),
        (lambda m, x: viz.class_activation(m, x, layer="7"), "there is no layer '7'"),
        (lambda m, x: viz.class_activation(m, x, layer="4"), r"the layer gave \(1, 5\), expected"),
        (lambda m, x: viz.class_activation(m[5], x[0, :2, :5]), "no layer gives channels"),
        (lambda m, x: viz.class_activation(m[0], x), r"gave \(1, 5, 4, 4\), expected logits"),
        (lambda m, x: viz.occlusion(m, x, -1, 4, 4), "target is -1, and the model has 4 classes"),
        (lambda m, x: viz.occlusion(m, x), "window is 32, expected 1 to 9"),
        (lambda m, x: viz.occlusion(m, x, window=4, stride=5), "stride is 5, expected 1 to the"),
        (lambda m, x: viz.overlay(x, x[0, :3]), r"picture is \(3, 9, 9\) and the map \(3, 9\)"),
    ],
)
def test_maps_refuse(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(pooling_network(), np.zeros((3, 9, 9), np.float32))


def test_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    picture, heat = RNG.random((3, 6, 4)), RNG.standard_normal((6, 4))
    (axes,) = viz.overlay(picture, heat, "a cat", tmp_path / "map.png").axes
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert axes.get_title() == "a cat"
    np.testing.assert_allclose(axes.images[1].get_array(), np.maximum(heat, 0))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "convolith\[plot\]"'):
        viz.overlay(picture, heat)


# The command

NAMES = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures, weights of ResNet-20, and names of its ten classes."""
    monkeypatch.chdir(tmp_path)
    cv.manual_seed(0)
    save_weights(get_model("resnet20"), tmp_path / "weights.safetensors")
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    noise(50, 40).save(tmp_path / "one.png")
    noise(40, 70).save(tmp_path / "two.png")
    return tmp_path


PREDICT = ["predict", "--model", "resnet20", "--weights", "weights.safetensors"]
NAMED = [*PREDICT, "--classes", "names.txt"]


def expected_probabilities(path: Path) -> np.ndarray:
    cv.manual_seed(0)
    model = get_model("resnet20").eval()
    image = data.ImageNetTransform(32)(path)
    logits = model(Tensor(image[None])).numpy()[0].astype(np.float64)
    return np.asarray(np.exp(logits) / np.exp(logits).sum())


def test_predict_names_the_most_probable_classes(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*NAMED, "one.png", "two.png", "--top", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line[0] != " "] == ["one.png", "two.png"]
    for picture, rows in (("one.png", lines[1:4]), ("two.png", lines[5:])):
        p = expected_probabilities(files / picture)
        order = np.argsort(-p)[:3]
        assert [row.split()[0] for row in rows] == [NAMES[i] for i in order]
        shown = [float(row.split()[1].rstrip("%")) for row in rows]
        np.testing.assert_allclose(shown, 100 * p[order], atol=0.006)


def test_predict_as_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*NAMED, "one.png", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    p = expected_probabilities(files / "one.png")
    assert row["file"] == "one.png"
    assert [entry["index"] for entry in row["classes"]] == np.argsort(-p)[:5].tolist()
    for entry in row["classes"]:
        assert entry["name"] == NAMES[entry["index"]]
        assert entry["probability"] == pytest.approx(p[entry["index"]], abs=1e-6)


def test_predict_draws_maps(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert main([*NAMED, "one.png", "--cam", "cam.png", "--occlusion", "occ.png"]) == 0
    assert main([*NAMED, "one.png", "two.png", "--cam", "maps/cam.png"]) == 1
    assert "maps" in capsys.readouterr().err
    (files / "maps").mkdir()
    assert main([*NAMED, "one.png", "two.png", "--cam", "maps/cam.png"]) == 0
    drawn = [files / name for name in ("cam.png", "occ.png")]
    drawn += [files / "maps" / name for name in ("cam-one.png", "cam-two.png")]
    assert sorted((files / "maps").iterdir()) == drawn[2:]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    (files / "other").mkdir()
    noise(40, 40).save(files / "other/one.png")
    assert main([*NAMED, "one.png", "other/one.png", "--cam", "cam.png"]) == 1
    assert "two pictures are named one" in capsys.readouterr().err


def test_predict_with_an_option_of_the_network(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GoogLeNet's torchvision weights expect images in [-1, 1]."""
    model = get_model("googlenet", transform_input=True, num_classes=10).eval()
    save_weights(model, files / "weights.safetensors")
    command = [*NAMED, "one.png", "--size", "64", "--json", "--model", "googlenet"]
    assert main([*command, "--model-option", "transform_input=true"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    logits = model(Tensor(data.ImageNetTransform(64)(files / "one.png")[None])).numpy()[0]
    best = row["classes"][0]
    assert best["index"] == logits.argmax()
    expected = 1 / np.exp(logits - logits.max()).sum()
    assert best["probability"] == pytest.approx(expected, abs=1e-6)
    assert main([*command, "--model-option", "transform=true"]) == 1
    assert "unexpected keyword argument 'transform'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*NAMED, "names.txt"], "names.txt: not a picture that Pillow can read"),
        ([*NAMED, "none.png"], "none.png: No such file or directory"),
        ([*PREDICT, "one.png"], "weights for 10 classes, and there are 1000 names"),
        (["predict", "--model", "resnet18", *PREDICT[3:], "one.png"], "do not fit ResNet: "),
        (["predict", "--model", "resnet2", *PREDICT[3:], "one.png"], "there is no 'resnet2'; did"),
        (
            ["predict", "--model", "lenet5", *PREDICT[3:], "x.png", "--size", "9"],
            "lenet5: it is for images of 1",
        ),
        ([*PREDICT[:3], "--weights", "names.txt", "one.png"], "names.txt: neither safetensors nor"),
    ],
)
def test_predict_fails_in_one_sentence(
    arguments: list[str], words: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("convolith: ")
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "--weights", "x", "one.png"], "--model says which"),
        (
            ["predict", "x", "one.png", "--model", "resnet20"],
            "--model: such options go with",
        ),
        ([*PREDICT, "one.png", "--top", "0"], "argument --top: 0 is not at least 1"),
    ],
)
def test_predict_wrong_usage(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
