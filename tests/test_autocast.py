"""Mixed precision: which dtype everything has, where blocks end, what training makes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import _C, amp, arithmetic, nn, optim
from convolith import primitives as P
from convolith.amp import GradScaler, autocast
from convolith.data import load_digits
from convolith.models import LeNet5
from convolith.models.resnet import BasicBlock
from convolith.nn import functional as F
from convolith.tensor import Function, Tensor
from tolerance import rounded_to, rounding, tolerance, training_tolerance

pytestmark = pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")

HALVES = {"float16": np.float16, "bfloat16": cv.bfloat16}
halves = pytest.mark.parametrize("half", HALVES)


def there(values: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """A leaf on the emulated device."""
    leaf = Tensor(np.asarray(values, np.float32)).to("emu").to(dtype).detach()
    leaf.requires_grad = requires_grad
    return leaf


def random(*shape: int, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    values = np.random.default_rng(len(shape)).standard_normal(shape)
    return there(values, dtype, requires_grad)


def gradient_of(x: Tensor) -> np.ndarray:
    assert x.grad is not None
    assert x.grad.dtype == np.float32
    return x.grad.numpy()


# Every function of `nn.functional` and operator, by its class: the call with x (2, 8, 4, 4),
# and what comes of a float32 x and of a half x.
OPS: dict[str, tuple[Callable[[Tensor], Any], str, str]] = {
    "Conv2d": (lambda x: F.conv2d(x, random(8, 8, 3, 3), random(8)), "half", "half"),
    "Linear": (lambda x: F.linear(x, random(8, 4), random(8)), "half", "half"),
    "ConvTranspose2d": (
        lambda x: F.conv_transpose2d(x, random(8, 8, 3, 3), random(8)),
        *("half", "half"),
    ),
    "LocalLinear": (
        lambda x: F.locally_connected2d(x, random(9, 4, 32), random(4, 9), 2),
        *("half", "half"),
    ),
    "Softmax": (F.softmax, "float32", "float32"),
    "LogSoftmax": (F.log_softmax, "float32", "float32"),
    "CrossEntropy": (lambda x: F.cross_entropy(x, random(2, 8, 4, 4)), "float32", "float32"),
    "ClampedLog": (
        lambda x: F.categorical_cross_entropy(x, random(2, 8, 4, 4)),
        *("float32", "float32"),
    ),
    "Loss": (
        lambda x: F.binary_cross_entropy_with_logits(x, random(2, 8, 4, 4), random(4, 4)),
        *("float32", "float32"),
    ),
    "SymmetricLoss": (lambda x: F.mse_loss(x, random(2, 8, 4, 4)), "float32", "float32"),
    "RootMeanSquare": (lambda x: F.rmse_loss(x, random(2, 8, 4, 4)), "float32", "float32"),
    "Add": (lambda x: x + random(2, 8, 4, 4), "float32", "float32"),
    "Subtract": (lambda x: x - random(8, 1, 1), "float32", "float32"),
    "Multiply": (lambda x: random(2, 8, 1, 1) * x, "float32", "float32"),
    "Divide": (lambda x: x / random(8, 4, 4), "float32", "float32"),
    "Power": (lambda x: x**2, "float32", "float32"),
    "MatMul": (lambda x: x @ random(4, 3), "half", "half"),
    "Sum": (lambda x: x.sum(), "float32", "float32"),
    "Mean": (lambda x: x.mean((2, 3)), "float32", "half"),
    "Transpose": (lambda x: x.transpose(1, 3), "float32", "half"),
    "Concat": (lambda x: F.cat([x, random(2, 1, 4, 4)], dim=1), "float32", "float32"),
    "BatchNorm": (
        lambda x: F.batch_norm(x, there([0] * 8), there([1] * 8), random(8), random(8), True),
        *("float32", "half"),
    ),
    "LayerNorm": (
        lambda x: F.layer_norm(x, 4, random(4), random(4)),
        *("float32", "float32"),
    ),
    "GroupNorm": (
        lambda x: F.group_norm(x, 2, random(8), random(8)),
        *("float32", "float32"),
    ),
    "InstanceNorm": (
        lambda x: F.instance_norm(x, there([0] * 8), there([1] * 8), random(8), random(8)),
        *("float32", "half"),
    ),
    "LocalResponseNorm": (lambda x: F.local_response_norm(x, 5), "float32", "float32"),
    "MaxPool2d": (lambda x: F.max_pool2d(x, 2), "float32", "half"),
    "MinPool2d": (lambda x: F.min_pool2d(x, 2), "float32", "half"),
    "AvgPool2d": (lambda x: F.avg_pool2d(x, 2), "float32", "half"),
    "AdaptiveAvgPool2d": (lambda x: F.adaptive_avg_pool2d(x, 3), "float32", "half"),
    "AdaptiveMaxPool2d": (lambda x: F.adaptive_max_pool2d(x, 3), "float32", "half"),
    "GlobalAvgPool2d": (F.global_avg_pool2d, "float32", "half"),
    "GlobalMaxPool2d": (F.global_max_pool2d, "float32", "half"),
    "LpPool2d": (lambda x: F.lp_pool2d(x, 2, 2), "float32", "half"),
    "MaxUnpool2d": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
        "float32",
        "half",
    ),
    "Unfold": (lambda x: F.unfold(x, 2), "float32", "half"),
    "Fold": (lambda x: F.pixel_shuffle(x, 2), "float32", "half"),
    "Pad2d": (lambda x: F.pad(x, (1, 1)), "float32", "half"),
    "Interpolate2d": (lambda x: F.interpolate(x, 3), "float32", "half"),
    "ReLU": (F.relu, "float32", "half"),
    "LeakyReLU": (F.leaky_relu, "float32", "half"),
    "Sigmoid": (F.sigmoid, "float32", "half"),
    "Tanh": (F.tanh, "float32", "half"),
    "ReLU6": (F.relu6, "float32", "half"),
    "Hardtanh": (F.hardtanh, "float32", "half"),
    "Hardsigmoid": (F.hardsigmoid, "float32", "half"),
    "Hardswish": (F.hardswish, "float32", "half"),
    "Step": (F.step, "float32", "half"),
    "ELU": (F.elu, "float32", "half"),
    "SELU": (F.selu, "float32", "half"),
    "LogSigmoid": (F.logsigmoid, "float32", "half"),
    "Softsign": (F.softsign, "float32", "half"),
    "Softplus": (F.softplus, "float32", "half"),
    "SiLU": (F.silu, "float32", "half"),
    "Mish": (F.mish, "float32", "half"),
    "GELU": (F.gelu, "float32", "half"),
    "PReLU": (lambda x: F.prelu(x, random(8)), "float32", "half"),
    "Maxout": (lambda x: F.maxout(x, 2), "float32", "half"),
    "Dropout": (F.dropout, "float32", "half"),
    "AlphaDropout": (lambda x: F.alpha_dropout(x, 0.5, True), "float32", "half"),
    "DropoutSlices": (F.dropout2d, "float32", "half"),
    "Flatten": (F.flatten, "float32", "half"),
    "Reshape": (lambda x: x.reshape(2, -1), "float32", "half"),
}
# What else is as it comes, or must stay so: two halves added, a residual that is wider than x.
MORE: dict[str, tuple[Callable[[Tensor], Any], str, str]] = {
    "add of its own": (lambda x: x + x, "float32", "half"),
    "multiply by a number": (lambda x: 2 * x / 3, "float32", "half"),
    "concat of its own": (lambda x: F.cat([x, x]), "float32", "half"),
    "batch norm of its own": (
        lambda x: F.batch_norm(x, None, None, training=True, residual=x),
        *("float32", "half"),
    ),
    "batch norm, float32 residual": (
        lambda x: F.batch_norm(x, None, None, training=True, residual=random(2, 8, 4, 4)),
        *("float32", "float32"),
    ),
    "convolution, float32 residual": (
        lambda x: F.conv2d(x, random(8, 8, 1, 1), residual=random(2, 8, 4, 4)),
        *("half", "half"),
    ),
    "labels": (
        lambda x: F.cross_entropy(x, Tensor(np.zeros((2, 4, 4), np.int64)).to("emu")),
        *("float32", "float32"),
    ),
}


@halves
@pytest.mark.parametrize("name", [*OPS, *MORE])
def test_dtype_of_every_function(name: str, half: str) -> None:
    call, of_float32, of_half = {**OPS, **MORE}[name]
    for dtype, expected in ((np.float32, of_float32), (HALVES[half], of_half)):
        x = random(2, 8, 4, 4, dtype=dtype, requires_grad=True)
        with autocast("emu", half):
            y = call(x)
        assert str(y.dtype) == (half if expected == "half" else expected)
        y.backward(there(np.ones(y.shape), y.dtype))
        assert x.grad is not None
        assert x.grad.dtype == dtype


def test_the_tables_name_every_function_of_a_device() -> None:
    found = [c for module in (F, arithmetic) for c in vars(module).values()]
    functions = {c.__name__ for c in found if isinstance(c, type) and issubclass(c, Function)}
    assert set(OPS) == functions - {"Function", "To"}
    assert set(amp.RULES) <= functions


@halves
def test_results_are_those_of_rounded_operands(half: str) -> None:
    """Products of halves are exact in float32: only what goes in and what comes out is rounded."""
    x, w, bias = random(3, 16), random(8, 16), random(8)
    with autocast("emu", half):
        y = F.linear(x, w, bias).cpu().to(np.float32).numpy()
    rx, rw, rb = (rounded_to(t.numpy(), HALVES[half]).astype(np.float64) for t in (x, w, bias))
    bound = np.abs(rx) @ np.abs(rw).T + np.abs(rb)
    allowed = tolerance(rounding(np.float32), 16, bound, rounding(HALVES[half]))
    assert np.all(np.abs(y - (rx @ rw.T + rb)) <= allowed)


@halves
def test_parameters_keep_float32_and_so_do_their_gradients(half: str) -> None:
    model = network().to("emu")
    with autocast("emu", half):
        loss = F.cross_entropy(model(random(4, 3, 8, 8)), cv.tensor([0, 1, 2, 3]).to("emu"))
    loss.backward()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        assert tensor.dtype in (np.float32, np.int64), name
    for name, parameter in model.named_parameters():
        assert np.isfinite(gradient_of(parameter)).all(), name


# Blocks


def half_of(x: Tensor) -> str:
    """The dtype that a linear layer computes in."""
    return str(F.linear(x, random(8, 8)).dtype)


def test_blocks_nest_and_end() -> None:
    x = random(2, 8)
    with autocast("emu"):
        assert half_of(x) == "bfloat16"
        with autocast("emu", "float16"):
            assert half_of(x) == "float16"
            with autocast("emu", enabled=False):
                assert half_of(x) == "float32"
        with autocast("cuda", "float16"):
            assert half_of(x) == "bfloat16"
        with pytest.raises(KeyError), autocast("emu", enabled=False):
            raise KeyError
        assert half_of(x) == "bfloat16"
    assert half_of(x) == "float32"


def test_as_a_decorator() -> None:
    decorated = autocast("emu", np.float16)(half_of)
    assert [decorated(random(2, 8)) for _ in range(2)] == ["float16", "float16"]
    assert half_of(random(2, 8)) == "float32"


def test_holds_for_the_thread_and_the_device() -> None:
    seen = []
    with autocast("emu"):
        thread = threading.Thread(target=lambda: seen.append(half_of(random(2, 8))))
        thread.start()
        thread.join()
        for dtype in (np.float32, np.float64):
            x = Tensor(np.ones((2, 3), dtype))
            assert F.linear(x, Tensor(np.ones((3, 3), dtype))).dtype == dtype
    assert seen == ["float32"]


def test_without_autocast_dtypes_are_not_mixed() -> None:
    with pytest.raises(TypeError, match="add: a is float16 but b is float32; cast one of them"):
        random(3, dtype=np.float16) + random(3)


@pytest.fixture
def casts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The dtype of every cast that happens from here on."""
    happened: list[str] = []
    cast = _C.cast

    def counted(x: Any, dtype: str) -> Any:
        happened.append(dtype)
        return cast(x, dtype)

    monkeypatch.setattr(_C, "cast", counted)
    return happened


