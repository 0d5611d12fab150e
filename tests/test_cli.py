"""The command line: what it writes, what it says, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from PIL import Image
from safetensors.numpy import load_file, save_file

import convolith as cv
from convolith.cli import main
from convolith.train import BEST, LAST, recipe, save_checkpoint
from test_data import write_mnist

COMMAND = [sys.executable, "-m", "convolith"]


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A folder of 60 training and 20 test images of noise."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    write_mnist(folder, train=60, test=20, suffix=".gz")
    return folder


@pytest.fixture
def run(mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a finished run of two epochs."""
    out = tmp_path / "run"
    assert main(["train", "--data", str(mnist), "--epochs", "2", "--out", str(out)]) == 0
    capsys.readouterr()
    return out


def test_train_writes_everything(
    mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = "--epochs 3 --batch-size 16 --optimizer adam --lr 0.01 --seed 7 --threads 1"
    variant = "--activation relu --pool max"
    threads = cv.get_num_threads()
    try:
        status = main(
            ["train", "--data", str(mnist), "--out", str(out), *arguments.split(), *variant.split()]
        )
    finally:
        cv.set_num_threads(threads)
    said = capsys.readouterr()
    assert status == 0
    assert said.err == ""
    for words in (
        "61,706 parameters, 833,040 FLOPs",
        "MaxPool2d",
        "57 images to train, 3 to validate, 20 to test; 3 epochs on 1 threads",
        "test accuracy ",
        "<- predicted",
        "images/s",
        f"written to {out}: {BEST}, {LAST}, history.csv, result.json, curves.png",
    ):
        assert words in said.out
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [BEST, LAST, "curves.png", "history.csv", "result.json"]
    )
    result = json.loads((out / "result.json").read_text())
    assert result["parameters"] == 61_706
    assert result["test_accuracy"] + result["test_error"] == 1
    assert result["images_per_second"] > 0
    assert result["seconds"] > 0
    expected: dict[str, Any] = {
        "version": cv.__version__,
        "threads": 1,
        "activation": "relu",
        "pool": "max",
        "data": str(mnist.resolve()),
        "epochs": 3,
        "batch_size": 16,
        "optimizer": "adam",
        "lr": 0.01,
        "seed": 7,
    }
    assert {key: result[key] for key in expected} == expected
    with (out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[0]["lr"]) == 0.01


