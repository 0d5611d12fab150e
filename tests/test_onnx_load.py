"""ONNX models built here: names, gradients, modes, types, and files that are broken or hostile."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper  # noqa: E402

from convolith import Tensor, nn, no_grad, optim  # noqa: E402
from convolith.nn import functional as F  # noqa: E402
from convolith.onnx import Backend, load, prepare  # noqa: E402
from convolith.onnx.operators import OPERATORS  # noqa: E402
from test_tensor import assert_gradients  # noqa: E402

RNG = np.random.default_rng(0)
FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64


def model(
    nodes: Sequence[NodeProto],
    inputs: dict[str, Any],
    outputs: Sequence[str] = ("y",),
    initializers: dict[str, Any] | None = None,
    opset: int = 17,
    kind: int = FLOAT,
) -> ModelProto:
    """A model; `inputs` are names with shapes, `initializers` names with what to make arrays of.

    Declared shapes are not looked at.
    """
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, []) for name in outputs],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (initializers or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return RNG.standard_normal(shape).astype(dtype)


def small(dtype: Any = np.float32) -> ModelProto:
    """Convolution, batch norm, dropout, a linear layer."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "body/0.weight", "body/0.bias"], ["c"], "conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"], "norm"),
        node("Relu", ["n"], ["r"], "relu"),
        node("Dropout", ["r", "ratio"], ["d"], "drop"),
        node("Flatten", ["d"], ["f"], "flatten"),
        node("Gemm", ["f", "train", "head.bias"], ["y"], "head", transB=1),
    ]
    initializers = {
        "body/0.weight": normal(4, 2, 3, 3, dtype=dtype),
        "body/0.bias": normal(4, dtype=dtype),
        "scale": normal(4, dtype=dtype),
        "shift": normal(4, dtype=dtype),
        "mean": normal(4, dtype=dtype),
        "var": np.full(4, 2, dtype),
        "ratio": np.asarray(0.25, dtype),
        "train": normal(3, 4 * 36, dtype=dtype),  # a name that modules have for themselves
        "head.bias": normal(3, dtype=dtype),
    }
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return model(nodes, {"x": ["N", 2, 6, 6]}, ["y"], initializers, kind=kind)