def test_a_weight_used_twice_is_cast_once(casts: list[str]) -> None:
    w, one, two = (random(8, 8, requires_grad=True) for _ in range(3))
    x = random(2, 8, dtype=cv.bfloat16)
    casts.clear()
    with autocast("emu"):
        y = F.linear(F.linear(x, w), w)
    assert casts == ["bfloat16"]
    seed = there(np.ones((2, 8)), cv.bfloat16)
    y.backward(seed)
    with autocast("emu"):
        apart = F.linear(F.linear(x, one), two)
    apart.backward(seed)
    np.testing.assert_array_equal(y.numpy(), apart.numpy())
    np.testing.assert_array_equal(gradient_of(w), gradient_of(one) + gradient_of(two))


def test_graphs_of_one_block_are_gone_through_one_by_one(casts: list[str]) -> None:
    w, x = random(8, 8, requires_grad=True), random(2, 8, dtype=cv.bfloat16)
    seed = there(np.ones((2, 8)), cv.bfloat16)
    casts.clear()
    with autocast("emu"):
        first, second = F.linear(x, w), F.linear(x, w)
    assert casts == ["bfloat16"]
    first.backward(seed)
    once = gradient_of(w)
    second.backward(seed)
    np.testing.assert_array_equal(gradient_of(w), 2 * once)


