"""The package as a whole: names, versions, imports, what is global."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import convolith as cv
from convolith import _C, config, primitives, reference

HEAVY = ("tqdm", "safetensors", "PIL", "matplotlib", "onnx", "argparse", "convolith.train")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_import_brings_nothing_heavy() -> None:
    out = python("import sys, json, convolith; print(json.dumps(list(sys.modules)))")
    loaded = set(json.loads(out))
    assert "convolith.tensor" in loaded
    assert not loaded.intersection(HEAVY)


def test_every_public_name_is_there() -> None:
    for name in cv.__all__:
        assert getattr(cv, name) is not None
    assert set(cv.__all__) <= set(dir(cv))
    with pytest.raises(AttributeError, match="no attribute 'conv3d'"):
        cv.conv3d  # noqa: B018


def test_every_module_can_be_imported_and_says_what_it_is() -> None:
    for module in pkgutil.walk_packages(cv.__path__, "convolith."):
        if module.name not in ("convolith.__main__", "convolith._C"):
            assert importlib.import_module(module.name).__doc__, module.name


def test_version() -> None:
    assert importlib.metadata.version("convolith") == cv.__version__
    assert (Path(cv.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", reference.__all__)
def test_primitives_wear_what_the_reference_says(name: str) -> None:
    primitive, specification = getattr(primitives, name), getattr(reference, name)
    assert inspect.signature(primitive) == inspect.signature(specification)
    assert primitive.__doc__ == specification.__doc__
    assert primitive.__doc__
    assert primitive.__module__ == "convolith.primitives"
    assert hasattr(_C, name)


def test_every_public_thing_is_documented() -> None:
    packages = ("nn", "optim", "data", "models", "metrics", "train", "viz")
    for package in packages:
        module = getattr(cv, package)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                assert thing.__doc__, f"{package}.{name}"


def test_show_config(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_OPTIONAL", (("no_such_module", "dreams", "sleep"),))
    assert cv.show_config() is None
    rows = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert rows["convolith"].strip() == cv.__version__
    assert rows["ISA"].strip().startswith(_C.isa())
    assert rows["NumPy"].strip() == np.__version__
    assert rows["devices"].strip() == ", ".join(cv.devices())
    assert "GPU" in rows["GPU"] or "driver" in rows["GPU"] or rows["GPU"].strip() == "ready"
    assert rows["no_such_module"].strip() == "missing, needed for dreams: sleep"


def test_threads_are_settable() -> None:
    before = cv.get_num_threads()
    try:
        cv.set_num_threads(1)
        assert cv.get_num_threads() == 1
    finally:
        cv.set_num_threads(before)
    assert cv.get_num_threads() == before >= 1


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "missing a required argument: 'x'"),
        ((np.zeros((1, 1, 3, 3)),), {}, "missing a required argument: 'w'"),
        ((1, 2, 3, 4), {}, "too many positional arguments"),
        ((1, 2), {"strides": 2}, "unexpected keyword argument 'strides'"),
    ],
)
def test_wrong_arguments_get_one_sentence(
    args: tuple[object, ...], kwargs: dict[str, int], words: str
) -> None:
    with pytest.raises(TypeError, match=words) as raised:
        primitives.conv2d_forward(*args, **kwargs)
    assert str(raised.value).startswith("conv2d_forward: ")
    assert "\n" not in str(raised.value)


def test_unknown_isa_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "convolith", "info"],
        env={**os.environ, "CONVOLITH_ISA": "sse9"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("convolith: CONVOLITH_ISA: 'sse9' is not available")
    assert done.stderr.count("\n") == 1


def test_forced_isa_serves() -> None:
    for isa in _C.available_isas():
        code = "from convolith import _C; print(_C.isa())"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "CONVOLITH_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == isa


def test_forked_child_computes() -> None:
    code = """
import os, numpy as np
from convolith import primitives as p, set_num_threads
set_num_threads(2)
x = np.ones((64, 8, 32, 32), np.float32)
w = np.ones((8, 8, 3, 3), np.float32)
y = p.conv2d_forward(x, w)
child = os.fork()
if child == 0:
    os._exit(0 if (p.conv2d_forward(x, w) == y).all() else 1)
print(os.waitpid(child, 0)[1])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "0"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_threads_keep_their_processors() -> None:
    # After a pause they may wake on one processor, and part: where they may run stays as it was.
    code = """
import os, time, numpy as np
from pathlib import Path
from convolith import primitives as p, set_num_threads
set_num_threads(2)
x = np.ones((1024, 1024), np.float32)
for _ in range(10):
    p.sigmoid_forward(x)
    time.sleep(0.02)
status = [t.read_text() for t in Path("/proc/self/task").glob("*/status")]
print(len({line for text in status for line in text.splitlines() if "Cpus_allowed:" in line}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "1"


def test_only_the_entry_point_is_exported() -> None:
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", _C.__file__], capture_output=True, text=True, check=True
    ).stdout
    exported = {line.split()[-1] for line in listing.splitlines()}
    assert exported == {"PyInit__C"}


def test_symbol_check_finds_strangers(tmp_path: Path) -> None:
    source = tmp_path / "kernels.cpp"
    source.write_text(
        "namespace convolith::avx2 { void ours() {} }\n"
        "template <class T> __attribute__((noinline)) T shared(T x) { return x + 1; }\n"
        "template int shared(int);\n"
    )
    object_file = tmp_path / "kernels.o"
    subprocess.run(["c++", "-c", str(source), "-o", str(object_file)], check=True)
    check = Path(__file__).parent.parent / "cmake" / "check_symbols.py"
    done = subprocess.run(
        [sys.executable, str(check), "--isa", "avx2", str(object_file)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "shared" in done.stderr
    assert "ours" not in done.stderr
