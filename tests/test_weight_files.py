"""Weights from files of others: what they say, and what they may not say."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith.weights import read_weights
from weight_files import (
    ORDERED,
    Made,
    Name,
    Raw,
    Reference,
    pickles_file,
    storage,
    tar_file,
    tensor,
    zip_file,
)

FILES = Path(__file__).parent / "files"
SIX = np.arange(6, dtype=np.float32)


def read(tmp_path: Path, raw: bytes) -> dict[str, np.ndarray]:
    (tmp_path / "weights").write_bytes(raw)
    return read_weights(tmp_path / "weights")


def same(got: np.ndarray, expected: np.ndarray) -> None:
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(got, expected)


def refused(tmp_path: Path, raw: bytes, words: str) -> None:
    """Quickly, in little memory, and naming the file."""
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ValueError, match=words) as caught:
        read(tmp_path, raw)
    assert str(caught.value).startswith(f"{tmp_path / 'weights'}: ")
    assert len(str(caught.value)) < 700
    assert time.process_time() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


# Files of PyTorch


@pytest.mark.parametrize("name", ["zip.pth", "pickles.pth"])
def test_checkpoints_that_pytorch_wrote(name: str) -> None:
    got = read_weights(FILES / name)
    expected = {
        "conv.weight": np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2),
        "conv.bias": np.array([0.5, -0.25], np.float32),
        "norm.weight": np.ones(2, np.float32),
        "norm.bias": np.zeros(2, np.float32),
        "norm.running_mean": np.zeros(2, np.float32),
        "norm.running_var": np.ones(2, np.float32),
        "norm.num_batches_tracked": np.array(0),
        "view": np.array([[4, 8], [6, 10]], np.float32),
        "tied": np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2),
        "half": np.array([1.5, -3], np.float32),  # bfloat16 in the file
        "mask": np.array([True, False]),
    }
    assert list(got) == list(expected)
    for key, array in expected.items():
        same(got[key], array)
    assert np.shares_memory(got["tied"], got["conv.weight"])
    got["tied"][0] = 9
    assert (got["conv.weight"][0] == 9).all()


KINDS = {
    "Double": "f8", "Float": "f4", "Half": "f2", "ComplexDouble": "c16", "ComplexFloat": "c8",
    "Long": "i8", "Int": "i4", "Short": "i2", "Char": "i1", "Byte": "u1",
}  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", KINDS)
def test_storages_of_every_dtype_in_either_order(tmp_path: Path, kind: str, order: str) -> None:
    values = np.arange(5).astype(KINDS[kind])
    raw = values.astype(values.dtype.newbyteorder(order)).tobytes()
    state = {"a": tensor(storage(kind, "0", 5, "cuda:0"), (5,), (1,))}
    named = "little" if order == "<" else "big"
    got = read(tmp_path, zip_file(state, {"0": raw}, order=named))["a"]
    same(got, values)


def test_bool_and_bfloat16(tmp_path: Path) -> None:
    state = {
        "mask": tensor(storage("Bool", "0", 3), (3,), (1,)),
        "half": tensor(storage("BFloat16", "1", 2), (2,), (1,)),
    }
    storages = {"0": b"\0\1\2", "1": struct.pack("<2H", 0x3FC0, 0xFF80)}
    got = read(tmp_path, zip_file(state, storages))
    assert got["mask"].tolist() == [False, True, True]
    assert got["half"].dtype == np.float32
    assert got["half"].tolist() == [1.5, -np.inf]
    bits = struct.pack(">2H", 0x3FC0, 0xFF80)
    got = read(tmp_path, zip_file(state, {"0": b"\0\0\0", "1": bits}, order="big"))
    assert got["half"].tolist() == [1.5, -np.inf]


def test_views_share_their_storage(tmp_path: Path) -> None:
    six = storage("Float", "0", 6)
    state = {
        "whole": tensor(six, (2, 3), (3, 1)),
        "transposed": tensor(six, (3, 2), (1, 3)),
        "column": tensor(six, (2,), (3,), 1),
        "number": tensor(six, (), (), 5),
        "nothing": tensor(six, (0, 4), (4, 1), 6),
        "expanded": tensor(six, (2, 4), (0, 0), 2),
    }
    got = read(tmp_path, zip_file(state, {"0": SIX.tobytes()}))
    assert got["transposed"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert got["column"].tolist() == [1, 4]
    assert (got["number"].shape, got["number"].item()) == ((), 5)
    assert got["nothing"].shape == (0, 4)
    assert got["expanded"].tolist() == [[2] * 4] * 2
    assert np.shares_memory(got["whole"], got["transposed"])


def test_the_other_ways_to_pickle_a_tensor(tmp_path: Path) -> None:
    six = storage("Float", "0", 6)
    plain = (six, 0, (6,), (1,))
    kept = (*plain, False, ORDERED)
    raw = Reference(("storage", Name("torch.storage.UntypedStorage"), "1", "cpu", 4))
    half = (raw, 0, (2,), (1,), False, ORDERED, Name("torch.uint16"))
    rebuild = "torch._utils._rebuild"
    state = {
        "old": Made(Name(f"{rebuild}_tensor"), plain),
        "parameter": Made(Name(f"{rebuild}_parameter"), (tensor(six, (6,), (1,)), True, ORDERED)),
        "attributes": Made(
            Name("torch._tensor._rebuild_from_type_v2"),
            (Name(f"{rebuild}_tensor_v2"), Name("torch.Tensor"), kept, {"tag": 3}),
        ),
        "metadata": tensor(six, (6,), (1,), 0, {"conj": False}),
        "untyped": Made(Name(f"{rebuild}_tensor_v3"), half),
    }
    storages = {"0": SIX.tobytes(), "1": struct.pack("<2H", 7, 65535)}
    got = read(tmp_path, zip_file(state, storages))
    for name in ("old", "parameter", "attributes", "metadata"):
        same(got[name], SIX)
    same(got["untyped"], np.array([7, 65535], np.uint16))


def test_plain_data_beside_weights_is_passed_over(tmp_path: Path) -> None:
    dtype = Made(Name("numpy.dtype"), ("f8", False, True))
    scalar = Made(Name("numpy.core.multiarray.scalar"), (dtype, "12345678"))
    checkpoint = {
        "epoch": 3,
        "args": Raw(b"cargparse\nNamespace\n)\x81}(X\x02\x00\x00\x00lrK\x01ub"),
        "best": scalar,
        "device": Made(Name("torch.device"), ("cuda", 0)),
        "counts": Made(Name("collections.defaultdict"), (Name("__builtin__.list"),)),
        "seen": Made(Name("__builtin__.set"), ([1, 2],)),
        "optimizer": {"state": {0: {"momentum": tensor(storage("Float", "9", 6), (6,), (1,))}}},
        "model_state_dict": {"w": tensor(storage("Float", "0", 6), (6,), (1,))},
    }
    got = read(tmp_path, zip_file(checkpoint, {"0": SIX.tobytes()}))  # 9 is not even there
    assert list(got) == ["w"]
    np.testing.assert_array_equal(got["w"], SIX)


@pytest.mark.parametrize("wrapper", ["", "state_dict", "model", "net", "state_dict_ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_are_taken_off(tmp_path: Path, wrapper: str, prefix: str) -> None:
    six = storage("Float", "0", 6)
    state: Any = {f"{prefix}a.weight": tensor(six, (6,), (1,)), f"{prefix}b": tensor(six, (), ())}
    value = {"arch": "resnet18", "extra": tensor(six, (), ()), wrapper: state}
    value = value if wrapper else state
    assert list(read(tmp_path, zip_file(value, {"0": SIX.tobytes()}))) == ["a.weight", "b"]


def test_several_networks_have_dotted_names(tmp_path: Path) -> None:
    six = storage("Float", "0", 6)
    value = {"G": {"w": tensor(six, (), (), 1)}, "D": {"w": tensor(six, (), (), 2)}}
    got = read(tmp_path, zip_file(value, {"0": SIX.tobytes()}))
    assert {name: array.item() for name, array in got.items()} == {"G.w": 1, "D.w": 2}


def test_files_of_pickles(tmp_path: Path) -> None:
    whole = storage("Float", "11", 6, "cuda:1", None)
    part = storage("Float", "11", 6, "cpu", ("12", 2, 3))
    state = {"a": tensor(whole, (2, 3), (3, 1)), "b": tensor(part, (3,), (1,))}
    got = read(tmp_path, pickles_file(state, {"11": (6, SIX.tobytes())}))
    assert got["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert got["b"].tolist() == [2, 3, 4]
    assert np.shares_memory(got["a"], got["b"])
    module = Reference(("module", Name("collections.OrderedDict"), "net.py", "class Net: ..."))
    refused(tmp_path, pickles_file(module, {}), "a whole module.* save its state_dict")


def test_files_of_python_2(tmp_path: Path) -> None:
    """OrderedDict as a list of pairs, and names that are its strings of bytes."""
    name = Raw(b"U\x01w")
    pairs = [[name, tensor(storage("Float", "0", 6, "cpu", None), (6,), (1,))]]
    state = Made(Name("collections.OrderedDict"), (pairs,))
    assert list(read(tmp_path, pickles_file(state, {"0": (6, SIX.tobytes())}))) == ["w"]


def test_tar_archives(tmp_path: Path) -> None:
    state = {"a": Reference("7"), "b": Reference(8)}
    storages = {3: ("Float", 6, SIX.tobytes())}
    tensors = {7: (3, (3, 2), (1, 3), 0), 8: (4, (2,), (1,), 1)}
    got = read(tmp_path, tar_file(state, storages, tensors, parts=((4, 3, 2, 3),)))
    assert got["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert got["b"].tolist() == [3, 4]
    module = Reference((Name("collections.OrderedDict"), "net.py", "class Net: ..."))
    refused(tmp_path, tar_file(module, storages, {}), "a whole module.* save its state_dict")


# Files that mean harm


def harmful(instructions: bytes) -> bytes:
    return zip_file({"a": Raw(instructions)}, {})


TEXT = b"X\x0c\x00\x00\x00touch harmed"
CALLS = {
    "GLOBAL and REDUCE": (b"cposix\nsystem\n" + TEXT + b"\x85R", "names posix.system"),
    "STACK_GLOBAL": (b"\x8c\x08builtins\x8c\x04eval\x93" + TEXT + b"\x85R", "names builtins.eval"),
    "INST": (b"(" + TEXT + b"ios\nsystem\n", "names os.system"),
    "OBJ": (b"(cos\nsystem\n" + TEXT + b"o", "names os.system"),
    "NEWOBJ": (b"csubprocess\nPopen\n" + TEXT + b"\x85\x81", "names subprocess.Popen"),
    "NEWOBJ_EX": (b"cargparse\nNamespace\n)}\x92", "instruction NEWOBJ_EX"),
    "a dotted name": (b"\x8c\x05torch\x8c\x09os.system\x93", "names torch.os.system"),
    "a name that is no string": (b"K\x01K\x02\x93", "a name that is no string"),
    "the registry of extensions": (b"\x82\x01", "instruction EXT1"),
    "deep inside": (b"]](}(K\x01cposix\nsystem\nue", "names posix.system"),
    "a pickle in a pickle": (b"ctorch.storage\n_load_from_bytes\n", "names torch.storage"),
    "import": (b"c__builtin__\n__import__\n", "names __builtin__.__import__"),
    "attributes of what stands for a class": (b"cargparse\nNamespace\n}b", "a state for a Call"),
    "a state for a dtype": (
        b"ctorch\nfloat32\n}(X\x04\x00\x00\x00nameX\x01\x00\x00\x00xub",
        "no tensors",
    ),
    "a call of a value": (b"ctorch\nfloat32\n)R", "a call of a DType"),
    "a call of a tensor's rebuilder with rubbish": (
        b"ctorch._utils\n_rebuild_tensor\n(K\x01K\x02K\x03K\x04tR",
        "a tensor without a storage",
    ),
    "a rebuilder that is none": (
        b"ctorch._tensor\n_rebuild_from_type_v2\n(X\x01\x00\x00\x00xNNNtR",
        "made by nothing known",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    instructions, words = CALLS[name]
    refused(tmp_path, harmful(instructions), words)
    refused(tmp_path, pickles_file({"a": Raw(instructions)}, {}), words)
    assert os.listdir() == ["weights"]


def doubled(start: bytes, pair: bytes, times: int = 100) -> bytes:
    """`start`, then again and again a pair of what there was before."""
    return start + b"q\x000" + (b"h\x00h\x00" + pair + b"q\x000") * times + b"h\x00"


def many(instructions: bytes, times: int = 100_000) -> bytes:
    """A million characters as place 0 of the memo, then a list of what these make of it."""
    million = b"X" + struct.pack("<I", 1_000_000) + b"x" * 1_000_000
    return million + b"q\x000](" + instructions * times + b"e"


ENCODED = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
BOMBS = {
    "lists of lists": doubled(b"]", b"\x86"),
    "dicts of dicts": b"}q\x000" + b"}(K\x01h\x00\x8c\x01bh\x00uq\x000" * 60 + b"h\x00",
    "a key that takes ages to hash": b"}" + doubled(b")", b"\x86") + b"K\x01s",
    "a key that is long": b"}X\xff\xff\x00\x00" + b"x" * 0xFFFF + b"Ns",
    "a key that nests too deep to hash": b"})" + b"\x85" * 100_000 + b"K\x01s",
    "a text encoded again and again": many(ENCODED, 5000),
    "a memo of four billion places": b"]r\xff\xff\xff\xff",
    "a text of 2**63 bytes": b"\x8d" + struct.pack("<Q", 1 << 63),
    "bytes of 2**40": b"\x8e" + struct.pack("<Q", 1 << 40),
    "a number of 2**31 bytes": b"\x8b" + struct.pack("<I", 0x7FFFFFFF),
    "a list in itself": b"]q\x00h\x00a",
    "a dict in itself": b"}q\x00X\x01\x00\x00\x00ah\x00s",
    "marks without end": b"(" * 100_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_pickles_that_grow_stay_small(tmp_path: Path, name: str) -> None:
    refused(tmp_path, harmful(BOMBS[name]), "not read: ")


def test_calls_are_not_repeated_over_long_arguments(tmp_path: Path) -> None:
    long = b"(" + b"K\x01" * 100_000 + b"tq\x00"
    for callee in (b"cargparse\nNamespace\n", b"ctorch\ndevice\n"):
        refused(tmp_path, harmful(long + (callee + b"h\x00R") * 5000), "with 100000 arguments")
    pairs = b"](" + b"K\x01K\x02\x86" * 100_000 + b"eq\x00"
    again = b"ccollections\nOrderedDict\nh\x00\x85R" * 5000
    refused(tmp_path, harmful(pairs + again), "not read: ")


TENSORS = {
    "a size that is negative": ((-1,), (1,), 0, "a size is -1"),
    "a stride that is negative": ((2,), (-1,), 5, "a stride is -1"),
    "an offset that is negative": ((2,), (1,), -1, "an offset is -1"),
    "out of the storage": ((2, 4), (4, 1), 0, r"\(2, 4\) reaches out of its storage"),
    "an offset out of it": ((1,), (1,), 6, "reaches out of its storage"),
    "a terabyte of one number": ((1 << 40,), (0,), 0, "repeats 6 numbers"),
    "a product beyond 64 bits": ((1 << 40, 1 << 40), (0, 0), 0, "repeats 6 numbers"),
    "a stride beyond 64 bits": ((2,), (1 << 70,), 0, "reaches out"),
    "nothing, of a size beyond 64 bits": ((0, 1 << 70), (1, 1), 0, "not read"),
    "too few strides": ((2, 3), (1,), 0, "do not agree"),
    "many dimensions": ((1,) * 40, (1,) * 40, 0, "40 dimensions"),
    "a size that is a text": (("a",), (1,), 0, "a size is a str"),
    "a size that is a truth": ((True,), (1,), 0, "a size is a bool"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_cannot_be(tmp_path: Path, name: str) -> None:
    shape, strides, offset, words = TENSORS[name]
    six, raw = storage("Float", "0", 6, "cpu", None), SIX.tobytes()
    value = {"a": tensor(six, shape, strides, offset)}
    refused(tmp_path, zip_file(value, {"0": raw}), words)
    refused(tmp_path, pickles_file(value, {"0": (6, raw)}), words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (storage("Float", "0", 7), "a storage of 28 bytes has only 24"),
        (storage("Float", "0", 1 << 60), "has only 24"),
        (storage("Float", "0", -6), "size is -6"),
        (storage("Float", "1", 6), "broken or truncated"),
        (storage("QInt8", "0", 6), "names torch.QInt8Storage"),
        (Reference(("tensor", 1, 2, 3, 4)), "no storage"),
        (Reference("0"), "broken or truncated|no storage|not enough"),
        (Reference(("storage", Name("argparse.Namespace"), "0", "cpu", 6)), "no storage"),
    ],
)
def test_storages_that_cannot_be(tmp_path: Path, data: Any, words: str) -> None:
    refused(tmp_path, zip_file({"a": tensor(data, (6,), (1,))}, {"0": SIX.tobytes()}), words)


def test_what_has_no_place_in_numpy_is_refused(tmp_path: Path) -> None:
    six = storage("Float", "0", 6)
    conjugate = tensor(six, (6,), (1,), 0, {"conj": True})
    refused(tmp_path, zip_file({"a": conjugate}, {"0": SIX.tobytes()}), "conjugate")
    sparse = Made(Name("torch._utils._rebuild_sparse_tensor"), ())
    refused(tmp_path, zip_file({"a": sparse}, {}), "_rebuild_sparse_tensor.* save dense tensors")
    refused(tmp_path, zip_file({"a": Name("torch.nn.Linear")}, {}), "save its state_dict")
    refused(tmp_path, zip_file({"a": 1}, {}), "no tensors with names")
    refused(
        tmp_path, zip_file([tensor(six, (), ())], {"0": SIX.tobytes()}), "no tensors with names"
    )
    refused(tmp_path, zip_file({"a" * 600: tensor(six, (), ())}, {}), "a name of 600 characters")


def test_zip_archives_of_others(tmp_path: Path) -> None:
    state = {"a": tensor(storage("Float", "0", 1 << 20), (1 << 20,), (1,))}
    zeros = {"0": bytes(4 << 20)}
    packed = zip_file(state, zeros, method=zipfile.ZIP_DEFLATED)
    assert len(packed) < 10_000
    refused(tmp_path, packed, "is compressed")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(tmp_path, file.getvalue(), "no data.pkl of PyTorch")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("x/data.pkl", b"")
        archive.writestr("x/constants.pkl", b"")
    refused(tmp_path, file.getvalue(), "a TorchScript archive")


def test_zip_archives_that_lie(tmp_path: Path) -> None:
    state = {"a": tensor(storage("Float", "0", 6), (6,), (1,))}
    raw = zip_file(state, {"0": SIX.tobytes()})
    place = raw.rindex(b"PK\x01\x02")  # of the last member in the directory: storage 0
    honest = struct.pack("<2L", 24, 24)
    lies = {(24, 1 << 31): "compressed", (1 << 31, 1 << 31): "larger than the file"}
    for sizes, words in lies.items():
        lie = raw[place:].replace(honest, struct.pack("<2L", *sizes), 1)
        refused(tmp_path, raw[:place] + lie, words)
    data = raw.index(SIX.tobytes())
    refused(tmp_path, raw[: data + 4] + b"\xff" + raw[data + 5 :], "Bad CRC-32")


def with_header(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<Q", 1 << 60) + b"{}",
        with_header({"a": entry("F32", [2], 0, 8)}, bytes(4)),
        with_header({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, bytes(12)),
        with_header({"a": entry("F32", [1 << 40, 1 << 40], 0, 8)}, bytes(8)),
        with_header({"a": entry("F32", [-2, -1], 0, 8)}, bytes(8)),
        with_header({"a": entry("F32", [2], 8, 0)}, bytes(8)),
        with_header({"a": entry("F32", [2], 0, 1 << 62)}, bytes(8)),
        with_header({"a": entry("F8_E4M3", [2], 0, 2)}, bytes(2)),
        with_header(b'{"a":' * 100_000),
        with_header([1]),
    ],
)
def test_safetensors_that_lie(tmp_path: Path, raw: bytes) -> None:
    refused(tmp_path, raw, "not read: |neither")


@pytest.mark.parametrize("length", [0x80, 0x89, 0x4B50, 0x280])
def test_a_header_may_have_a_length_that_looks_like_another_format(
    tmp_path: Path, length: int
) -> None:
    text = json.dumps({"a": entry("F32", [2], 0, 8)}).encode().ljust(length)
    assert list(read(tmp_path, with_header(text, bytes(8)))) == ["a"]


def small_files() -> dict[str, bytes]:
    state = {"a": tensor(storage("Float", "0", 2, "cpu", None), (2,), (1,))}
    return {
        "zip": zip_file(state, {"0": bytes(8)}),
        "pickles": pickles_file(state, {"0": (2, bytes(8))}),
        "tar": tar_file({"a": Reference(7)}, {3: ("Float", 2, bytes(8))}, {7: (3, (2,), (1,), 0)}),
        "safetensors": with_header({"a": entry("F32", [2], 0, 8)}, bytes(8)),
    }


@pytest.mark.parametrize("kind", ["zip", "pickles", "tar", "safetensors"])
def test_truncated_or_changed_files_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    raw = small_files()[kind]
    assert list(read(tmp_path, raw)) == ["a"]
    rng = np.random.default_rng(0)
    used = [i for i in range(len(raw)) if raw[i : i + 1] != b"\0"]
    changed = [raw[:i] + bytes([rng.integers(256)]) + raw[i + 1 :] for i in used]
    for broken in [*changed, *(raw[:i] for i in used)]:
        with contextlib.suppress(ValueError):
            assert len(read(tmp_path, broken)) < 3


def test_files_of_no_known_kind(tmp_path: Path) -> None:
    refused(tmp_path, b"", "neither safetensors nor")
    refused(tmp_path, b"hello, world", "neither safetensors nor")
    refused(tmp_path, b"\x89HDF\r\n\x1a\n", "read_keras reads those")
    with pytest.raises(FileNotFoundError):
        read_weights(tmp_path / "nowhere")
