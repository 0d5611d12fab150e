"""Layers and networks: gradients through whole networks, modes, state, hooks, wrong use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn, reference
from convolith.nn import functional as F
from test_tensor import assert_gradients

RNG = np.random.default_rng(0)


def distinct(*shape: int) -> np.ndarray:
    """Float64 values far enough apart for the maximum of a window to be certain."""
    n = int(np.prod(shape))
    return RNG.permutation(np.linspace(-2, 2, n)).reshape(shape)


class Branching(nn.Module):
    """Two paths that part, join by concatenation and by addition, and use one layer twice."""

    def __init__(self) -> None:
        self.stem = nn.Conv2d(2, 4, 3, padding="same", dtype=np.float64)
        self.norm = nn.BatchNorm2d(4, dtype=np.float64)
        self.left = nn.Conv2d(4, 3, 3, stride=2, padding=1, groups=1, dtype=np.float64)
        self.right = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(4, 3, 1, bias=False, dtype=np.float64), nn.Tanh()
        )
        self.shared = nn.Conv2d(6, 6, 3, padding=(2, 0, 1, 1), groups=3, dtype=np.float64)
        self.head = nn.Linear(12, 5, dtype=np.float64)

    def forward(self, x: Tensor) -> Tensor:
        x = F.sigmoid(self.norm(self.stem(x)))
        x = F.cat([self.left(x), self.right(x)], dim=1)
        x = x + F.leaky_relu(self.shared(self.shared(x)))
        x = F.cat([F.global_avg_pool2d(x), F.global_max_pool2d(x)], dim=1)
        return self.head(x.flatten(1))


POINTWISE = {
    "relu": F.relu,
    "relu6": lambda x: F.relu6(5 * x),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.3),
    "prelu": lambda x: F.prelu(x, Tensor(np.array([0.3]))),
    "hardtanh": lambda x: F.hardtanh(x, -0.51, 1.7),
    "hardsigmoid": lambda x: F.hardsigmoid(3 * x),
    "hardswish": lambda x: F.hardswish(3 * x),
    "step": lambda x: F.step(x) * x,
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "sigmoid": F.sigmoid,
    "logsigmoid": F.logsigmoid,
    "tanh": F.tanh,
    "softsign": F.softsign,
    "softplus": lambda x: F.softplus(x, 2.0, 3.3),
    "silu": lambda x: F.silu(x, 1.5),
    "mish": F.mish,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, "tanh"),
    "maxout": lambda x: F.maxout(x, 3),
    "identity": F.identity,
    "softmax": lambda x: F.softmax(x, 1),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "flatten": lambda x: F.flatten(x, 1),
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1),
    "min_pool2d": lambda x: F.min_pool2d(x, (2, 3), ceil_mode=True),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 3),
    "global_avg_pool2d": F.global_avg_pool2d,
    "global_max_pool2d": F.global_max_pool2d,
    "cat": lambda x: F.cat([x, x * x, x], dim=-1),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "batch_norm_relu": lambda x: F.batch_norm(x, None, None, training=True, activation="relu"),
}


@pytest.mark.parametrize("name", POINTWISE)
def test_gradient_of_functions(name: str) -> None:
    x = Tensor(distinct(2, 3, 5, 4), requires_grad=True)
    weights = Tensor(RNG.normal(size=POINTWISE[name](x).shape))
    assert_gradients(lambda: (POINTWISE[name](x) * weights).sum(), [x])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradient_of_cross_entropy(reduction: Any) -> None:
    x = Tensor(distinct(4, 3, 2), requires_grad=True)
    labels = cv.tensor([[0, 1], [2, -100], [1, 1], [0, 2]])

    def loss() -> Tensor:
        each = F.cross_entropy(x, labels, reduction=reduction, label_smoothing=0.1)
        return (each * each).sum()

    assert_gradients(loss, [x])
    soft = Tensor(RNG.dirichlet(np.ones(3), (4, 2)).transpose(0, 2, 1))
    assert_gradients(lambda: F.cross_entropy(x, soft), [x])
    assert soft.grad is None


def test_dropout_masks_forward_and_backward_alike() -> None:
    cv.manual_seed(3)
    x = Tensor(np.ones((50, 40)), requires_grad=True)
    y = F.dropout(x, 0.25)
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad, y)
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert abs((y.numpy() == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 2000)
    assert not np.array_equal(F.dropout(x, 0.25), y)
    cv.manual_seed(3)
    np.testing.assert_array_equal(F.dropout(x, 0.25), y)
    assert F.dropout(x, 0.25, training=False) is x


def test_gradients_through_a_branching_network() -> None:
    cv.manual_seed(0)
    net = Branching()
    x = Tensor(distinct(3, 2, 6, 6), requires_grad=True)
    labels = cv.tensor([0, 3, 4])
    assert_gradients(lambda: F.cross_entropy(net(x), labels), [x, *net.parameters()])


def test_gradients_through_lenet() -> None:
    """Directional derivatives: 61,706 differences would take long."""
    cv.manual_seed(0)
    net = cv.models.LeNet5("relu", "max").to(np.float64)
    x, labels = Tensor(RNG.normal(size=(2, 1, 28, 28))), cv.tensor([3, 7])
    F.cross_entropy(net(x), labels).backward()
    step = 1e-6
    for parameter in net.parameters():
        assert parameter.grad is not None
        direction = RNG.normal(size=parameter.shape)
        ends = []
        for sign in (1, -2):
            parameter.numpy()[...] += sign * step * direction
            ends.append(F.cross_entropy(net(x), labels).item())
        parameter.numpy()[...] += step * direction
        slope = (parameter.grad.numpy() * direction).sum()
        assert abs((ends[0] - ends[1]) / (2 * step) - slope) < 1e-6 * (1 + abs(slope))


CONVOLUTIONS = {
    "plain": {"kernel_size": 3},
    "strided same": {"kernel_size": (3, 2), "stride": 2, "padding": "same"},
    "valid": {"kernel_size": 2, "padding": "valid", "bias": False},
    "four sides": {"kernel_size": 3, "padding": (0, 1, 2, 0)},
    "reflect": {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    "grouped, dilated": {"kernel_size": 2, "dilation": (1, 2), "groups": 2},
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv2d_is_the_reference(name: str) -> None:
    options = dict(CONVOLUTIONS[name])
    layer = nn.Conv2d(4, 6, **options, dtype=np.float64)
    x = RNG.normal(size=(2, 4, 7, 6))
    bias = None if layer.bias is None else layer.bias.numpy()
    for ours in ("kernel_size", "bias"):
        options.pop(ours, None)
    expected = reference.conv2d_forward(x, layer.weight.numpy(), bias, **options)
    np.testing.assert_allclose(layer(Tensor(x)), expected, rtol=1e-12, atol=1e-12)


LAYERS: dict[str, tuple[nn.Module, Callable[[np.ndarray], Any]]] = {
    "MaxPool2d": (nn.MaxPool2d(2), lambda x: reference.max_pool2d_forward(x, 2)[0]),
    "MinPool2d": (nn.MinPool2d(2, 1), lambda x: reference.min_pool2d_forward(x, 2, stride=1)[0]),
    "AvgPool2d": (nn.AvgPool2d(2), lambda x: reference.avg_pool2d_forward(x, 2)),
    "AdaptiveAvgPool2d": (
        nn.AdaptiveAvgPool2d((3, None)),
        lambda x: reference.adaptive_avg_pool2d_forward(x, (3, None)),
    ),
    "AdaptiveMaxPool2d": (
        nn.AdaptiveMaxPool2d(2),
        lambda x: reference.adaptive_max_pool2d_forward(x, 2)[0],
    ),
    "GlobalAvgPool2d": (nn.GlobalAvgPool2d(), lambda x: x.mean((2, 3), keepdims=True)),
    "GlobalMaxPool2d": (nn.GlobalMaxPool2d(), lambda x: x.max((2, 3), keepdims=True)),
    "ReLU": (nn.ReLU(), lambda x: np.maximum(x, 0)),
    "LeakyReLU": (nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x)),
    "ReLU6": (nn.ReLU6(), lambda x: np.clip(x, 0, 6)),
    "PReLU": (nn.PReLU(3, 0.3, np.float64), lambda x: np.where(x > 0, x, 0.3 * x)),
    "Hardtanh": (nn.Hardtanh(-0.5), lambda x: np.clip(x, -0.5, 1)),
    "Hardsigmoid": (nn.Hardsigmoid(), lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "Hardswish": (nn.Hardswish(), lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "Step": (nn.Step(), lambda x: np.heaviside(x, 0)),
    "ELU": (nn.ELU(0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    "SELU": (nn.SELU(), reference.selu_forward),
    "Sigmoid": (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    "LogSigmoid": (nn.LogSigmoid(), lambda x: -np.log1p(np.exp(-x))),
    "Tanh": (nn.Tanh(), np.tanh),
    "Softsign": (nn.Softsign(), lambda x: x / (1 + np.abs(x))),
    "Softplus": (nn.Softplus(2), lambda x: np.log1p(np.exp(2 * x)) / 2),
    "SiLU": (nn.SiLU(), lambda x: x / (1 + np.exp(-x))),
    "Swish": (nn.Swish(1.5), lambda x: x / (1 + np.exp(-1.5 * x))),
    "Mish": (nn.Mish(), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "GELU": (nn.GELU(), reference.gelu_forward),
    "Maxout": (nn.Maxout(3), lambda x: x.max(1, keepdims=True)),
    "Softmax": (nn.Softmax(1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "LogSoftmax": (nn.LogSoftmax(), lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
    "Flatten": (nn.Flatten(), lambda x: x.reshape(len(x), -1)),
    "Identity": (nn.Identity(), lambda x: x),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_compute_what_they_say(name: str) -> None:
    layer, expected = LAYERS[name]
    x = RNG.normal(size=(2, 3, 6, 4))
    np.testing.assert_allclose(layer(Tensor(x)), expected(x), rtol=1e-10, atol=1e-12)
    assert repr(layer).startswith(f"{name}(")


def test_activations_print_their_options() -> None:
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(nn.Softplus(2.0)) == "Softplus(beta=2.0, threshold=20.0)"
    assert repr(nn.GELU("tanh")) == "GELU(approximate='tanh')"
    assert repr(nn.PReLU(8)) == "PReLU(num_parameters=8)"


@pytest.mark.parametrize("slopes", [1, 3])
def test_prelu_learns_its_slopes(slopes: int) -> None:
    layer = nn.PReLU(slopes, dtype=np.float64)
    assert layer.weight.numpy().tolist() == [0.25] * slopes
    x = Tensor(distinct(2, 3, 4, 5), requires_grad=True)
    assert_gradients(lambda: (layer(x) * layer(x)).sum(), [x, *layer.parameters()])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.PReLU(0), "PReLU: num_parameters is 0, expected at least 1"),
        (lambda: nn.Maxout(0), "Maxout: pieces is 0, expected at least 1"),
        (
            lambda: nn.PReLU(4)(Tensor(np.ones((2, 3), np.float32))),
            r"prelu: weight must be \(3,\), got \(4,\)",
        ),
    ],
)
def test_activations_refuse_sizes(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_pooling_returns_indices() -> None:
    x = Tensor(distinct(2, 3, 4, 4))
    for layer in (nn.MaxPool2d(2, return_indices=True), nn.AdaptiveMaxPool2d(2, True)):
        y, indices = layer(x)
        assert indices.dtype == np.int64
        flat = x.numpy().reshape(2, 3, 16)
        picked = np.take_along_axis(flat, indices.numpy().reshape(2, 3, 4), 2)
        np.testing.assert_array_equal(picked.reshape(y.shape), y)
    y, indices = F.min_pool2d(x, 4, return_indices=True)
    np.testing.assert_array_equal(indices.numpy().ravel(), x.numpy().reshape(6, 16).argmin(1))
    y, indices = F.global_max_pool2d(x, return_indices=True)
    np.testing.assert_array_equal(indices.numpy().ravel(), x.numpy().reshape(6, 16).argmax(1))


def test_dropout_layer_and_loss_layer() -> None:
    x = Tensor(np.ones((4, 3)))
    layer = nn.Dropout(0.9)
    assert (layer(x).numpy() == 0).any()
    assert layer.eval()(x) is x
    loss = nn.CrossEntropyLoss(reduction="sum", ignore_index=2)(x, cv.tensor([0, 1, 2, 2]))
    assert abs(loss.item() - 2 * np.log(3)) < 1e-12
    assert repr(layer) == "Dropout(p=0.9)"


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_keeps_running_statistics(momentum: float | None) -> None:
    layer = nn.BatchNorm2d(3, momentum=momentum, dtype=np.float64)
    mean, var = np.zeros(3), np.ones(3)
    for step in range(1, 4):
        x = RNG.normal(2, 3, (4, 3, 5, 5))
        y = layer(Tensor(x))
        weight = momentum or 1 / step
        mean += weight * (x.mean((0, 2, 3)) - mean)
        var += weight * (x.var((0, 2, 3), ddof=1) - var)
        np.testing.assert_allclose(y.numpy().mean((0, 2, 3)), 0, atol=1e-12)
        np.testing.assert_allclose(y.numpy().var((0, 2, 3)), 1, rtol=1e-4)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    assert layer.num_batches_tracked is not None
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 3
    y = layer.eval()(Tensor(x))
    side = (1, 3, 1, 1)
    expected = (x - mean.reshape(side)) / np.sqrt(var.reshape(side) + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    assert layer.num_batches_tracked.item() == 3


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_batch_norm_with_residual(activation: Any, training: bool) -> None:
    """Gradients of everything that goes in, the residual also being the input."""
    layer = nn.BatchNorm2d(3, dtype=np.float64, activation=activation).train(training)
    assert (", activation='relu'" in repr(layer)) == (activation == "relu")
    x, residual = (Tensor(RNG.normal(size=(2, 3, 4, 3)), requires_grad=True) for _ in range(2))
    weights = Tensor(RNG.normal(size=x.shape))
    leaves = [x, residual, *layer.parameters()]
    assert_gradients(lambda: (layer(x, residual) * weights).sum(), leaves)
    assert_gradients(lambda: (layer(x * 2, x) * weights).sum(), [x])
    plain = nn.BatchNorm2d(3, dtype=np.float64).train(training)
    plain.load_state_dict(layer.state_dict())
    expected = plain(x) + residual
    expected = F.relu(expected) if activation == "relu" else expected
    np.testing.assert_allclose(layer(x, residual), expected, rtol=1e-12, atol=1e-12)


def test_batch_norm_without_running_statistics_or_scale() -> None:
    layer = nn.BatchNorm1d(3, affine=False, track_running_stats=False).eval()
    assert layer.state_dict() == {}
    x = RNG.normal(2, 3, (8, 3)).astype(np.float32)
    np.testing.assert_allclose(layer(Tensor(x)).numpy().mean(0), 0, atol=1e-6)
    with pytest.raises(ValueError, match=r"BatchNorm1d: the input has rank 4 .* rank 2 or 3"):
        layer(Tensor(np.zeros((2, 3, 4, 4))))
    assert "affine=False" in repr(layer)


def test_tree() -> None:
    net = Branching()
    assert [name for name, _ in net.named_children()] == [
        "stem",
        "norm",
        "left",
        "right",
        "shared",
        "head",
    ]
    assert [name for name, _ in net.named_modules()][:2] == ["", "stem"]
    assert "right.1" in dict(net.named_modules())
    assert len(list(net.modules())) == 10
    assert len(list(net.parameters())) == 11
    assert [name for name, _ in net.named_buffers()] == [
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]
    assert len(list(net.buffers())) == 3
    assert list(net.state_dict())[2:7] == [
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]


def test_modes_and_zero_grad() -> None:
    net = Branching()
    assert all(not module.training for module in net.eval().modules())
    assert all(module.training for module in net.train().modules())
    net(Tensor(distinct(3, 2, 6, 6))).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_apply_goes_through_the_tree_and_returns_it() -> None:
    seen: list[str] = []
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


def test_shared_parameters_come_once() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    net = nn.Sequential(first, second)
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_containers() -> None:
    layers = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    layers.append(nn.Flatten())
    assert len(layers) == 3
    assert isinstance(layers[-1], nn.Flatten)
    assert [type(layer) for layer in layers] == [nn.ReLU, nn.Tanh, nn.Flatten]


def test_state_dict_round_trip() -> None:
    cv.manual_seed(0)
    one, two = Branching(), Branching()
    x = Tensor(distinct(3, 2, 6, 6))
    one(x)
    assert not np.array_equal(one.eval()(x), two.eval()(x))
    two.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(one(x), two(x))
    parameter = next(two.parameters())
    two.load_state_dict({"stem.weight": np.zeros(parameter.shape)}, strict=False)
    assert (parameter.numpy() == 0).all()
    assert (next(one.parameters()).numpy() != 0).all()


def test_a_bad_state_dict_loads_nothing() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {key: value.numpy().copy() for key, value in net.state_dict().items()}
    bad: dict[str, Any] = {key: value * 0 for key, value in net.state_dict().items()}
    bad["0.weight"] = np.zeros((3, 9), np.float32)
    bad["0.bias"] = np.zeros(3)
    bad["extra"] = bad.pop("1.bias")
    with pytest.raises(ValueError, match="Sequential: cannot load state_dict") as caught:
        net.load_state_dict(bad)
    for words in (
        "missing keys 1.bias",
        "unexpected keys extra",
        "0.weight is float32 (3, 9) but the model has float32 (3, 2)",
        "0.bias is float64 (3,) but the model has float32 (3,)",
    ):
        assert words in str(caught.value)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_forward_hooks() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    seen: list[Any] = []
    watch = net[0].register_forward_hook(lambda m, args, y: seen.append((m, args[0], y)))
    double = net[1].register_forward_hook(lambda m, args, y: y * 2)
    x = cv.tensor([-1.0, 1.0])
    y = net(x)
    assert seen[0][0] is net[0]
    assert seen[0][1] is x
    np.testing.assert_array_equal(seen[0][2], [0, 1])
    np.testing.assert_array_equal(y, 2 * np.tanh(np.float32([0, 1])))
    watch.remove()
    watch.remove()
    double.remove()
    np.testing.assert_array_equal(net(x), np.tanh(np.float32([0, 1])))
    assert len(seen) == 1


def test_buffers_and_dtype() -> None:
    net = nn.Linear(2, 2)
    net.register_buffer("scale", cv.tensor([1.0]))
    net.register_buffer("count", cv.tensor([1]))
    net.register_buffer("nothing", None)
    assert list(net.state_dict()) == ["weight", "bias", "scale", "count"]
    assert [t.dtype for t in net.to(np.float64).state_dict().values()] == [np.float64] * 3 + [
        np.int64
    ]


def test_repr() -> None:
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, bias=False), nn.Sequential(nn.Linear(3, 1), nn.ReLU())
    )
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Conv2d(2, 4, kernel_size=(3, 3), stride=2, bias=False)\n"
        "  (1): Sequential(\n"
        "    (0): Linear(3, 1, bias=True)\n"
        "    (1): ReLU()\n"
        "  )\n"
        ")"
    )


WRONG = {
    "channels": (lambda: nn.Conv2d(0, 1, 3), "Conv2d: in_channels is 0, expected at least 1"),
    "kernel": (lambda: nn.Conv2d(1, 1, (3, -1)), "Conv2d: kernel_size is -1"),
    "groups": (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2 does not divide in_channels=3"),
    "features": (lambda: nn.Linear(2, -5), "Linear: out_features is -5"),
    "norm": (lambda: nn.BatchNorm2d(0), "BatchNorm2d: num_features is 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name: str) -> None:
    call, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        call()
