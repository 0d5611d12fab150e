"""`convolith finetune`: a network learns the classes of a folder of pictures."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import convolith as cv
from convolith.cli import main
from convolith.data import ImageNetTransform
from convolith.models import get_model
from convolith.train import BEST, LAST, finetune
from convolith.train.classifier import load_classifier
from convolith.weights import save_weights

Image = pytest.importorskip("PIL.Image")

COMMAND = ["finetune", "--model", "resnet20", "--weights", "weights.safetensors"]
COMMAND += ["--data", "pictures", "--head-lr", "0.01", "--out", "out"]
FILES = sorted([BEST, LAST, "classes.txt", "history.csv", "result.json"])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that have learnt nothing, and twenty pictures each of red and of blue noise."""
    monkeypatch.chdir(tmp_path)
    cv.manual_seed(0)
    save_weights(get_model("resnet20"), "weights.safetensors")
    rng = np.random.default_rng(0)
    for name, colour in (("blue", (60, 90, 180)), ("red", (180, 90, 60))):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.normal(colour, 30, (48, 40, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number:02}.png")


def result() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path("out/result.json").read_text())
    return values


def changed() -> set[str]:
    """The entries of the checkpoint that are not those of the weights."""
    before, after = load_file("weights.safetensors"), load_file(f"out/{LAST}")
    return {
        name
        for name, array in before.items()
        if array.shape != after[name].shape or (array != after[name]).any()
    }


def test_the_head_learns_two_classes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--epochs", "15", "--batch-size", "4", "--seed", "3"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for words in (
        "32 pictures of 2 classes to train, 8 to validate; 130 of 269,202 parameters learn, 15 epo",
        "validation accuracy 100.00%",
        f"use it: convolith predict out/{LAST} IMAGE",
    ):
        assert words in said.out
    assert sorted(path.name for path in Path("out").iterdir()) == FILES
    assert changed() == {"fc.weight", "fc.bias"}
    expected = {"val_accuracy": 1, "classes": ["blue", "red"], "parameters": 269_202}
    expected |= {"learning_parameters": 130, "epochs": 15, "head_lr": 0.01, "seed": 3}
    assert {name: result()[name] for name in expected} == expected
    assert Path("out/classes.txt").read_text() == "blue\nred\n"
    with Path("out/history.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 15

    assert main(["predict", f"out/{LAST}", "pictures/red/03.png", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    best, other = row["classes"]
    assert (best["name"], other["name"]) == ("red", "blue")
    assert best["probability"] > 0.9


def test_the_checkpoint_repeats_what_was_validated() -> None:
    """The head was trained on features alone, and the whole network gives the same."""
    settings = finetune.Settings("weights.safetensors", "pictures", "resnet20", epochs=3)
    job = finetune.prepare(settings, "out")
    assert next(iter(job.training))[0].shape == (16, 64)
    job.run()
    classifier = load_classifier(f"out/{LAST}")
    assert (classifier.classes, classifier.name) == (["blue", "red"], "resnet20")
    assert classifier.transform.size == 32
    folder = Path("pictures")
    files = [f for name in classifier.classes for f in sorted((folder / name).iterdir())]
    pictures = finetune.prepare(replace(settings, augment=True)).validation.dataset
    losses = []
    for index in pictures.indices:  # those of the same seed
        image = ImageNetTransform(32)(files[index])
        losses.append(-np.log(classifier.probabilities(image)[index // 20]))
    assert np.mean(losses) == pytest.approx(job.trainer.history[-1]["val_loss"], abs=1e-5)


def test_equal_seeds_give_equal_bits() -> None:
    for out in ("one", "two"):
        assert main([*COMMAND[:-1], out, "--epochs", "2"]) == 0
    one, two = (load_file(f"{out}/{LAST}") for out in ("one", "two"))
    assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in two.items()}


def test_augmented_pictures_and_a_part_that_learns() -> None:
    """Running statistics of what is frozen stay, whatever is trained around them."""
    options = ["--augment", "--freeze", "conv1.*", "bn1.*", "layer[12].*", "--epochs", "1"]
    assert main([*COMMAND, *options, "--batch-size", "16"]) == 0
    parts = {name.split(".")[0] for name in changed()}
    assert parts == {"layer3", "fc"}
    assert {"layer3.0.bn1.running_mean", "layer3.0.bn1.weight"} < changed()
    assert result()["freeze"] == ["conv1.*", "bn1.*", "layer[12].*"]
    assert result()["augment"] is True


def test_nothing_frozen_and_learning_rates_of_two_parts() -> None:
    assert main([*COMMAND, "--freeze", "--epochs", "1", "--batch-size", "32"]) == 0
    assert result()["learning_parameters"] == result()["parameters"]
    before, after = load_file("weights.safetensors"), load_file(f"out/{LAST}")
    step = np.abs(after["conv1.weight"] - before["conv1.weight"]).max()
    assert step == pytest.approx(1e-4, rel=0.01)  # Adam's first step is the learning rate, --lr


def test_ctrl_c_leaves_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def two_epochs(job: finetune.Job) -> None:
        job.trainer.fit(job.training, job.validation, 2)
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune.Job, "run", two_epochs)
    assert main([*COMMAND, "--epochs", "4"]) == 130
    assert capsys.readouterr().err == (
        "convolith: interrupted after 2 of 4 epochs; "
        f"what it has learnt: convolith predict out/{LAST} IMAGE\n"
    )
    assert main(["predict", f"out/{LAST}", "pictures/blue/00.png"]) == 0

    def at_once(job: finetune.Job) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune.Job, "run", at_once)
    assert main([*COMMAND[:-1], "other"]) == 130
    assert "in the first epoch: there is no checkpoint yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "none"], "none: No such file or directory"),
        (["--data", "pictures/blue"], "blue: holds no folders, expected one for each class"),
        (["--weights", "none"], "none: No such file or directory"),
        (["--model", "resnet18"], "weights.safetensors: load_weights: the weights do not fit"),
        (["--model", "lenet5"], "lenet5: it is for images of 1 channel"),
        (["--freeze", "layer9.*"], "freeze: no parameter matches 'layer9.*'"),
        (["--freeze", "*"], "Adam: there are no parameters to optimize"),
        (["--validation", "0"], "pictures: 40 pictures of 2 classes are too few to set 0% aside"),
        (["--out", "weights.safetensors"], "output folder not writable"),
    ],
)
def test_failures_are_one_sentence(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, "--epochs", "1", *options]) == 1
    said = capsys.readouterr().err
    assert said.startswith("convolith: ")
    assert words in said
    assert said.count("\n") == 1


def test_one_class_and_broken_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    broken = Path("pictures/blue/05.png")
    broken.write_bytes(broken.read_bytes()[:100])
    assert main(COMMAND) == 1
    assert "05.png: not a picture that Pillow can read" in capsys.readouterr().err
    Path("pictures/red").rename("elsewhere")
    assert main(COMMAND) == 1
    assert "pictures: one class, expected a folder for each of several" in capsys.readouterr().err


def test_predict_with_a_checkpoint_of_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--epochs", "1", "--model", "perceptron", "--out", "digits"]) == 0
    digits = f"digits/{LAST}"
    with pytest.raises(SystemExit) as caught:
        main(["predict", digits, "pictures/blue/00.png", "--top", "2"])
    assert caught.value.code == 2
    assert "are not for a checkpoint that reads digits" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", digits, "pictures/blue/00.png", "pictures/blue/01.png"])
    assert "reads one digit at a time" in capsys.readouterr().err
    with pytest.raises(ValueError, match="but not of `convolith finetune`"):
        load_classifier(digits)