def expected(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """What `small` computes, in evaluation."""
    w = state
    y = F.conv2d(x, w["body/0.weight"], w["body/0.bias"], padding=1)
    y = F.relu(F.batch_norm(y, w["mean"], w["var"], w["scale"], w["shift"]))
    return F.linear(y.flatten(1), w["train_"], w["head.bias"])


# What a graph is


def test_names_are_those_of_the_file() -> None:
    net = load(small())
    learned = ["body/0.weight", "body/0.bias", "scale", "shift", "train_", "head.bias"]
    assert [name for name, _ in net.named_parameters()] == learned
    assert [name for name, _ in net.named_buffers()] == ["mean", "var", "ratio"]
    assert set(net.state_dict()) == {*learned, "mean", "var", "ratio"}
    assert (net.input_names, net.output_names) == (("x",), ("y",))
    assert repr(net) == (
        "Graph(net: x -> y, 519 parameters; "
        "1 Conv, 1 BatchNormalization, 1 Relu, 1 Dropout, 1 Flatten, 1 Gemm)"
    )


def test_computes_what_the_layers_compute_and_takes_any_batch() -> None:
    net = load(small())
    for n in (1, 5):
        x = normal(n, 2, 6, 6)
        y = expected(net.state_dict(), Tensor(x))
        np.testing.assert_array_equal(net(x).numpy(), y.numpy())
        np.testing.assert_array_equal(net(Tensor(x)).numpy(), y.numpy())


def test_state_goes_into_another_graph_of_the_file() -> None:
    first, second = load(small()), load(small())
    second.load_state_dict(first.state_dict())
    x = normal(2, 2, 6, 6)
    np.testing.assert_array_equal(first(x).numpy(), second(x).numpy())


def test_gradients_of_all_parameters() -> None:
    net = load(small(np.float64))
    x = Tensor(normal(2, 2, 6, 6, dtype=np.float64), requires_grad=True)
    assert_gradients(lambda: (net(x) ** 2).sum(), [x, *net.parameters()])


def test_a_graph_is_trained_further() -> None:
    net = load(small()).train()
    x, labels = normal(12, 2, 6, 6), Tensor(np.arange(12) % 3)
    optimizer = optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


def test_training_mode_is_that_of_the_parent() -> None:
    net = load(small())
    parent = nn.Sequential(net)
    x = normal(4, 2, 6, 6)
    parent.eval()
    before = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    assert np.array_equal(parent(x).numpy(), parent(x).numpy())
    parent.train()
    assert not np.array_equal(parent(x).numpy(), parent(x).numpy())
    after = {name for name, v in net.state_dict().items() if not np.array_equal(v, before[name])}
    assert after == {"mean", "var"}


def test_running_statistics_are_updated_as_onnx_defines() -> None:
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], momentum=0.75)
    start = {"s": [1.0, 2], "b": [0.0, 1], "m": [1.0, -1], "v": [4.0, 9]}
    arrays = {name: np.array(v, np.float32) for name, v in start.items()}
    net = load(model([node], {"x": [3, 2, 4]}, initializers=arrays)).train()
    x = normal(3, 2, 4)
    net(x)
    state = net.state_dict()
    mean = 0.75 * arrays["m"] + 0.25 * x.mean((0, 2))
    var = 0.75 * arrays["v"] + 0.25 * x.var((0, 2))  # the population's
    np.testing.assert_allclose(state["m"].numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(state["v"].numpy(), var, rtol=1e-5)


def test_values_are_let_go_of_after_their_last_use() -> None:
    node = helper.make_node
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Exp", ["a"], ["b"]),
        node("Add", ["a", "b"], ["c"]),
        node("Identity", ["c"], ["y"]),
    ]
    net = load(model(nodes, {"x": [2]}, ["y", "b"]))
    assert [n.last for n in net.nodes] == [("x",), (), ("a",), ("c",)]


def test_runs_on_a_device() -> None:
    net = load(small())
    x = normal(2, 2, 6, 6)
    y = net(x).numpy()
    on_device = net.to("emu")(Tensor(x).to("emu"))
    assert on_device.device == "emu"
    np.testing.assert_allclose(on_device.numpy(), y, rtol=1e-4, atol=1e-4)


def test_what_has_no_kernel_says_so_on_a_device() -> None:
    net = load(model([helper.make_node("Exp", ["x"], ["y"], "e")], {"x": [2]}))
    with pytest.raises(ValueError, match=r"Exp \(node 'e'\): it has no kernel on emu"):
        net(Tensor(normal(2)).to("emu"))


# Operators that have derivatives of their own here, and what onnx's cases leave out