def test_a_step_inside_of_a_block_is_seen() -> None:
    w, x = nn.Parameter(random(8, 8)._array), random(2, 8)
    optimizer = optim.SGD([w], lr=1.0)
    with autocast("emu"):
        before = F.linear(x, w)
        before.backward(there(np.ones((2, 8)), cv.bfloat16))
        optimizer.step()
        assert np.any(F.linear(x, w).numpy() != before.numpy())


def test_what_was_cast_without_gradients_gets_them_later() -> None:
    w, x = random(8, 8, requires_grad=True), random(2, 8)
    with autocast("emu"):
        with cv.no_grad():
            F.linear(x, w)
        y = F.linear(x, w)
    y.backward(there(np.ones((2, 8)), cv.bfloat16))
    assert np.any(gradient_of(w) != 0)


# Networks


def network() -> nn.Module:
    """A convolution, batch norm, a residual block of tensor-core sizes, and a classifier."""
    cv.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8, activation="relu"),
        BasicBlock(8, 16, stride=2, shortcut="pad"),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(16, 4),
    )


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Four classes: one of four quarters of the image is brighter."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 4, count)
    x = rng.standard_normal((count, 3, 8, 8)).astype(np.float32)
    for image, label in zip(x, labels, strict=True):
        image[:, label // 2 * 4 :, label % 2 * 4 :][:, :4, :4] += 2
    return x, labels


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return (data.train_images[:count].astype(np.float32) - 33) / 78, data.train_labels[:count]


def lenet() -> nn.Module:
    cv.manual_seed(1)
    return LeNet5("relu", "max")


# Network, data, learning rate, how many of its layers have parameters.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Any], float, int]] = {
    "lenet": (lenet, digits, 0.05, 5),
    "residual": (network, images, 0.05, 7),
}
STEPS, BATCH = 20, 16


