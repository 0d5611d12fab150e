"""Tensors, modules and training on a device, and what is said where that cannot be."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from conftest import devices
from convolith import _C, nn, optim
from convolith import primitives as P
from convolith.data import load_digits
from convolith.models import LeNet5, resnet20
from tolerance import rounded_to, rounding, tolerance


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", devices(metafunc.config))


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "shape", [(), (5,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 2, 2, 3), (0, 3, 4, 4)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_there_and_back(device: Any, shape: tuple[int, ...], dtype: type) -> None:
    values = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    there = cv.Tensor(values).to(device)
    assert (there.device, there.shape, there.dtype) == (device, shape, dtype)
    back = there.cpu()
    assert back.device == "cpu"
    np.testing.assert_array_equal(back.numpy(), values)


HALVES = [np.float16, cv.bfloat16]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5), (70001,), (0, 3)])
def test_halves_are_rounded_to_nearest(device: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    values = 1000 * random(*shape)
    there = cv.Tensor(values).to(device).to(dtype)
    assert (there.device, there.shape, there.dtype) == (device, shape, dtype)
    assert there.to(str(np.dtype(dtype) if dtype is np.float16 else dtype)) is there
    expected = rounded_to(values, dtype)
    np.testing.assert_array_equal(there.cpu().numpy(), expected)
    np.testing.assert_array_equal(there.to(np.float32).numpy(), expected)


def test_halves_of_special_values(device: Any) -> None:
    powers = np.ldexp(np.float32(1.0), np.arange(-149, 128)).astype(np.float32)
    around = np.concatenate([np.nextafter(powers, np.float32(s * np.inf)) for s in (-1, 1)])
    ties = np.concatenate([powers * (1 + i * 2.0**-12) for i in range(1, 9)]).astype(np.float32)
    more = np.asarray([0, -0.0, np.inf, np.nan, 65504, 65519, 65520, 3.4e38], np.float32)
    values = np.concatenate([powers, around, ties, more])
    values = np.concatenate([values, -values])
    for dtype in HALVES:
        actual = cv.Tensor(values).to(device).to(dtype).to(np.float32).numpy()
        np.testing.assert_array_equal(actual, rounded_to(values, dtype), err_msg=str(dtype))


def test_float16_comes_and_goes_as_numpys(device: Any) -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    there = cv.Tensor(every).to(device)
    assert there.dtype == there.numpy().dtype == np.float16
    np.testing.assert_array_equal(there.numpy(), every)
    np.testing.assert_array_equal(there.to(np.float32).numpy(), every.astype(np.float32))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_gradients_flow_through_halves(device: Any, dtype: Any) -> None:
    x = cv.tensor(random(2, 3, 4, 4), requires_grad=True)
    y = nn.functional.relu(x.to(device).to(dtype))
    assert y.dtype == dtype
    (y + y).cpu().sum().backward()
    assert x.grad is not None
    assert (x.grad.device, x.grad.dtype) == ("cpu", np.float32)
    np.testing.assert_array_equal(x.grad.numpy(), 2.0 * (x.numpy() > 0))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_gradients_of_a_half_leaf_add_up(device: Any, dtype: Any) -> None:
    x = cv.tensor(random(2, 3)).to(device).to(dtype).detach()
    x.requires_grad = True
    seed = cv.tensor(np.ones((2, 3), np.float32)).to(device).to(dtype)
    for _ in range(2):
        nn.functional.relu(x).backward(seed)
    assert x.grad is not None
    assert x.grad.dtype == dtype
    np.testing.assert_array_equal(x.grad.numpy(), 2.0 * (x.numpy() > 0))


def test_bfloat16_says_what_it_is(device: Any) -> None:
    x = cv.tensor([1.0]).to(device).to("bfloat16")
    assert repr(x) == f"tensor([1.], device='{device}', dtype=bfloat16)"
    assert (repr(x.dtype), x.dtype.kind, x.dtype.itemsize) == ("convolith.bfloat16", "f", 2)
    assert np.asarray(x, np.float64)[0] == 1


def test_tensor_cores_serve_halves_by_themselves(device: Any) -> None:
    x, w = (2, 16, 8, 8), (8, 16, 3, 3)
    for dtype, algo in (("float32", "direct"), ("float16", "tensor_core")):
        plan = P.conv2d_plan("forward", x, w, device=device, dtype=dtype)
        assert (plan.algo, plan.exact) == (algo, True)
    assert (
        P.conv2d_plan("forward", x, (4, 16, 3, 3), device=device, dtype="bfloat16").algo == "direct"
    )
    assert P.conv2d_plan("forward", x, w, device=device, dtype="bfloat16").bytes == 2 * (
        2 * 16 * 64 + 8 * 16 * 9 + 2 * 8 * 36
    )


def test_strided_arrays_go_there_as_they_read(device: Any) -> None:
    values = random(4, 6, 5, 3)[::2, ::-1].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(cv.Tensor(values).to(device).numpy(), values)


def test_to_where_it_is_is_itself(device: Any) -> None:
    x = cv.tensor([1.0]).to(device)
    assert x.to(device) is x
    assert x.cpu().to("cpu") is not x


def test_numpy_of_a_device_is_a_copy_that_refuses_writing(device: Any) -> None:
    x = cv.tensor([1.0, 2.0]).to(device)
    with pytest.raises(ValueError, match="read-only"):
        x.numpy()[0] = 3
    assert np.array(x)[1] == 2
    with pytest.raises(ValueError, match=f"on {device} and NumPy needs a copy"):
        np.asarray(x, copy=False) if np.lib.NumpyVersion(
            np.__version__
        ) >= "2.0.0" else x.__array__(copy=False)


def test_repr_names_the_device(device: Any) -> None:
    assert repr(cv.tensor([1.0]).to(device)) == f"tensor([1.], device='{device}')"


@pytest.mark.parametrize(
    ("shape", "into"),
    [
        ((2, 3, 4), (2, 12)),
        ((2, 12), (2, 3, 4)),
        ((2, 3, 4), (4, 3, 2)),
        ((2, 3, 1), (3, -1)),
        ((2, 1, 4), (2, 4)),
    ],
)
def test_reshape_is_row_major(device: Any, shape: tuple[int, ...], into: tuple[int, ...]) -> None:
    x = random(*shape)
    y = cv.Tensor(x).to(device).reshape(into)
    np.testing.assert_array_equal(y.numpy(), x.reshape(into))


ARITHMETIC: dict[str, tuple[Callable[[cv.Tensor, cv.Tensor], cv.Tensor], Any, Any]] = {
    "gate": (lambda a, b: a * b, (2, 3, 5, 4), (2, 3, 1, 1)),
    "bias": (lambda a, b: a - b, (5, 7), (7,)),
    "division": (lambda a, b: b / a, (2, 8, 3, 3), (1, 8, 1, 1)),
    "lower rank": (lambda a, b: a / b + b, (2, 3, 4, 5), (3, 4, 5)),
    "numbers": (lambda a, b: 2 - a * 3 + 1 / b - (-b) / 2, (3, 4), (3, 4)),
    "loss": (lambda a, b: ((a - b) ** 2).mean(), (3, 4), (3, 4)),
    "sums": (lambda a, b: a.sum((0, 2)) * b.mean(0), (2, 3, 4, 5), (4, 3, 5)),
    "product": (lambda a, b: a @ b, (3, 4), (4, 5)),
    "product of images": (lambda a, b: a @ b, (2, 3, 5, 4), (4, 6)),
    "exchanged": (lambda a, b: a.transpose(0, 1) * b.transpose(-1, 0), (3, 4), (3, 4)),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_the_cpus(device: Any, name: str) -> None:
    function, *shapes = ARITHMETIC[name]
    results = []
    for where in ("cpu", device):
        a, b = (cv.tensor(2 + np.abs(random(*shape)), requires_grad=True) for shape in shapes)
        y = function(a.to(where), b.to(where))
        assert y.device == where
        (y * y).sum().backward()
        assert a.grad is not None
        assert b.grad is not None
        results.append([t.numpy() for t in (y.cpu(), a.grad, b.grad)])
    for expected, actual in zip(*results, strict=True):
        assert actual.shape == expected.shape
        bound = tolerance(rounding(np.float32), expected.size, np.abs(expected).max())
        np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.parametrize(
    "shape", [(3, 37), (1, 5), (2, 3, 4), (2, 35, 3, 33), (2, 1, 3, 4), (2, 3, 4, 5, 2), (0, 3)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=str)
def test_transpose_exchanges_any_two(device: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    values = rounded_to(random(*shape), dtype)
    x = cv.tensor(values).to(device).to(dtype)
    for dim0 in range(len(shape)):
        for dim1 in (*range(len(shape)), -1):
            y = x.transpose(dim0, dim1)
            np.testing.assert_array_equal(y.to(np.float32).numpy(), values.swapaxes(dim0, dim1))


def test_gradients_flow_from_device_to_device(device: Any) -> None:
    x = cv.tensor(random(2, 3, 4, 4), requires_grad=True)
    y = nn.functional.relu(x.to(device))
    (y + y).cpu().sum().backward()
    assert x.grad is not None
    assert x.grad.device == "cpu"
    np.testing.assert_array_equal(x.grad.numpy(), 2.0 * (x.numpy() > 0))


def test_gradients_of_a_leaf_on_the_device_add_up(device: Any) -> None:
    x = cv.tensor(random(2, 3, 4, 4)).to(device).detach()
    x.requires_grad = True
    ones = cv.tensor(np.ones((2, 48), np.float32)).to(device)
    for _ in range(2):
        nn.functional.relu(x).flatten(1).backward(ones)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), 2.0 * (x.numpy() > 0))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_lenet_learns_as_on_the_cpu(device: Any, optimizer: str) -> None:
    """Twenty steps, batch after batch of the same losses to float tolerance."""
    digits = load_digits()
    images = (digits.train_images[: 20 * 8].astype(np.float32) - 33) / 78
    losses = {}
    for where in ("cpu", device):
        cv.manual_seed(1)
        model = LeNet5("relu", "max").to(where)
        steps: Any = (
            optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
            if optimizer == "sgd"
            else optim.Adam(model.parameters(), 0.002)
        )
        losses[where] = []
        for i in range(0, len(images), 8):
            x, target = cv.Tensor(images[i : i + 8]), cv.Tensor(digits.train_labels[i : i + 8])
            loss = nn.functional.cross_entropy(model(x.to(where)), target.to(where))
            steps.zero_grad()
            loss.backward()
            steps.step()
            losses[where].append(loss.item())
    # An error of a step goes into the next: 20 of them, each of a sum of 400 terms.
    np.testing.assert_allclose(losses[device], losses["cpu"], rtol=20 * 20 * rounding(np.float32))
    assert losses[device][-1] < losses[device][0]


def test_resnet_is_the_cpus_in_training_and_fused(device: Any) -> None:
    cv.manual_seed(3)
    here, x, target = resnet20(), cv.Tensor(random(2, 3, 8, 8)), cv.tensor([1, 7])
    there = copy.deepcopy(here).to(device)
    losses = [
        nn.functional.cross_entropy(model(x.to(where)), target.to(where))
        for model, where in ((here, "cpu"), (there, device))
    ]
    for loss in losses:
        loss.backward()
    # Twenty layers, sums of up to 576 terms each; batch norm divides by what may be small.
    allowed = {"rtol": 1e-3, "atol": 1e4 * rounding(np.float32)}
    np.testing.assert_allclose(losses[1].item(), losses[0].item(), rtol=1e-4)
    for (name, p), q in zip(here.named_parameters(), there.parameters(), strict=True):
        assert p.grad is not None
        assert q.grad is not None
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), **allowed, err_msg=name)
    with cv.no_grad():
        y, expected = nn.fuse(there.eval())(x.to(device)), here.eval()(x)
    np.testing.assert_allclose(y.numpy(), expected.numpy(), **allowed)


def test_out_of_memory_names_the_sizes_and_the_process_goes_on(device: Any) -> None:
    x = cv.tensor(np.zeros((1, 1, 2, 2), np.float32)).to(device)
    w = cv.tensor(np.zeros((1, 1, 1, 1), np.float32)).to(device)
    with pytest.raises(
        MemoryError, match=rf"{device}: out of memory: \d+ MiB were asked for, \d+ MiB of"
    ):
        nn.functional.adaptive_avg_pool2d(x, 2**20)
    assert nn.functional.conv2d(x, w).shape == (1, 1, 2, 2)


def test_state_goes_from_device_to_device(device: Any) -> None:
    cv.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(device)
    other = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    other.load_state_dict(model.state_dict())
    for name, value in model.state_dict().items():
        assert value.device == ("cpu" if value.dtype.kind == "i" else device)
        np.testing.assert_array_equal(other.state_dict()[name].numpy(), value.numpy())
    for tensor in other.parameters():
        tensor.numpy()[...] = 7
    model.load_state_dict(other.state_dict())
    assert all((p.device, p.numpy().min()) == (device, 7) for p in model.parameters())


def test_optimizer_state_goes_where_the_parameters_are(device: Any) -> None:
    model = nn.Linear(3, 2)
    steps = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(cv.tensor(random(4, 3))).sum().backward()
    steps.step()
    there = nn.Linear(3, 2).to(device)
    moved = optim.SGD(there.parameters(), 0.1, momentum=0.9)
    moved.load_state_dict(steps.state_dict())
    for number, state in moved.state.items():
        assert state["momentum_buffer"].device == device
        expected = steps.state[number]["momentum_buffer"]
        np.testing.assert_array_equal(state["momentum_buffer"].numpy(), expected)


def on(device: str, *shape: int) -> Any:
    return _C.to_device(random(*shape), device)


INVALID: dict[str, tuple[Callable[[Any], object], type[Exception], str]] = {
    "weight elsewhere": (
        lambda device: P.conv2d_forward(on(device, 1, 2, 4, 4), random(3, 2, 3, 3)),
        ValueError,
        r"conv2d: x is on DEVICE but w is on cpu; move one of them with .to\(\)",
    ),
    "bias elsewhere": (
        lambda device: P.linear_forward(random(1, 2), random(3, 2), on(device, 3)),
        ValueError,
        "linear: x is on cpu but bias is on DEVICE",
    ),
    "target elsewhere": (
        lambda device: P.softmax_cross_entropy_forward(on(device, 1, 2), np.zeros(1, np.int64)),
        ValueError,
        "softmax_cross_entropy: x is on DEVICE but target is on cpu",
    ),
    "out elsewhere": (
        lambda device: P.relu_forward(on(device, 2), out=random(2)),
        ValueError,
        "relu: the input is on DEVICE but out is on cpu",
    ),
    "running statistics elsewhere": (
        lambda device: P.batch_norm_forward(
            on(device, 2, 3),
            None,
            None,
            np.zeros(3, np.float32),
            np.zeros(3, np.float32),
            training=True,
        ),
        ValueError,
        "batch_norm: x is on DEVICE but running_mean is on cpu",
    ),
    "gradient elsewhere": (
        lambda device: P.sgd_step(on(device, 3), random(3), lr=0.1),
        ValueError,
        "sgd: param is on DEVICE but grad is on cpu",
    ),
    "float64": (
        lambda device: P.relu_forward(_C.to_device(np.zeros(3), device)),
        ValueError,
        "relu_forward: there is no DEVICE float64 kernel",
    ),
    "float16 on the CPU": (
        lambda _: P.relu_forward(np.zeros(3, np.float16)),
        TypeError,
        "relu: x must be float32 or float64, got float16",
    ),
    "bfloat16 on the CPU": (
        lambda _: cv.tensor([1.0]).to("bfloat16"),
        TypeError,
        "bfloat16 is for arrays on a device",
    ),
    "plan of halves on the CPU": (
        lambda _: P.conv2d_plan("forward", (1, 8, 4, 4), (8, 8, 3, 3), dtype="float16"),
        ValueError,
        "conv2d_plan: there is no cpu .* float16 kernel",
    ),
    "halves beside floats": (
        lambda device: P.add_forward(_C.cast(on(device, 3), "float16"), on(device, 3)),
        TypeError,
        "add: a is float16 but b is float32; cast one of them",
    ),
    "halves of batch norm": (
        lambda device: P.batch_norm_forward(
            _C.cast(on(device, 4, 3), "float16"), _C.cast(on(device, 3), "float16"), training=True
        ),
        TypeError,
        "batch_norm: weight must be float32 beside x of float16, got float16",
    ),
    "another algorithm": (
        lambda device: P.conv2d_forward(
            on(device, 1, 2, 4, 4), on(device, 3, 2, 3, 3), algo="winograd"
        ),
        ValueError,
        "conv2d: algo='winograd' needs",
    ),
    "no such device": (lambda _: cv.tensor([1.0]).to("gpu"), TypeError, "gpu"),
    "uint8": (
        lambda device: _C.to_device(np.zeros(3, np.uint8), device),
        TypeError,
        "arrays are float16, float32, float64 or int64, got uint8",
    ),
    "shapes": (
        lambda device: cv.tensor([1.0, 2.0]).to(device) * cv.tensor([1.0] * 3).to(device),
        ValueError,
        r"multiply: shapes \(2,\) and \(3,\) do not broadcast",
    ),
    "integers": (
        lambda device: cv.tensor([1]).to(device) + cv.tensor([1]).to(device),
        TypeError,
        "add: a must be float32 or float64, got int64",
    ),
    "number beside a tensor": (
        lambda device: cv.tensor([1.0]).to(device) * "2",
        TypeError,
        "multiply: cannot combine a float32 tensor with str '2'",
    ),
    "dimension to exchange": (
        lambda device: cv.tensor([1.0]).to(device).transpose(0, 1),
        ValueError,
        "transpose: dim1 1 is out of range",
    ),
    "operands on two devices": (
        lambda device: cv.tensor([1.0]) + cv.tensor([1.0]).to(device),
        ValueError,
        r"add: a is on cpu but b is on DEVICE; move one of them with \.to\(\)",
    ),
    "dtype": (
        lambda device: cv.tensor([1.0]).to(device).to(np.float64),
        ValueError,
        "keep their dtype",
    ),
    "shape of values": (
        lambda device: on(device, 3).assign(random(4)),
        ValueError,
        r"assign: values must be \(3,\), got \(4,\)",
    ),
    "dtype of values": (
        lambda device: on(device, 3).assign(np.zeros(3)),
        TypeError,
        "assign: values are float64 but the array is float32",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid(device: Any, name: str) -> None:
    call, error, words = INVALID[name]
    with pytest.raises(error, match=words.replace("DEVICE", device)):
        call(device)


@pytest.mark.skipif("cuda" in cv.devices(), reason="this build has GPU kernels")
def test_without_gpu_kernels_one_sentence_says_how_to_get_them() -> None:
    with pytest.raises(
        RuntimeError, match=r"cuda: this installation has no GPU kernels; .*CONVOLITH_CUDA=ON"
    ):
        cv.tensor([1.0]).cuda()


def test_import_touches_no_device() -> None:
    code = "import convolith, sys; print(open('/proc/self/maps').read().count('libcuda'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "0"


def test_streams_and_events(device: Any) -> None:
    side = cv.cuda.Stream(device)
    begin, end = cv.cuda.Event(device), cv.cuda.Event(device)
    x = cv.tensor(random(2, 3, 8, 8)).to(device)
    begin.record()
    with cv.cuda.stream(side), cv.cuda.stream(cv.cuda.Stream(device)):
        y = nn.functional.relu(x)
    end.record()
    side.wait_event(end)
    side.synchronize()
    end.synchronize()
    assert begin.elapsed_time(end) > 0
    np.testing.assert_array_equal(y.numpy(), np.maximum(x.numpy(), 0))


def test_pinned_memory_goes_there_without_waiting(device: Any) -> None:
    x = cv.tensor(random(2, 3, 4, 4))
    pinned = x.pin_memory(device)
    assert (pinned.device, pinned.numpy() is x.numpy()) == ("cpu", False)
    pinned.numpy()[0] = 1
    there = pinned.to(device, non_blocking=True)
    cv.synchronize(device)
    np.testing.assert_array_equal(there.numpy(), pinned.numpy())
    with pytest.raises(ValueError, match=f"x is on {device}; memory of the CPU is pinned"):
        there.pin_memory(device)
    with pytest.raises(ValueError, match="device must be 'cuda' or 'emu', got 'cpu'"):
        x.pin_memory("cpu")


def test_events_say_what_they_lack(device: Any) -> None:
    begin, end = cv.cuda.Event(device), cv.cuda.Event(device)
    begin.record()
    with pytest.raises(ValueError, match="both events must have been recorded"):
        begin.elapsed_time(end)
    with pytest.raises(ValueError, match="the CPU has no streams"):
        cv.cuda.Stream("cpu")


def test_whether_there_is_a_gpu_is_a_question() -> None:
    assert cv.cuda.is_available() == (cv.cuda.why_not() == "")