def test_a_folder_under_runs_is_the_default(
    mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--data", str(mnist), "--epochs", "1"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("lenet5-")
    assert (folder / BEST).is_file()


def test_without_matplotlib_it_says_how_to_get_it(
    mnist: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out = tmp_path / "out"
    assert main(["train", "--data", str(mnist), "--epochs", "1", "--out", str(out)]) == 0
    assert capsys.readouterr().out.endswith(
        'result.json\ncurves need matplotlib: pip install "convolith[plot]"\n'
    )
    assert not (out / "curves.png").exists()


def test_training_learns_the_embedded_digits(tmp_path: Path) -> None:
    assert main(["train", "--epochs", "2", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["test_accuracy"] > 0.9
    assert result["data"] is None
    with (tmp_path / "history.csv").open() as file:
        first, second = csv.DictReader(file)
    assert float(second["loss"]) < float(first["loss"])


def test_eval_repeats_the_result_of_training(
    mnist: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = json.loads((run / "result.json").read_text())
    assert main(["eval", str(run / LAST), "--data", str(mnist)]) == 0
    said = capsys.readouterr().out
    assert f"test accuracy {result['test_accuracy']:.2%}" in said
    assert "of 20 wrong" in said
    assert main(["eval", str(run / BEST)]) == 0
    assert "of 2,000 wrong" in capsys.readouterr().out


def test_predict(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digit = cv.data.load_digits().test_images[0, 0]
    Image.fromarray(255 - digit).save(tmp_path / "digit.png")
    assert main(["predict", str(run / BEST), str(tmp_path / "digit.png")]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    probabilities = [float(row.split()[1].rstrip("%")) for row in rows]
    model, normalize, _ = recipe.load_classifier(run / BEST)
    logits = recipe.predict(model, normalize(digit[None, None]))[0].astype(np.float64)
    expected = 100 * np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(probabilities, expected, atol=0.006)
    assert head == f"digit {np.argmax(expected)}"


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    said = capsys.readouterr().out
    for words in (
        cv.__version__,
        "ISA",
        "threads",
        "compiler",
        np.__version__,
        "devices",
        "GPU",
    ):
        assert words in said


def test_interrupted_and_resumed_is_as_never_interrupted(
    mnist: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--data", str(mnist), "--epochs", "4", "--seed", "3"]
    assert main(["train", *options, "--out", str(tmp_path / "whole")]) == 0
    capsys.readouterr()

    def two_epochs(job: recipe.Job) -> None:
        job.trainer.fit(job.train_loader, job.val_loader, 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recipe.Job, "run", two_epochs)
        assert main(["train", *options, "--out", str(tmp_path / "parts")]) == 130
    last = tmp_path / "parts" / LAST
    assert capsys.readouterr().err == (
        f"convolith: interrupted after 2 of 4 epochs; go on with: convolith train --resume {last}\n"
    )
    assert main(["train", "--resume", str(last.parent)]) == 0
    for name in (BEST, LAST):
        expected, got = (load_file(tmp_path / run / name) for run in ("whole", "parts"))
        assert {k: v.tobytes() for k, v in expected.items()} == {
            k: v.tobytes() for k, v in got.items()
        }
    one, two = (
        json.loads((tmp_path / run / "result.json").read_text()) for run in ("whole", "parts")
    )
    assert one["test_accuracy"] == two["test_accuracy"]
    assert two["seed"] == 3


def test_resume_of_a_finished_run_measures_it_again(run: Path) -> None:
    before = json.loads((run / "result.json").read_text())
    (run / "result.json").unlink()
    assert main(["train", "--resume", str(run / LAST)]) == 0
    assert json.loads((run / "result.json").read_text()) == before


def test_resume_where_only_the_last_checkpoint_is(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (run / LAST).rename(other / LAST)
    assert main(["train", "--resume", str(other)]) == 0
    assert (other / BEST).is_file()


def take_ctrl_c() -> None:
    """As on a terminal, also where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_a_whole_checkpoint(mnist: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["train", "--data", str(mnist), "--epochs", "1000000", "--out", str(out)]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=take_ctrl_c,
    ) as process:
        try:
            end = time.monotonic() + 60
            while not (out / LAST).exists() and time.monotonic() < end:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err.startswith("convolith: interrupted after ")
    assert err.endswith(f"go on with: convolith train --resume {out / LAST}\n")
    assert err.count("\n") == 1
    assert sorted(path.name for path in out.iterdir()) == [BEST, "history.csv", LAST]
    _, _, info = recipe.load_classifier(out / LAST)
    assert f"after {len(info['history'])} of" in err


def test_ctrl_c_before_the_first_checkpoint(
    mnist: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    arguments = ["train", "--data", str(mnist), "--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr(recipe.Job, "run", interrupt)
        assert main(arguments) == 130
    assert capsys.readouterr().err == (
        "convolith: interrupted in the first epoch: there is nothing to resume yet\n"
    )
    monkeypatch.setattr(recipe, "prepare", interrupt)
    assert main(arguments) == 130
    assert capsys.readouterr().err == "convolith: interrupted\n"


# How it fails: exit status, one sentence, no traceback


USAGE = {
    "nothing": ([], "required: COMMAND"),
    "unknown command": (["learn"], "invalid choice: 'learn'"),
    "unknown option": (["train", "--depth", "3"], "unrecognized arguments: --depth 3"),
    "epochs": (["train", "--epochs", "0"], "argument --epochs: 0 is not at least 1"),
    "batch": (["train", "--batch-size", "x"], "argument --batch-size: invalid integer value: 'x'"),
    "lr": (["train", "--lr", "-1"], "argument --lr: -1.0 is not a positive number"),
    "lr nan": (["train", "--lr", "nan"], "argument --lr: nan is not a positive number"),
    "seed": (["train", "--seed", "-1"], "argument --seed: -1 is not in 0 ... 2**64 - 1"),
    "threads": (["train", "--threads", "0"], "argument --threads: 0 is not at least 1"),
    "activation": (["train", "--activation", "elu"], "argument --activation: invalid choice"),
    "optimizer": (["train", "--optimizer", "lion"], "argument --optimizer: invalid choice"),
    "no checkpoint": (["eval"], "required: CHECKPOINT"),
    "no image": (["predict", "x"], "required: IMAGE"),
    "resume with settings": (
        ["train", "--resume", "x", "--lr", "1", "--batch-size", "3", "--out", "y"],
        "its run: leave out --batch-size, --lr, --out",
    ),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_is_2(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = USAGE[name]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def spoil(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def foreign(path: Path) -> Path:
    save_file({"w": np.zeros(2)}, path)
    return path


def other_job(path: Path) -> Path:
    save_checkpoint(path, {}, {"config": {}})
    return path


FAILURES = {
    "no data": (lambda run: ["train", "--data", str(run / "x")], "no file train-images"),
    "corrupt data": (
        lambda run: [
            "eval",
            str(run / BEST),
            "--data",
            str(spoil(run.parent / "mnist" / "t10k-images-idx3-ubyte.gz", 100).parent),
        ],
        "corrupt or truncated gzip",
    ),
    "no checkpoint": (lambda run: ["eval", str(run / "x")], "x: No such file or directory"),
    "truncated": (lambda run: ["eval", str(spoil(run / BEST, 900))], "no whole safetensors file"),
    "truncated, resumed": (
        lambda run: ["train", "--resume", str(spoil(run / LAST, 900))],
        "no whole safetensors file",
    ),
    "foreign": (lambda run: ["eval", str(foreign(run / BEST))], "no checkpoint of convolith"),
    "other job": (lambda run: ["eval", str(other_job(run / BEST))], "not of `convolith train`"),
    "no image": (lambda run: ["predict", str(run / BEST), "x.png"], "x.png: No such file"),
    "bad image": (
        lambda run: ["predict", str(run / BEST), str(run / "result.json")],
        "not a picture that Pillow can read",
    ),
    "output is a file": (
        lambda run: ["train", "--out", str(run / LAST / "x")],
        "output folder not writable",
    ),
    "halves on the CPU": (
        lambda run: ["train", "--out", str(run), "--precision", "bfloat16"],
        "autocast: the CPU has no kernels for halves; move the model to 'cuda' or 'emu'",
    ),
    "explodes": (
        lambda run: [
            "train",
            "--data",
            str(run.parent / "mnist"),
            "--out",
            str(run),
            "--lr",
            "1e30",
            "--activation",
            "relu",
        ],
        "the loss became",
    ),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_1_and_one_sentence(
    name: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = FAILURES[name]
    given = arguments(run)
    assert main(given) == 1
    said = capsys.readouterr().err
    assert said.startswith("convolith: ")
    assert words in said
    assert said.count("\n") == 1
    assert "Traceback" not in said
    with pytest.raises((ValueError, OSError, ArithmeticError), match=r"\w"):
        main([*given, "--debug"])


def test_an_unwritable_folder_is_found_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unexpected(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(recipe, "prepare", unexpected)
    (tmp_path / "file").write_bytes(b"")
    assert main(["train", "--out", str(tmp_path / "file")]) == 1
    assert f"{tmp_path / 'file'}: output folder not writable" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "train", "eval", "predict", "info"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command.split(), "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    if command:
        assert f"example: convolith {command}" in said
        assert "--debug" in said
    if command == "train":
        for default in ("default tanh", "default avg", "default 64", "0.05 for sgd", "default 0"):
            assert default in said


def test_as_a_process(tmp_path: Path) -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)

    version = call("--version")
    assert (version.returncode, version.stdout) == (0, f"convolith {cv.__version__}\n")
    assert call("train", "--epochs", "none").returncode == 2
    failed = call("eval", str(tmp_path / "none"))
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == f"convolith: {tmp_path / 'none'}: No such file or directory\n"
    debug = call("eval", str(tmp_path / "none"), "--debug")
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        denied = call("train", "--out", str(tmp_path / "out"))
        assert denied.returncode == 1
        assert "Permission denied" in denied.stderr


needs_emulator = pytest.mark.skipif("emu" not in cv.devices(), reason="this build has none")


@needs_emulator
def test_a_run_in_halves_is_told_so_and_gives_float32(
    mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "halves"
    options = "--device emu --precision float16 --epochs 1"
    assert main(["train", "--data", str(mnist), "--out", str(out), *options.split()]) == 0
    assert json.loads((out / "result.json").read_text())["precision"] == "float16"
    assert {array.dtype.name for array in load_file(out / LAST).values()} == {"float32"}
    said = capsys.readouterr().out
    assert main(["eval", str(out / LAST), "--data", str(mnist)]) == 0
    (accuracy,) = [line for line in said.splitlines() if line.startswith("test accuracy")]
    assert accuracy in capsys.readouterr().out  # parameters are float32, and so is the test


@needs_emulator
def test_profile_counts_every_access(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shapes = ["--shape", "1,4,6,6", "--weight", "8,4,3,3", "--padding", "1"]
    file = tmp_path / "counts.json"
    assert main(["profile", "conv2d_forward", *shapes, "--json", str(file)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("20,736 FLOPs in all\n")
    for words in ("conv2d_forward: ", "lanes active", "barriers", "gemm.hpp:", "global read"):
        assert words in said
    counts = json.loads(file.read_text())
    assert counts["options"]["weight"] == [8, 4, 3, 3]
    assert counts["faults"] == []
    assert counts["flops"] == 2 * 8 * 6 * 6 * 4 * 3 * 3
    written = [line for line in counts["lines"] if line["access"] == "write"]
    (y,) = [line for line in written if line["memory"] == "global"]
    assert y["bytes"] == 4 * 8 * 6 * 6


@needs_emulator
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["conv3d_forward", "--shape", "1,2,3"], "no primitive 'conv3d_forward'; there are conv2d"),
        (["conv2d_forward", "--shape", "1,2,3,3", "--weight", "4,3,3,3"], "x has 2 channels but w"),
    ],
)
def test_profile_says_what_it_cannot_do(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", *arguments]) != 0
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("fuse", [False, True])
def test_export_a_checkpoint(
    run: Path, tmp_path: Path, fuse: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "digits.onnx"
    assert main(["export", str(run / LAST), str(file), *(["--fuse"] if fuse else [])]) == 0
    model, normalize, _ = recipe.load_classifier(run / LAST)
    said = capsys.readouterr().out
    assert said.startswith(f"{file}: takes images (batch, 1, 28, 28), their pixels from 0 to 1")
    assert f"less {normalize.mean}, divided by {normalize.std}" in said
    x = np.random.default_rng(0).standard_normal((2, 1, 28, 28), np.float32)
    (logits,) = ReferenceEvaluator(str(file)).run(None, {"input": x})
    np.testing.assert_allclose(logits, recipe.predict(model, x), rtol=1e-4, atol=1e-5)


def test_export_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "resnet20.onnx"
    assert main(["export", "resnet20", str(file), "--opset", "18"]) == 0
    assert capsys.readouterr().out == f"{file}: takes images (batch, 3, 32, 32)\n"
    assert [each.version for each in onnx.load(file).opset_import] == [18]
    assert main(["export", "resnte20", str(tmp_path / "x.onnx")]) == 1
    error = "convolith: resnte20: no such file, and no such network; did you mean resnet20?\n"
    assert capsys.readouterr().err == error
    assert [path.name for path in tmp_path.iterdir()] == ["resnet20.onnx"]