def losses(name: str, precision: str) -> list[float]:
    """The losses of 20 steps on one batch."""
    make, data, lr, _ = NETWORKS[name]
    model = make().to("emu")
    optimizer = optim.SGD(model.parameters(), lr, momentum=0.9)
    x, labels = (Tensor(values).to("emu") for values in data(BATCH))
    result = []
    scaler = GradScaler("emu", enabled=precision == "float16")
    for _ in range(STEPS):
        with autocast("emu", precision, enabled=precision != "float32"):
            loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        result.append(loss.item())
    return result


@pytest.mark.parametrize("name", NETWORKS)
def test_losses_follow_those_of_float32(name: str) -> None:
    expected = losses(name, "float32")
    assert expected[-1] < expected[0] / 2
    for half, dtype in HALVES.items():
        allowed = training_tolerance(dtype, NETWORKS[name][-1])
        got = losses(name, half)
        assert got != expected  # it was not float32 after all
        np.testing.assert_allclose(got, expected, rtol=0, atol=allowed * max(expected))


# Modules and optimizers of halves


@halves
def test_a_module_of_halves_keeps_what_batch_norm_needs(half: str) -> None:
    model = network().to("emu")
    assert {"float16": model.half, "bfloat16": model.bfloat16}[half]() is model
    for prefix, module in model.named_modules():
        for name, tensor in (*vars(module).items(),):
            if isinstance(tensor, Tensor) and tensor.dtype.kind == "f":
                vector = isinstance(module, nn.BatchNorm2d)
                assert str(tensor.dtype) == ("float32" if vector else half), f"{prefix}.{name}"
    x = random(4, 3, 8, 8, dtype=HALVES[half])
    y = model(x)
    assert str(y.dtype) == half
    fused = nn.fuse(model.eval())
    expected = model(x).numpy().astype(np.float32)
    got = fused(x).numpy().astype(np.float32)
    allowed = training_tolerance(HALVES[half], 7) * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=allowed)
    assert all(p.dtype == np.float32 for p in model.float().parameters())