OWN = {
    "Abs": helper.make_node("Abs", ["x"], ["y"]),
    "Exp": helper.make_node("Exp", ["x"], ["y"]),
    "Log": helper.make_node("Log", ["x"], ["y"]),
    "Erf": helper.make_node("Erf", ["x"], ["y"]),
    "Max": helper.make_node("Max", ["x", "w"], ["y"]),
    "Min": helper.make_node("Min", ["x", "w", "x"], ["y"]),
    "Pow": helper.make_node("Pow", ["x", "w"], ["y"]),
    "PRelu": helper.make_node("PRelu", ["x", "w"], ["y"]),
    "ThresholdedRelu": helper.make_node("ThresholdedRelu", ["x"], ["y"], alpha=0.9),
    "MatMul": helper.make_node("MatMul", ["x", "m"], ["y"]),
    "Gather": helper.make_node("Gather", ["x", "i"], ["y"], axis=1),
    "Slice": helper.make_node("Slice", ["x", "from", "to", "axes", "steps"], ["y"]),
    "Tile": helper.make_node("Tile", ["x", "times"], ["y"]),
    "Expand": helper.make_node("Expand", ["w", "shape"], ["y"]),
    "Pad": helper.make_node("Pad", ["x", "pads"], ["y"], mode="reflect"),
    "Transpose": helper.make_node("Transpose", ["x"], ["y"], perm=[2, 0, 1]),
    "LRN": helper.make_node("LRN", ["x"], ["y"], size=2, alpha=0.5),
    "AveragePool": helper.make_node(
        "AveragePool", ["x"], ["y"], kernel_shape=[3], pads=[2, 1], strides=[2]
    ),
    "MaxPool": helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2], pads=[1, 1]),
    "LpPool": helper.make_node("LpPool", ["x"], ["y"], kernel_shape=[2], p=3, pads=[1, 1]),
}
CONSTANTS: dict[str, Any] = {
    "w": np.array([[0.9], [1.3], [0.7]]),
    "m": RNG.uniform(0.5, 2, (2, 4, 2)),
    "i": np.array([[0, -1], [0, 1]]),
    "from": np.array([-1, 0]),
    "to": np.array([-100, 2]),
    "axes": np.array([1, 2]),
    "steps": np.array([-2, 1]),
    "times": np.array([1, 2, 3]),
    "shape": np.array([2, 3, 4]),
    "pads": np.array([0, 1, 2, 0, 2, 1]),
}


@pytest.mark.parametrize("name", OWN)
def test_gradient_of_one_operator(name: str) -> None:
    node = OWN[name]
    used = {key: value for key, value in CONSTANTS.items() if key in node.input}
    net = load(model([node], {"x": [2, 3, 4]}, initializers=used, kind=DOUBLE))
    x = Tensor(RNG.uniform(0.5, 2, (2, 3, 4)), requires_grad="x" in node.input)
    leaves = [x] if x.requires_grad else []
    assert_gradients(lambda: (net(x) ** 2).sum(), [*leaves, *net.parameters()])


def test_global_lp_pool() -> None:
    net = load(model([helper.make_node("GlobalLpPool", ["x"], ["y"], p=3)], {"x": [2, 3, 4, 5]}))
    x = normal(2, 3, 4, 5)
    y = (np.abs(x.astype(np.float64)) ** 3).sum((2, 3), keepdims=True) ** (1 / 3)
    np.testing.assert_allclose(net(x).numpy(), y, rtol=1e-5)


def test_matrix_products_of_any_rank() -> None:
    net = load(model([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": [], "b": []}))
    for a, b in [((3,), (3,)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)), ((5, 1, 2, 3), (4, 3, 2))]:
        left, right = normal(*a), normal(*b)
        y = np.matmul(left, right)
        np.testing.assert_allclose(net(left, right).numpy(), y, rtol=1e-4, atol=1e-5)
        assert net(left, right).shape == y.shape


def test_even_windows_of_lrn_end_one_channel_later() -> None:
    node = helper.make_node("LRN", ["x"], ["y"], size=2, alpha=2.0, beta=1.0, bias=1.0)
    x = np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)
    y = load(model([node], {"x": [1, 3, 1, 1]}))(x).numpy().ravel()
    np.testing.assert_allclose(y, [1 / (1 + 1 + 4), 2 / (1 + 4 + 9), 3 / (1 + 9)], rtol=1e-6)


def test_softmax_before_opset_13_is_over_all_axes_that_follow() -> None:
    x = normal(2, 3, 4)
    e = np.exp(x)
    for opset, axes in ((11, (1, 2)), (13, (2,))):
        net = load(
            model([helper.make_node("Softmax", ["x"], ["y"])], {"x": [2, 3, 4]}, opset=opset)
        )
        np.testing.assert_allclose(net(x).numpy(), e / e.sum(axes, keepdims=True), rtol=1e-5)


def test_shapes_are_computed_with_integers() -> None:
    """As PyTorch's exporter writes x.view(x.shape[0], -1) for shapes that it does not know."""
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "rest"], ["shape"], axis=0),
        node("Equal", ["shape", "rest"], ["same"]),
        node("Not", ["same"], ["keeps"]),
        node("Where", ["keeps", "shape", "rest"], ["chosen"]),
        node("Reshape", ["x", "chosen"], ["y"]),
    ]
    constants = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}
    net = load(model(nodes, {"x": ["N", 2, 3]}, ["y", "shape"], constants))
    y, shape = net(normal(4, 2, 3))
    assert y.shape == (4, 6)
    assert shape.numpy().tolist() == [4, -1]
    assert list(net.parameters()) == []


