"""ONNX files of our networks, computed by onnx's own reference evaluator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import convolith as cv
from convolith import Tensor, models, nn
from convolith.nn import functional as F
from convolith.nn.functional.activation import FromInput, FromOutput
from convolith.nn.functional.dropout import Drawn
from convolith.onnx.export import export
from convolith.onnx.exporters import EXPORTERS, REFUSED
from convolith.tensor import Function, recorded

Build = Callable[[], nn.Module]
IMAGE, SEQUENCE, MATRIX = (2, 4, 7, 9), (2, 4, 11), (2, 6)


class Lambda(nn.Module):
    """A forward that is one function."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward = forward


def function(name: str, *args: Any, **options: Any) -> Build:
    return lambda: Lambda(lambda x: getattr(F, name)(x, *args, **options))


def of(forward: Callable[[Tensor], Any]) -> Build:
    return lambda: Lambda(forward)


def fold_shifted(x: Tensor) -> Tensor:
    """Squares that touch, but begin outside of the image."""
    x, around = F.pad(x.sum(1, keepdim=True), (0, 1, 0, 1)), (1, 0, 1, 0)
    return F.fold(F.unfold(x, 2, 1, around, 2), (8, 10), 2, 1, around, 2)


class Residual(nn.Module):
    """What takes a residual beside its input."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x)


def constant(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(3).uniform(0.5, 1.5, shape).astype(np.float32))


def ones_beside(x: Tensor) -> Tensor:
    return F.cat([x, Tensor(np.ones((x.shape[0], 1, *x.shape[2:]), np.float32))], 1)


conv: dict[str, Build] = {
    "conv": lambda: nn.Conv2d(4, 6, 3),
    "conv no bias": lambda: nn.Conv2d(4, 6, (3, 2), bias=False),
    "conv groups": lambda: nn.Conv2d(4, 6, 3, stride=(2, 1), groups=2, dilation=(1, 2)),
    "conv asymmetric": lambda: nn.Conv2d(4, 2, 3, stride=2, padding=(0, 1, 2, 0)),
    "conv same": lambda: nn.Conv2d(4, 2, (4, 3), padding="same", dilation=(1, 2)),
    "conv same strided": lambda: nn.Conv2d(4, 2, (3, 2), stride=(3, 2), padding="same"),
    "conv valid": lambda: nn.Conv2d(4, 2, 3, padding="valid"),
    "conv reflect": lambda: nn.Conv2d(4, 2, 3, padding=(1, 2), padding_mode="reflect"),
    "conv replicate": lambda: nn.Conv2d(4, 2, 3, 2, (3, 0, 1, 2), padding_mode="replicate"),
    "conv circular": lambda: nn.Conv2d(4, 2, 3, padding=(1, 0, 2, 3), padding_mode="circular"),
    "conv circular same": lambda: nn.Conv2d(4, 2, 3, padding="same", padding_mode="circular"),
    "conv relu": lambda: nn.Conv2d(4, 2, 3, activation="relu"),
    "conv residual": lambda: Residual(nn.Conv2d(4, 4, 3, padding=1, activation="relu")),
    "conv transpose": lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=(0, 1), groups=2),
    "conv transpose plain": lambda: nn.ConvTranspose2d(4, 3, (2, 3), bias=False, dilation=2),
    "separable": lambda: nn.DepthwiseSeparableConv2d(4, 6, stride=2),
    "locally connected": lambda: nn.LocallyConnected2d(4, 3, (7, 9), 3, 2, 1),
    "fused": lambda: nn.fuse(
        nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
    ),
}
pool: dict[str, Build] = {
    "max": lambda: nn.MaxPool2d(2),
    "max padded": lambda: nn.MaxPool2d(3, 2, padding=1),
    "max dilated": lambda: nn.MaxPool2d((2, 3), 1, dilation=2),
    "max ceil": lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
    "max ceil padded": lambda: nn.MaxPool2d(2, (3, 2), padding=1, ceil_mode=True),
    "min": lambda: nn.MinPool2d(3, 2, padding=1, ceil_mode=True),
    "avg": lambda: nn.AvgPool2d((2, 3), 2),
    "avg padded": lambda: nn.AvgPool2d(3, 2, padding=1),
    "avg padding left out": lambda: nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
    "avg ceil": lambda: nn.AvgPool2d(2, ceil_mode=True),
    "avg ceil padded": lambda: nn.AvgPool2d(3, (4, 3), padding=(0, 1), ceil_mode=True),
    "avg ceil left out": lambda: nn.AvgPool2d(
        3, (4, 3), padding=(0, 1), ceil_mode=True, count_include_pad=False
    ),
    "avg divisor": function("avg_pool2d", 3, 2, 1, True, False, 5),
    "lp": lambda: nn.LPPool2d(2, 3, 2, ceil_mode=True),
    "adaptive avg": lambda: nn.AdaptiveAvgPool2d((7, 3)),
    "adaptive avg of that size": lambda: nn.AdaptiveAvgPool2d((7, 9)),
    "adaptive avg uneven": lambda: nn.AdaptiveAvgPool2d((3, 4)),
    "adaptive avg whole": lambda: nn.AdaptiveAvgPool2d(1),
    "adaptive max": lambda: nn.AdaptiveMaxPool2d((None, 3)),
    "adaptive max whole": lambda: nn.AdaptiveMaxPool2d(1),
    "global avg": nn.GlobalAvgPool2d,
    "global max": nn.GlobalMaxPool2d,
}
norm: dict[str, Build] = {
    "batch norm": lambda: nn.BatchNorm2d(4, eps=0.1),
    "batch norm not affine": lambda: nn.BatchNorm2d(4, affine=False),
    "batch norm residual": lambda: Residual(nn.BatchNorm2d(4, activation="relu")),
    "layer norm": lambda: nn.LayerNorm((7, 9), eps=0.1),
    "layer norm no bias": lambda: nn.LayerNorm(9, bias=False),
    "layer norm not affine": lambda: nn.LayerNorm(9, elementwise_affine=False),
    "group norm": lambda: nn.GroupNorm(2, 4, eps=0.1),
    "group norm not affine": lambda: nn.GroupNorm(2, 4, affine=False),
    "instance norm": lambda: nn.InstanceNorm2d(4, affine=True),
    "instance norm tracked": lambda: nn.InstanceNorm2d(4, track_running_stats=True),
    "lrn": lambda: nn.LocalResponseNorm(3, 0.5, 0.75, 2.0),
}
activation: dict[str, Build] = {
    "relu": nn.ReLU,
    "relu6": of(lambda x: F.relu6(x * 5)),
    "leaky relu": lambda: nn.LeakyReLU(0.2),
    "prelu": nn.PReLU,
    "prelu by channel": lambda: nn.PReLU(4),
    "hardtanh": lambda: nn.Hardtanh(-0.5, 0.75),
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "step": of(lambda x: F.step(F.relu(x) - F.relu(-x * 0.0), 0.25)),
    "elu": lambda: nn.ELU(0.7),
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "logsigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "softsign": nn.Softsign,
    "softplus": nn.Softplus,
    "softplus steep": lambda: nn.Softplus(3.0, 1.0),
    "silu": nn.SiLU,
    "swish": lambda: nn.Swish(1.5),
    "mish": nn.Mish,
    "gelu": nn.GELU,
    "gelu tanh": lambda: nn.GELU("tanh"),
    "maxout": lambda: nn.Maxout(2),
    "softmax": function("softmax", 1),
    "softmax last": function("softmax"),
    "log softmax": function("log_softmax", 1),
    "identity": nn.Identity,
    "dropout": lambda: nn.Sequential(nn.Dropout(), nn.AlphaDropout(), nn.Dropout2d()),
}
shape: dict[str, Build] = {
    "arithmetic": of(lambda x: (1 - x * 2) / (x * x + 3) - x + constant(4, 1, 9)),
    "array": of(lambda x: x * np.ones((7, 1), np.float32) / np.float32(3)),
    "gate": of(lambda x: x * F.sigmoid(F.global_avg_pool2d(x))),
    "power": of(lambda x: (x * x + 1) ** -0.5),
    "sum": of(lambda x: x.sum((1, -1)) + x.sum((1, 3), keepdim=True).reshape(-1, 7)),
    "mean": of(lambda x: x.mean(2, keepdim=True) * 3 + x.mean((2, 3), keepdim=True)),
    "mean of all": of(lambda x: x / x.mean() + x.sum()),
    "matmul": of(lambda x: x @ constant(9, 5)),
    "linear": lambda: nn.Linear(9, 3),
    "linear no bias": lambda: nn.Linear(9, 3, bias=False),
    "transpose": of(lambda x: x.transpose(1, -1)),
    "flatten": nn.Flatten,
    "flatten pixels": lambda: nn.Flatten(2),
    "reshape": of(lambda x: x.reshape(x.shape[0], 2, -1, 9).reshape(-1, 9).reshape(-1, 4, 63)),
    "shuffled channels": of(
        lambda x: x.reshape(-1, 2, 2, 63).transpose(1, 2).reshape(x.shape[0], 4, 7, 9)
    ),
    "cat": of(lambda x: F.cat([x, F.relu(x), x], 1)),
    "cat last": of(lambda x: F.cat([x, x], -1)),
    "cat of a constant": of(ones_beside),
    "to": of(lambda x: (x.to(np.float64) * 1.5).to(np.float32)),
    "pad": function("pad", (1, 2, 0, 3), value=0.5),
    "pad negative": function("pad", (-1, 2, 1, -3)),
    "pad reflect": lambda: nn.ReflectionPad2d((1, 2, 3, 0)),
    "pad replicate": lambda: nn.ReplicationPad2d(2),
    "pad circular": lambda: nn.CircularPad2d((1, 0, 0, 3)),
    "nearest": lambda: nn.Upsample(scale_factor=2),
    "nearest size": lambda: nn.Upsample((2, 12)),
    "nearest factor": lambda: nn.Upsample(scale_factor=(0.7, 1.3)),
    "bilinear": lambda: nn.Upsample((10, 5), mode="bilinear"),
    "bilinear factor": lambda: nn.Upsample(scale_factor=(1.5, 2.3), mode="bilinear"),
    "bilinear corners": lambda: nn.Upsample((3, 20), mode="bilinear", align_corners=True),
    "pixel shuffle": lambda: nn.PixelShuffle(2),
    "unfold": lambda: nn.Unfold((3, 2), (2, 1), (1, 0, 2, 1), (2, 3)),
    "fold": of(
        lambda x: F.fold(F.unfold(x, (3, 2), (2, 1), 1, (2, 3)), (7, 9), (3, 2), (2, 1), 1, (2, 3))
    ),
    "fold shifted": of(fold_shifted),
    "fold oblong": of(lambda x: F.fold(x.reshape(-1, 4, 63), (7, 36), (1, 4), stride=(1, 4))),
}
sequence: dict[str, Build] = {
    "conv1d": lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1),
    "conv1d circular": lambda: nn.Conv1d(4, 6, 3, padding=2, padding_mode="circular"),
    "conv transpose1d": lambda: nn.ConvTranspose1d(4, 3, 3, 2),
    "max1d": lambda: nn.MaxPool1d(3, 2, ceil_mode=True),
    "avg1d": lambda: nn.AvgPool1d(3, 2, 1),
    "adaptive avg1d": lambda: nn.AdaptiveAvgPool1d(4),
    "batch norm1d": lambda: nn.BatchNorm1d(4),
    "instance norm1d": lambda: nn.InstanceNorm1d(4),
    "group norm1d": lambda: nn.GroupNorm(2, 4),
}
matrix: dict[str, Build] = {
    "gemm": lambda: nn.Linear(6, 3),
    "gemm no bias": lambda: nn.Linear(6, 3, bias=False),
    "batch norm of features": lambda: nn.BatchNorm1d(6),
    "mlp": lambda: models.MLP(6, (5,), 3, dropout=0.5),
}
CASES: list[tuple[str, Build, tuple[int, ...]]] = [
    (name, build, size)
    for family, size in (
        (conv, IMAGE),
        (pool, IMAGE),
        (norm, IMAGE),
        (activation, IMAGE),
        (shape, IMAGE),
        (sequence, SEQUENCE),
        (matrix, MATRIX),
    )
    for name, build in family.items()
]
CASES += [("pixel unshuffle", lambda: nn.PixelUnshuffle(2), (2, 3, 4, 6))]


def noise(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size, np.float32)


def randomised(model: nn.Module) -> nn.Module:
    """All parameters and buffers away from 0 and 1, and from each other."""
    rng = np.random.default_rng(1)
    for tensor in model.state_dict().values():
        if tensor.dtype.kind == "f" and tensor.ndim == 1 and tensor.numpy().flags.writeable:
            tensor.numpy()[...] = rng.uniform(0.25, 1.25, tensor.shape)
    return model


# Where onnx's evaluator is wrong or incomplete, onnxruntime alone judges.
BEYOND_THE_EVALUATOR = {
    "conv transpose": "it has no groups",
    "fold": "it has no groups",
    "lrn": "it takes the batch for the channels",
}


def by_evaluator(proto: Any, x: np.ndarray) -> np.ndarray:
    return ReferenceEvaluator(proto).run(None, {"input": x})[0]


def by_onnxruntime(proto: Any, x: np.ndarray) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    return session.run(None, {"input": x})[0]


def check(
    model: nn.Module, proto: Any, x: np.ndarray, judge: Callable[..., np.ndarray] = by_evaluator
) -> None:
    """The file computes what the model does."""
    y, expected = judge(proto, x), model.eval()(Tensor(x)).numpy()
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    assert np.abs(y - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("judge", [by_evaluator, by_onnxruntime])
@pytest.mark.parametrize(("name", "build", "size"), CASES, ids=[case[0] for case in CASES])
def test_file_computes_the_same(
    name: str, build: Build, size: tuple[int, ...], judge: Callable[..., np.ndarray]
) -> None:
    if judge is by_evaluator and name in BEYOND_THE_EVALUATOR:
        pytest.skip(BEYOND_THE_EVALUATOR[name])
    cv.manual_seed(0)
    model = randomised(build())
    proto = export(model, noise(*size), None)
    check(model, proto, noise(*size), judge)
    check(model, proto, noise(size[0] + 3, *size[1:], seed=1), judge)


@pytest.mark.parametrize("opset", [18, onnx.defs.onnx_opset_version()])
@pytest.mark.parametrize("name", ["mean", "sum", "maxout", "lp", "conv circular", "group norm"])
def test_newer_opsets(name: str, opset: int) -> None:
    build, size = next(case[1:] for case in CASES if case[0] == name)
    model = randomised(build())
    proto = export(model, noise(*size), None, opset=opset)
    assert [each.version for each in proto.opset_import] == [opset]
    check(model, proto, noise(5, *size[1:], seed=1))


@pytest.mark.parametrize(("name", "image"), [("lenet5", (1, 28, 28)), ("resnet20", (3, 8, 8))])
@pytest.mark.parametrize("fused", [False, True])
def test_networks(name: str, image: tuple[int, ...], fused: bool) -> None:
    cv.manual_seed(0)
    model = randomised(models.get_model(name))
    model = nn.fuse(model) if fused else model
    proto = export(model, noise(1, *image), None)
    check(model, proto, noise(2, *image, seed=1))
    operators = {node.op_type for node in proto.graph.node}
    assert ("BatchNormalization" in operators) == (name == "resnet20" and not fused)


def test_file_says_what_it_is(tmp_path: Path) -> None:
    model = models.LeNet5()
    path = tmp_path / "lenet5.onnx"
    assert export(model, noise(2, 1, 28, 28), path) is None
    assert [file.name for file in tmp_path.iterdir()] == ["lenet5.onnx"]
    proto = onnx.load(path)
    assert (proto.producer_name, proto.producer_version) == ("convolith", cv.__version__)
    (x,), (y,) = proto.graph.input, proto.graph.output
    assert [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] == [
        "batch",
        1,
        28,
        28,
    ]
    assert [d.dim_param or d.dim_value for d in y.type.tensor_type.shape.dim] == ["batch", 10]
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in proto.graph.initializer}
    for key, tensor in model.state_dict().items():
        np.testing.assert_array_equal(arrays[key], tensor.numpy())
    assert [node.op_type for node in proto.graph.node] == [
        *("Conv", "Tanh", "AveragePool", "Conv", "Tanh", "AveragePool", "Conv", "Tanh"),
        *("Reshape", "Gemm", "Tanh", "Gemm"),
    ]


def test_batch_of_the_example_alone() -> None:
    proto = export(models.LeNet5(), noise(2, 1, 28, 28), None, dynamic_batch=False)
    (x,) = proto.graph.input
    assert [d.dim_value for d in x.type.tensor_type.shape.dim] == [2, 1, 28, 28]


def test_modes_and_values_stay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2).eval(), nn.Dropout())
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    export(model, noise(2, 1, 5, 5), None)
    assert [module.training for module in model.modules()] == [True, True, False, True]
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_several_inputs_and_outputs() -> None:
    model = Lambda(lambda a, b: (a + b, a, F.relu(b)))
    names = {"input_names": ("a", "b"), "output_names": ("sum", "same", "positive")}
    proto = export(model, (Tensor(noise(2, 3)), noise(2, 3)), None, **names)
    feeds = {"a": noise(4, 3), "b": noise(4, 3, seed=1)}
    total, same, positive = ReferenceEvaluator(proto).run(None, feeds)
    np.testing.assert_array_equal(total, feeds["a"] + feeds["b"])
    np.testing.assert_array_equal(same, feeds["a"])
    np.testing.assert_array_equal(positive, np.maximum(feeds["b"], 0))


def test_double_precision() -> None:
    model = models.MLP(6, (5,), 3).to(np.float64)
    proto = export(model, noise(2, 6).astype(np.float64), None)
    check(model, proto, noise(3, 6).astype(np.float64))


@pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")
def test_model_on_a_device() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3))
    x = noise(2, 1, 5, 5)
    proto = export(model.to("emu"), Tensor(x).to("emu"), None)
    check(model.to("cpu"), proto, x)
    half = export(model.to("emu").half(), Tensor(x).to("emu").to(np.float16), None)
    assert half.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    with pytest.raises(TypeError, match=r"0.weight is bfloat16; call .float\(\)"):
        export(model.bfloat16(), Tensor(x).to("emu").to(cv.bfloat16), None)


def test_scalar_beside_a_batch() -> None:
    model = Lambda(lambda x, factor: (x * factor, factor + 1))
    names = {"input_names": ("x", "factor"), "output_names": ("y", "more")}
    proto = export(model, (noise(2, 3), np.float32(2)), None, **names)
    y, more = ReferenceEvaluator(proto).run(None, {"x": noise(4, 3), "factor": np.float32(3)})
    np.testing.assert_array_equal(y, 3 * noise(4, 3))
    assert more == 4
    proto = export(Lambda(lambda x: x * 2), np.float32(2), None)
    assert not proto.graph.input[0].type.tensor_type.shape.dim


def concrete(base: type[Function] = Function) -> Iterator[type[Function]]:
    for function in base.__subclasses__():
        if function.__module__.startswith("convolith."):
            yield function
        yield from concrete(function)


def test_every_function_is_exported_or_refused() -> None:
    families = {FromInput, FromOutput, Drawn}  # what others are made of
    assert {*EXPORTERS}.isdisjoint(REFUSED)
    assert {*EXPORTERS, *REFUSED} == {*concrete()} - families


def test_page_says_what_becomes_of_every_function() -> None:
    page = (Path(__file__).parent.parent / "docs/onnx_export.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ", page, flags=re.M)
    assert {function.__name__ for function in EXPORTERS} <= set(", ".join(rows).split(", "))


class Foreign(Function):
    @staticmethod
    def forward(ctx: Any, x: np.ndarray) -> np.ndarray:
        return np.sin(x)


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (Foreign.apply, "Foreign cannot be exported: no ONNX operators are known for it"),
        (lambda x: F.dropout(x), "Dropout cannot be exported: its numbers are random"),
        (lambda x: F.mse_loss(x, x), "SymmetricLoss cannot be exported: losses belong to training"),
        (
            lambda x: F.max_pool2d(x, 2, return_indices=True)[1],
            "second output of MaxPool2d, indices, is used",
        ),
        (lambda x: F.max_unpool2d(x, Tensor(np.zeros(x.shape, int)), 1), "MaxUnpool2d cannot"),
        (nn.BatchNorm2d(4, track_running_stats=False), "BatchNorm without running statistics"),
        (nn.LocalResponseNorm(2), "LocalResponseNorm of 2 channels, an even number"),
        (nn.AdaptiveMaxPool2d(3), "AdaptiveMaxPool2d of (6, 8) to (3, 3) has windows of several"),
        (nn.Upsample(scale_factor=1.5 - 1e-9, mode="bilinear"), "but not in float32"),
        (lambda x: x + Tensor(np.sin(x.numpy())), "no function of convolith made depends on the"),
        (
            lambda x: x * Tensor(np.arange(x.shape[0], dtype=np.float32).reshape(-1, 1, 1, 1)),
            "made",
        ),
        (lambda x: x * x.numpy().mean(), "an argument of Multiply depends on the batch or on the"),
        (lambda x: F.relu(x) if len(x) == 2 else x, "other functions to another"),
        (lambda x: x.reshape(2, 4, 6, 8), "takes no other batch than the example's"),
        (lambda x: x.reshape(1, 4, -1, 8).reshape(x.shape[0], 1, -1, x.shape[0]), "two dimensions"),
        (lambda x: F.max_pool2d(x.reshape(1, 4, -1, 8), 2, ceil_mode=True), "size of an image"),
    ],
)
def test_what_cannot_be_exported(forward: Callable[..., Any], words: str, tmp_path: Path) -> None:
    model = forward if isinstance(forward, nn.Module) else Lambda(forward)
    with pytest.raises(ValueError, match=re.escape(words)):
        export(model, noise(2, 4, 6, 8), tmp_path / "x.onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"opset": 16}, "opset is 16, expected 17 to "),
        ({"opset": 1000}, "opset is 1000, expected 17 to "),
        ({"input_names": ("a", "b")}, "there are 1 inputs, and the names are ('a', 'b')"),
        ({"output_names": ()}, "there are 1 outputs, and the names are ()"),
        ({"input_names": ("weight",)}, "'weight' names two things"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        export(nn.Linear(6, 3), noise(2, 6), None, **options)


def test_an_example_is_needed() -> None:
    with pytest.raises(ValueError, match="the example is empty"):
        export(nn.Linear(6, 3), (), None)


def test_outputs_are_tensors() -> None:
    with pytest.raises(TypeError, match="Lambda returns dict, expected a tensor"):
        export(Lambda(lambda x: {"y": x}), noise(2, 6), None)


def test_nothing_is_recorded_elsewhere() -> None:
    calls: list[Any] = []
    with recorded(lambda *call: calls.append(call)):
        y = F.leaky_relu(Tensor(noise(2, 3)), 0.5)
    F.relu(y)
    ((function, (_, slope), options, outputs),) = calls
    assert (function.__name__, slope, options) == ("LeakyReLU", 0.5, {})
    assert outputs[0] is y
