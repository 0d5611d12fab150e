"""The options of `convolith train`: TOML, the command line, and what they build."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith import Tensor, nn, optim
from convolith._spelling import did_you_mean
from convolith.cli import main
from convolith.data.cifar import CIFAR10_RELEASES, CIFAR100_RELEASES
from convolith.models import CNN, MLP, LeNet5, Perceptron
from convolith.train import BEST, LAST, EarlyStopping, LRScheduler, build, recipe
from convolith.train.options import options, read_toml, write_toml
from convolith.train.settings import (
    AUGMENTATIONS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    Execution,
    Settings,
)
from test_cli import mnist  # noqa: F401  a fixture
from test_datasets import cifar_files, write_folder

KNOWN = options(Settings, Execution)


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["train", "--print-config", *arguments]) == 0
    return capsys.readouterr().out


def test_the_command_line_goes_before_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = toml(
        tmp_path, 'model = "mlp"\nwidths = [30, 20]\nlr = 1\nseed = 5\nloss_options = {a = 1}\n'
    )
    out = printed(capsys, "--config", str(file), "--seed", "6", "--epochs", "3")
    values = read_toml(toml(tmp_path, out), KNOWN)
    assert values["model"] == "mlp"
    assert values["widths"] == [30, 20]
    assert values["lr"] == 1
    assert (values["seed"], values["epochs"]) == (6, 3)
    assert values["loss_options"] == {"a": 1}
    assert "# data is not set\n" in out


def test_what_is_printed_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", "cnn", "--data", 'a "b" \\ c', "--lr", "1e-05", "--out", "x", "--ema"]
    arguments += ["0.5", "--optimizer-options", "momentum=0.1", "nesterov=true", "note=é", "l=[1]"]
    first = printed(capsys, *arguments)
    assert printed(capsys, "--config", str(toml(tmp_path, first))) == first
    values = read_toml(tmp_path / "run.toml", KNOWN)
    assert values["data"] == str(Path('a "b" \\ c').resolve())
    assert values["optimizer_options"] == {
        "momentum": 0.1,
        "weight_decay": 0.0005,
        "nesterov": True,
        "note": "é",
        "l": [1],
    }
    assert (values["lr"], values["out"]) == (1e-5, "x")


def test_every_option_is_on_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = capsys.readouterr().out
    shown = printed(capsys)
    for name, field in KNOWN.items():
        assert f"--{name.replace('_', '-')} " in said
        assert name in shown
        assert field.metadata["help"].split()[0] in said
    defaults = {**asdict(Settings()), **asdict(Execution())}
    for name, value in defaults.items():
        if value is not None:
            KNOWN[name].metadata["kind"].check(value)


BAD = {
    "key": ('optimizr = "adam"', "there is no option 'optimizr'; did you mean optimizer?"),
    "foreign key": ("zzz = 1", "there is no option 'zzz'$"),
    "text for a number": ('epochs = "ten"', "epochs is 'ten', expected an integer"),
    "bool for a number": ("epochs = true", "epochs is True, expected an integer"),
    "fraction": ("epochs = 1.5", "epochs is 1.5, expected an integer"),
    "range": ("epochs = 0", "epochs is wrong: 0 is not at least 1"),
    "negative": ("lr = -1", "lr is wrong: -1 is not a positive number"),
    "nan": ("lr = nan", "lr is wrong: nan is not a positive number"),
    "share": ("dropout = 1.0", r"dropout is wrong: 1.0 is not in \[0, 1\)"),
    "seed": ("seed = -1", r"seed is wrong: -1 is not in 0 ... 2\*\*64 - 1"),
    "choice": ('optimizer = "adm"', "is 'adm', expected one of .*; did you mean adam?"),
    "list": ("widths = 3", "widths is 3, expected a list of integers"),
    "list of texts": (
        'widths = ["3"]',
        r"widths is wrong: \['3'\] are not all whole numbers above",
    ),
    "table": ("loss_options = 3", "loss_options is 3, expected a table NAME=VALUE"),
    "syntax": ("epochs = ", "not TOML: "),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_explained(name: str, tmp_path: Path, capsys: Any) -> None:
    text, words = BAD[name]
    path = toml(tmp_path, text)
    with pytest.raises(ValueError, match=words) as caught:
        read_toml(path, KNOWN)
    assert str(caught.value).startswith(str(path))
    assert main(["train", "--config", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"convolith: {path}: ")


def test_a_missing_or_binary_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", str(tmp_path / "x")]) == 1
    assert "x: No such file or directory" in capsys.readouterr().err
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    assert main(["train", "--config", str(tmp_path / "b")]) == 1
    assert "not TOML" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume", "x", "--config", "y"], "leave out --config"),
        (["--widths", "3,x"], "argument --widths: invalid list of integers value: '3,x'"),
        (["--widths", "3,0"], r"argument --widths: [3, 0] are not all whole numbers above 0"),
        (["--dropout", "1"], "argument --dropout: 1.0 is not in [0, 1)"),
        (["--loss-options", "x"], "argument --loss-options: invalid table NAME=VALUE value: 'x'"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", *arguments])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_suggestions() -> None:
    assert did_you_mean("momentun", ["momentum", "lr"]) == "; did you mean momentum?"
    assert did_you_mean("qqq", ["momentum", "lr"]) == ""


def test_numbers_of_toml_come_back() -> None:
    values = {**asdict(Settings(lr=1e-300)), **asdict(Execution())}
    assert "lr = 1e-300\n" in write_toml(values, KNOWN)


# What settings build


@pytest.mark.parametrize(
    ("settings", "kind", "parameters"),
    [
        (Settings(), LeNet5, 61_706),
        (Settings(model="mlp"), MLP, 669_706),
        (Settings(model="mlp", widths=[3]), MLP, 785 * 3 + 40),
        (Settings(model="cnn"), CNN, 241_546),
        (Settings(model="perceptron"), Perceptron, 7_850),
    ],
)
def test_networks(settings: Settings, kind: Any, parameters: int) -> None:
    model = build.network(build.resolved(settings), (1, 28, 28), 10)
    assert type(model) is kind
    assert sum(p.numpy().size for p in model.parameters()) == parameters


def test_lenet_reads_digits_only() -> None:
    with pytest.raises(ValueError, match=r"lenet5: the images are \(3, 32, 32\), expected \(1, 28"):
        build.network(Settings(), (3, 32, 32), 10)


def test_networks_of_the_literature_train_on_images_of_their_size() -> None:
    net = build.network(Settings(model="resnet20"), (3, 32, 32), 100)
    assert net.fc.weight.shape == (100, 64)
    with pytest.raises(ValueError, match=r"resnet20: the images are \(1, 28, 28\), expected"):
        build.network(Settings(model="resnet20"), (1, 28, 28), 10)
    with pytest.raises(ValueError, match="model_options: resnet20 has no 'width'"):
        build.network(Settings(model="resnet20", model_options={"width": 2}), (3, 32, 32), 10)
    with pytest.raises(ValueError, match="model_options: cnn takes none, and width came"):
        build.network(Settings(model="cnn", model_options={"width": 2}), (3, 32, 32), 10)


def test_defaults_depend_on_the_model_and_the_optimizer() -> None:
    usual = build.resolved(Settings())
    assert (usual.activation, usual.lr, usual.dropout) == ("tanh", 0.05, 0)
    assert usual.optimizer_options == {"momentum": 0.9, "weight_decay": 5e-4}
    cnn = build.resolved(Settings(model="cnn", optimizer="adam", activation="sigmoid"))
    assert (cnn.activation, cnn.lr, cnn.dropout) == ("sigmoid", 0.002, 0.5)
    assert cnn.optimizer_options == {}
    assert build.resolved(cnn) == cnn


def test_optimizer_and_schedule_get_their_options() -> None:
    model = nn.Linear(2, 2)
    settings = build.resolved(
        Settings(optimizer_options={"momentum": 0.5}, schedule_options={"eta_min": 0.01}, epochs=8)
    )
    made = build.optimizer(settings, model)
    assert isinstance(made, optim.SGD)
    assert made.param_groups[0]["momentum"] == 0.5
    assert made.param_groups[0]["weight_decay"] == 5e-4
    schedule = build.schedule(settings, made, steps=3)
    assert isinstance(schedule, LRScheduler)
    assert (schedule.scheduler.T_max, schedule.scheduler.eta_min) == (8, 0.01)
    assert build.schedule(Settings(schedule="none"), made, 3) is None
    assert build.loss(Settings(loss_options={"label_smoothing": 0.1})).label_smoothing == 0.1


def test_a_loss_that_compares_numbers_gets_one_hot_targets() -> None:
    class Keep(nn.Module):
        def forward(self, input: Tensor, target: Tensor) -> Tensor:
            return target

    logits, labels = Tensor(np.zeros((3, 4), np.float32)), Tensor(np.array([2, 0, 3]))
    np.testing.assert_array_equal(build.OneHot(Keep())(logits, labels), np.eye(4)[[2, 0, 3]])
    signs = build.OneHot(Keep(), off=-1.0)(logits, labels)
    np.testing.assert_array_equal(signs, 2 * np.eye(4)[[2, 0, 3]] - 1)
    mixed = Tensor(np.full((3, 4), np.float32(0.25)))
    assert build.OneHot(Keep())(logits, mixed) is mixed


NEEDED: dict[str, dict[str, Any]] = {
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "ExponentialLR": {"gamma": 0.5},
    "MultiStepLR": {"milestones": [1]},
    "StepLR": {"step_size": 1},
}
CHOICES: dict[str, dict[str, Any]] = {
    **{name: {"optimizer": name} for name in OPTIMIZERS},
    **{
        name: {"schedule": name, "schedule_options": NEEDED.get(name, {})}
        for name in (*SCHEDULES, "none")
    },
    **{name: {"loss": name} for name in LOSSES},
}


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_trains_and_is_resumed(
    name: str,
    mnist: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    settings = Settings(model="mlp", widths=[4], epochs=2, data=str(mnist), **CHOICES[name])
    job = recipe.prepare(settings, tmp_path)
    job.run()
    assert all(np.isfinite(row["loss"]) for row in job.trainer.history)
    again = recipe.prepare(settings, tmp_path)
    again.trainer.resume(tmp_path / LAST)
    assert again.trainer.history == job.trainer.history


@pytest.mark.parametrize(("dataset", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_photographs_are_learnt_and_measured(
    dataset: str, classes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = {"cifar10": CIFAR10_RELEASES, "cifar100": CIFAR100_RELEASES}[dataset][0]
    write_folder(tmp_path, release, cifar_files(release, np.random.default_rng(0)))
    folder, out = str(tmp_path), tmp_path / "out"
    options = ["--dataset", dataset, "--model", "cnn", "--augment", "cifar", "--epochs", "1"]
    assert main(["train", "--data", folder, "--out", str(out), *options]) == 0
    result = json.loads((out / "result.json").read_text())
    assert result["parameters"] <= 356_810 + (classes - 10) * 129
    capsys.readouterr()
    assert main(["eval", str(out / LAST), "--data", folder]) == 0
    assert f"test accuracy {result['test_accuracy']:.2%}" in capsys.readouterr().out
    assert main(["predict", str(out / LAST), "x.png"]) == 1
    assert "it reads pictures in colour, and no digits" in capsys.readouterr().err


def test_only_digits_are_embedded() -> None:
    with pytest.raises(ValueError, match="cifar10: its files are not embedded; data says where"):
        recipe.load_data(None, "cifar10")


@pytest.mark.parametrize("augment", sorted({*AUGMENTATIONS} - {"cifar"}))  # that is for 32x32
def test_every_augmentation_trains(augment: str, mnist: Path) -> None:  # noqa: F811
    job = recipe.prepare(Settings(augment=augment, data=str(mnist), epochs=1))
    job.run()
    assert np.isfinite(job.trainer.history[0]["loss"])


def test_one_cycle_steps_with_batches(mnist: Path, tmp_path: Path) -> None:  # noqa: F811
    options = ["--schedule", "OneCycleLR", "--lr", "0.1", "--batch-size", "8", "--epochs", "2"]
    assert main(["train", "--data", str(mnist), "--out", str(tmp_path), *options]) == 0
    with (tmp_path / "history.csv").open() as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    assert rates[0] == pytest.approx(0.1 / 25)  # the default of div_factor
    assert 0.05 < rates[1] < 0.1  # 8 of 16 steps later, behind the top


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"optimizer_options": {"momentun": 0.5}},
            "optimizer_options: SGD has no 'momentun'; did you mean momentum?",
        ),
        ({"optimizer_options": {"lr": 0.5}}, "optimizer_options: SGD has no 'lr'"),
        (
            {"schedule_options": {"eta_mim": 1}},
            "schedule_options: CosineAnnealingLR has no 'eta_mim'; did you mean eta_min?",
        ),
        ({"loss_options": {"smoothing": 1}}, "loss_options: CrossEntropyLoss has no 'smoothing'"),
    ],
)
def test_unknown_options_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe.prepare(Settings(**settings))


def test_patience_stops_and_takes_the_best() -> None:
    stopping, *_ = build.callbacks(Settings(patience=3), nn.Linear(1, 1), None)
    assert isinstance(stopping, EarlyStopping)
    assert (stopping.patience, stopping.restore_best) == (3, True)
    assert build.callbacks(Settings(), nn.Linear(1, 1), None) == []


@pytest.mark.parametrize("model", ["mlp", "cnn", "perceptron"])
def test_models_are_trained_measured_and_resumed(
    model: str,
    mnist: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    file = toml(tmp_path, f'model = "{model}"\nwidths = [8]\naugment = "none"\naccumulate = 2\n')
    options = ["--config", str(file), "--data", str(mnist), "--out", str(out), "--batch-size", "16"]
    assert main(["train", *options, "--epochs", "2", "--patience", "1"]) == 0
    result = json.loads((out / "result.json").read_text())
    assert (result["model"], result["accumulate"], result["patience"]) == (model, 2, 1)
    assert main(["train", "--resume", str(out)]) == 0
    assert json.loads((out / "result.json").read_text()) == result
    capsys.readouterr()
    assert main(["eval", str(out / BEST), "--data", str(mnist)]) == 0
    assert f"test accuracy {result['test_accuracy']:.2%}" in capsys.readouterr().out
    network, _, _ = recipe.load_classifier(out / LAST)
    assert type(network).__name__.lower() == model


def test_runs_are_named_after_the_model(
    mnist: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--model", "perceptron", "--data", str(mnist), "--epochs", "1"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("perceptron-")


def test_a_checkpoint_of_before_there_were_models_is_read(
    mnist: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    from convolith.train import load_checkpoint, save_checkpoint

    assert main(["train", "--data", str(mnist), "--epochs", "1", "--out", str(tmp_path)]) == 0
    arrays, info = load_checkpoint(tmp_path / LAST)
    old = ("activation", "pool", "data", "epochs", "batch_size", "optimizer", "lr", "seed")
    settings = {name: info["config"]["settings"][name] for name in old}
    config = {"settings": settings, "normalize": info["config"]["normalize"]}
    del info["callback_states"], info["format"]
    save_checkpoint(tmp_path / LAST, arrays, {**info, "config": config})
    model, _, _ = recipe.load_classifier(tmp_path / LAST)
    np.testing.assert_array_equal(model.state_dict()["c1.weight"], arrays["c1.weight"])
    assert main(["train", "--resume", str(tmp_path)]) == 0