@halves
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_optimizers_step_on_halves_as_in_float32_and_round(kind: Any, half: str) -> None:
    dtype = HALVES[half]
    w = nn.Parameter(random(3, 5, dtype=dtype)._array)
    options = {"momentum": 0.9} if kind is optim.SGD else {"eps": 1e-3}
    optimizer = kind([w], lr=0.1, **options)
    expected = w.numpy().astype(np.float32)
    state: list[np.ndarray] = [np.zeros_like(expected) for _ in range(2)]
    for step in (1, 2):
        gradient = random(3, 5, dtype=dtype)
        w.grad = gradient
        optimizer.step()
        g = gradient.numpy().astype(np.float32)
        if kind is optim.SGD:
            P.sgd_step(expected, g, state[0], lr=0.1, momentum=0.9, first=step == 1)
        else:
            P.adam_step(expected, g, *state, step=step, lr=0.1, eps=1e-3)
        expected = rounded_to(expected, dtype)
        state = [rounded_to(s, dtype) for s in state]
        assert all(a.dtype == dtype for a in optimizer.state[0].values() if hasattr(a, "device"))
        spacing = rounding(dtype) * np.abs(expected)  # the sums before rounding differ by float32's
        assert np.all(np.abs(w.numpy().astype(np.float32) - expected) <= spacing)


def entered(*args: Any) -> Callable[[], None]:
    def enter() -> None:
        with autocast(*args):
            pass

    return enter


INVALID: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "CPU": (
        entered("cpu"),
        ValueError,
        "autocast: the CPU has no kernels for halves; move the model to 'cuda' or 'emu'",
    ),
    "device": (entered("gpu"), ValueError, "autocast: device is 'gpu', expected 'cuda' or 'emu'"),
    "float32": (
        entered("emu", "float32"),
        ValueError,
        "autocast: dtype is float32, expected bfloat16 or float16",
    ),
    "int8": (entered("emu", np.int8), ValueError, "autocast: dtype is int8, expected"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name: str) -> None:
    call, error, words = INVALID[name]
    with pytest.raises(error, match=words):
        call()


def test_off_is_possible_anywhere() -> None:
    with autocast("cpu", enabled=False):
        assert F.relu(cv.tensor([1.0])).dtype == np.float32