# Types


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (TensorProto.FLOAT16, np.float32),
        (TensorProto.BFLOAT16, np.float32),
        (TensorProto.FLOAT, np.float32),
        (TensorProto.DOUBLE, np.float64),
    ],
)
def test_types_of_weights(kind: int, dtype: Any) -> None:
    graph = model([helper.make_node("Mul", ["x", "w"], ["y"])], {"x": [3]}, kind=kind)
    graph.graph.initializer.append(helper.make_tensor("w", kind, [3], [1.5, -2, 0.25]))
    net = load(graph)
    assert net.state_dict()["w"].dtype == dtype
    x = np.array([2, 3, 4], helper.tensor_dtype_to_np_dtype(kind))
    assert net(x).dtype == dtype
    assert net(x).numpy().tolist() == [3, -6, 1]
    (y,) = prepare(graph).run([x])
    assert y.dtype == np.float32 or kind != FLOAT


def test_weights_in_a_file_beside(tmp_path: Path) -> None:
    onnx.save(
        small(), tmp_path / "a.onnx", save_as_external_data=True, location="w", size_threshold=0
    )
    net = load(tmp_path / "a.onnx")
    assert net.name == "a.onnx"
    x = normal(2, 2, 6, 6)
    y = expected(net.state_dict(), Tensor(x))
    np.testing.assert_array_equal(net(x).numpy(), y.numpy())
    (tmp_path / "w").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"^onnx: "):
        load(str(tmp_path / "a.onnx"))
    (tmp_path / "w").unlink()
    with pytest.raises(ValueError, match=r"^onnx: a\.onnx: "):
        load(tmp_path / "a.onnx")


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "link"])
def test_weights_elsewhere_are_not_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(12))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    graph = model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [3]}, initializers={})
    weight = graph.graph.initializer.add()
    weight.name, weight.data_type, weight.data_location = "w", FLOAT, TensorProto.EXTERNAL
    weight.dims.append(3)
    for key, value in {"location": location, "length": "12"}.items():
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    (folder / "a.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ValueError, match=r"^onnx: a\.onnx: "):
        load(folder / "a.onnx")
    with pytest.raises(ValueError, match="onnx"):
        load(graph)


# What is refused


def refused(source: Any, *inputs: Any) -> str:
    """The one sentence with which `source` is refused, loaded or run, in bounded memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"^onnx: ") as caught:
            load(source)(*inputs)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_that_is_not_supported_is_named_at_once(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("NonMaxSuppression", ["x", "x"], ["n"], "nms"),
        node("Resize", ["x", "", "s"], ["u"], "up", mode="cubic"),
        node("Relu", ["u"], ["r"]),
        node("Fancy", ["r"], ["y"], domain="com.example"),
        node("Conv", ["x", "w"], ["v"], "volume", kernel_shape=[3, 3, 3]),
    ]
    (tmp_path / "model.onnx").write_bytes(model(nodes, {"x": [1]}).SerializeToString())
    assert refused(tmp_path / "model.onnx") == (
        "onnx: model.onnx needs NonMaxSuppression (node 'nms'), "
        "Resize with mode cubic (node 'up'), com.example:Fancy (making 'y'), "
        "Conv with a kernel of 3 dimensions (node 'volume'): not supported"
    )


def test_files_that_are_none(tmp_path: Path) -> None:
    whole = small().SerializeToString()
    contents = {"empty": b"", "text": b"hello, world\n" * 9, "part": whole[: len(whole) // 2]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert refused(tmp_path / name).startswith(f"onnx: {name} ")
    for cut in range(0, len(whole), 97):
        (tmp_path / "cut").write_bytes(whole[:cut])
        refused(tmp_path / "cut")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.onnx")


def test_graphs_that_cannot_be_run() -> None:
    node = helper.make_node
    cycle = [node("Add", ["x", "b"], ["a"], "first"), node("Relu", ["a"], ["b"])]
    assert "Add (node 'first') reads 'b', which only a later node makes" in refused(
        model(cycle, {"x": [1]}, ["a"])
    )
    lost = [node("Relu", ["nobody"], ["y"], "r")]
    assert "Relu (node 'r') reads 'nobody', which nothing makes" in refused(model(lost, {"x": [1]}))
    relu = [node("Relu", ["x"], ["y"])]
    assert "nothing makes its output 'z'" in refused(model(relu, {"x": [1]}, ["z"]))
    assert "has opset 6, expected 7 to" in refused(model(relu, {"x": [1]}, opset=6))
    assert "has opset 99, expected 7 to" in refused(model(relu, {"x": [1]}, opset=99))
    twice = [*relu, node("Tanh", ["x"], ["y"])]
    assert "y" in refused(model(twice, {"x": [1]}))
    assert "has no outputs" in refused(model(relu, {"x": [1]}, []))
    text = model(relu, {"x": [1]}).SerializeToString().replace(b"Relu", b"R\xff\xffu")
    assert "which is no text" in refused(ModelProto.FromString(text))
    newer = model(relu, {"x": [1]})
    newer.ir_version = 99
    assert "99" in refused(newer)
    assert "attribute" in refused(model([node("Relu", ["x"], ["y"], size=3)], {"x": [1]})).lower()


@pytest.mark.parametrize("dims", [[2**40], [2, 2], [-1], [2**62, 4]])
def test_weights_that_do_not_fill_their_shape(dims: list[int]) -> None:
    graph = model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [3]})
    weight = graph.graph.initializer.add()
    weight.name, weight.data_type, weight.raw_data = "w", FLOAT, bytes(12)
    weight.dims.extend(dims)
    assert "w" in refused(graph)


HUGE: dict[str, tuple[list[NodeProto], dict[str, Any]]] = {
    "ConstantOfShape": (
        [helper.make_node("ConstantOfShape", ["s"], ["y"])],
        {"s": np.array([2**20, 2**20])},
    ),
    "Expand": ([helper.make_node("Expand", ["x", "s"], ["y"])], {"s": np.array([2**40, 1, 1, 4])}),
    "Tile": ([helper.make_node("Tile", ["x", "s"], ["y"])], {"s": np.array([2**38, 1, 1, 1])}),
    "Range": ([helper.make_node("Range", ["a", "b", "c"], ["y"])], {"a": 0, "b": 2**40, "c": 1}),
    "Pad": (
        [helper.make_node("Pad", ["x", "s"], ["y"])],
        {"s": np.array([0, 0, 2**38, 0, 0, 0, 0, 0])},
    ),
    "Resize": (
        [
            helper.make_node(
                "Resize",
                ["x", "", "", "s"],
                ["y"],
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        {"s": np.array([1, 2, 2**20, 2**20])},
    ),
    "Conv": (
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[2**40, 0, 0, 0], strides=[2**40, 1])],
        {"w": np.ones((1, 2, 1, 1), np.float32)},
    ),
    "ConvTranspose": (
        [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2**30, 2**30])],
        {"w": np.ones((2, 1, 1, 1), np.float32)},
    ),
    "AveragePool": (
        [helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[1, 1], pads=[2**40, 0, 0, 0])],
        {},
    ),
    "Add": (
        [helper.make_node("Add", ["a", "b"], ["y"])],
        {"a": np.ones((2**15, 1), np.float32), "b": np.ones((1, 2**15), np.float32)},
    ),
    "Gather": (
        [helper.make_node("Gather", ["a", "b"], ["y"])],
        {"a": np.ones((1, 2**15), np.float32), "b": np.zeros(2**15, np.int64)},
    ),
    "LRN": ([helper.make_node("LRN", ["x"], ["y"], size=2**40)], {}),
}


@pytest.mark.parametrize("name", HUGE)
def test_values_that_would_fill_memory(name: str) -> None:
    nodes, initializers = HUGE[name]
    said = refused(model(nodes, {"x": [1, 2, 3, 4]}, initializers=initializers), normal(1, 2, 3, 4))
    assert name in said
    assert "more than 268435456 elements" in said


@pytest.mark.parametrize("name", ["MaxPool", "AveragePool", "LpPool"])
def test_steps_that_leave_the_image_at_once(name: str) -> None:
    x = normal(1, 1, 4, 5)
    near, far = (
        load(
            model(
                [helper.make_node(name, ["x"], ["y"], kernel_shape=[2, 2], strides=[1, step])],
                {"x": [1, 1, 4, 5]},
            )
        )(x)
        for step in (5, 2**62)
    )
    assert far.shape == (1, 1, 3, 1)
    np.testing.assert_array_equal(far.numpy(), near.numpy())


def test_wrong_inputs_name_the_node() -> None:
    net = load(small())
    with pytest.raises(ValueError, match=r"net takes 1 inputs \(x\), got 2"):
        net(normal(1), normal(1))
    with pytest.raises(ValueError, match=r"net: Conv \(node 'conv'\): conv2d: x has 3 channels"):
        net(normal(1, 3, 6, 6))
    with pytest.raises(TypeError, match=r"net: Conv \(node 'conv'\)"):
        net(np.zeros((1, 2, 6, 6), np.int64))


def test_indices_outside_are_refused() -> None:
    gather = helper.make_node("Gather", ["x", "i"], ["y"], "g")
    said = refused(model([gather], {"x": [3]}, initializers={"i": np.array([7])}), normal(3))
    assert "Gather (node 'g')" in said


# Whole networks of the onnx package; all weights are equal, to keep the files small

NETWORKS = (
    "bvlc_alexnet densenet121 inception_v1 inception_v2 resnet50 shufflenet squeezenet zfnet512"
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS.split())
def test_networks_of_the_onnx_package(name: str) -> None:
    folder = Path(onnx.__file__).parent / "backend/test/data/light"
    if not (folder / f"light_{name}.onnx").exists():
        pytest.skip("this onnx comes without networks")
    net = load(folder / f"light_{name}.onnx")
    x = np.arange(3 * 224 * 224, dtype=np.float32).reshape(1, 3, 224, 224) / (3 * 224 * 224)
    expected = TensorProto.FromString((folder / f"light_{name}_output_0.pb").read_bytes())
    with no_grad():
        y = net(x).numpy()
    np.testing.assert_allclose(y, numpy_helper.to_array(expected), rtol=1e-3)


# onnx's interface


def test_backend() -> None:
    x = normal(2, 2, 6, 6)
    assert Backend.supports_device("CPU")
    assert not Backend.supports_device("TPU")
    assert Backend.is_compatible(small())
    assert not Backend.is_compatible(model([helper.make_node("Det", ["x"], ["y"])], {"x": [2, 2]}))
    (y,) = Backend.run_model(small(), [x])
    assert y.shape == (2, 3)
    (on_device,) = prepare(small(), device="EMU:0").run(x)
    assert on_device.shape == y.shape
    split = helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2)
    parts = Backend.run_node(split, [x])
    np.testing.assert_array_equal(np.concatenate(parts, 1), x)


def test_operators_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parent.parent / "docs/onnx.md").read_text()
    table = page.split("## Operators")[1].split("##")[0]
    listed = {word.strip(" `\n.") for line in table.split("|") for word in line.split(",")}
    assert set(OPERATORS) - listed == set()
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert {word for word in listed if word in known} == set(OPERATORS)


def test_without_onnx_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['onnx'] = None; import convolith.onnx"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith(
        'ImportError: ONNX files need onnx: pip install "convolith[onnx]"'
    )


def test_the_package_does_not_import_onnx() -> None:
    code = "import sys, convolith; assert 'onnx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
