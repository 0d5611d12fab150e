"""Tensor and its tape: values by NumPy, gradients by finite differences, and what goes wrong."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Sequence

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn


def assert_gradients(loss: Callable[[], Tensor], leaves: Sequence[Tensor]) -> None:
    """`backward` of the float64 scalar `loss()` agrees with central differences at every leaf.

    The error of a central difference is about step^2 and eps/step: at step = eps^(1/3) both are
    eps^(2/3), here with room for the magnitude of the gradient and of the loss.
    """
    for leaf in leaves:
        leaf.grad = None
    loss().backward()
    eps = np.finfo(np.float64).eps
    step = eps ** (1 / 3)
    for leaf in leaves:
        assert leaf.grad is not None
        assert leaf.grad.shape == leaf.shape
        assert leaf.grad.dtype == leaf.dtype
        expected = np.empty(leaf.shape)
        array = leaf.numpy()
        for index in np.ndindex(leaf.shape):
            middle = array[index]
            ends = []
            for sign in (1, -1):
                array[index] = middle + sign * step
                ends.append(loss().item())
            array[index] = middle
            expected[index] = (ends[0] - ends[1]) / (2 * step)
        scale = 1 + np.abs(expected).max() + abs(loss().item())
        np.testing.assert_allclose(leaf.grad, expected, rtol=0, atol=50 * eps ** (2 / 3) * scale)


def leaf(*shape: int, seed: int = 0) -> Tensor:
    values = np.random.default_rng(seed).uniform(0.5, 2, shape)
    return Tensor(values, requires_grad=True)


ARITHMETIC = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "scalars": lambda a, b: (2 + a * 3 - 1) / 2 + 0.5 * (1 - b) + 1 / b - (-a),
    "power": lambda a, b: a**3 + b**0.5 + b**1.7,
    "mean": lambda a, b: a.mean() * b.mean(dim=0, keepdim=True) + a.mean(1).sum(),
    "sum": lambda a, b: a.sum(dim=0) * b.sum(dim=(0, 1), keepdim=True),
    "sum of all": lambda a, b: a.sum() * b.sum(()) + a.mean(-1, keepdim=True) * b,
    "loss": lambda a, b: ((a - b) ** 2).mean(),
    "array": lambda a, b: a * np.arange(1.0, 5.0) + np.ones((3, 1)) / b,
    "reshape": lambda a, b: a.reshape(-1, 2) * b.reshape((6, 2)),
    "flatten": lambda a, b: a.flatten() * b.flatten(),
    "transpose": lambda a, b: a.transpose(0, 1) * b.transpose(1, 0) * 2,
    "matmul": lambda a, b: a @ b.transpose(0, 1),
    "diamond": lambda a, b: (a * b) * (a * b + a) + a,
    "itself": lambda a, b: a * a + b + b,
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_gradient(name: str) -> None:
    a, b = leaf(3, 4), leaf(3, 4, seed=1)
    assert_gradients(lambda: (ARITHMETIC[name](a, b) * 0.7).sum(), [a, b])


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
@pytest.mark.parametrize(
    "shapes", [((2, 3), (3,)), ((1, 3), (2, 1)), ((), (2, 2)), ((4, 1, 2), (3, 1))]
)
def test_gradient_when_broadcast(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    a, b = leaf(*shapes[0]), leaf(*shapes[1], seed=1)
    y = ARITHMETIC[name](a, b)
    expected = ARITHMETIC[name](a.numpy(), b.numpy())
    np.testing.assert_array_equal(y, expected)
    assert_gradients(lambda: (ARITHMETIC[name](a, b) ** 2).sum(), [a, b])


def test_values_and_attributes() -> None:
    t = cv.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert (t.shape, t.ndim, t.dtype, t.device, len(t)) == ((2, 2), 2, np.float32, "cpu", 2)
    np.testing.assert_array_equal(t + t, [[2, 4], [6, 8]])
    np.testing.assert_array_equal(np.array([1, 1], np.float32) - t, [[0, -1], [-2, -3]])
    np.testing.assert_array_equal(t @ t, [[7, 10], [15, 22]])
    assert t.mean().item() == 2.5
    assert (t + 0.5).dtype == np.float32
    assert bool(t.sum() * 0) is False
    assert repr(t) == "tensor([[1., 2.],\n        [3., 4.]])"
    assert repr(cv.tensor(1.5, np.float64, requires_grad=True)) == (
        "tensor(1.5, dtype=float64, requires_grad=True)"
    )


def test_integers_are_numpys() -> None:
    a, b = cv.tensor([[1, 2], [3, 2**60]]), cv.tensor([5, 7])
    for y, expected in (
        (a + b, [[6, 9], [8, 2**60 + 7]]),
        (3 - a, [[2, 1], [0, 3 - 2**60]]),
        (-a * b, [[-5, -14], [-15, -7 * 2**60]]),
        (a.sum(0, keepdim=True), [[4, 2**60 + 2]]),
        (b**2, [25, 49]),
    ):
        assert y.dtype == np.int64
        np.testing.assert_array_equal(y, expected)


def test_float16_of_the_cpu_is_numpys() -> None:
    x = cv.tensor(np.float16([[1, 2], [3, 4]]), requires_grad=True)
    loss = (x * x / 2 - x.mean(0)).sum()
    assert loss.dtype == np.float16
    assert loss.item() == 5
    loss.backward()
    assert x.grad is not None
    assert x.grad.dtype == np.float16
    np.testing.assert_array_equal(x.grad, [[0, 1], [2, 3]])


def test_constructor_copies_and_keeps_dtypes() -> None:
    source = np.arange(3.0)
    copied, shared = cv.tensor(source), Tensor(source)
    source[0] = 9
    assert copied.dtype == np.float64
    assert copied.numpy()[0] == 0
    assert shared.numpy() is source
    assert cv.tensor([1, 2]).dtype == np.int64
    assert cv.tensor(shared).dtype == np.float64


def test_numpy_and_dlpack_share_memory() -> None:
    t = cv.tensor([1.0, 2.0])
    assert np.asarray(t) is t.numpy()
    assert np.asarray(t, np.float64).dtype == np.float64
    assert np.array(t) is not t.numpy()
    assert t.__dlpack_device__() == (1, 0)
    view = cv.from_dlpack(t)
    t.numpy()[0] = 5
    assert view.numpy()[0] == 5
    with pytest.raises(ValueError, match="float32 cannot become float64 without a copy"):
        t.__array__(np.dtype(np.float64), copy=False)


def test_gradients_accumulate_and_are_not_shared() -> None:
    a, b = leaf(3), leaf(3)
    (a + b).sum().backward()
    first = a.grad
    assert first is not None
    assert b.grad is not None
    assert not np.shares_memory(first.numpy(), b.grad.numpy())
    (a + b).sum().backward()
    assert a.grad is not None
    np.testing.assert_array_equal(a.grad, [2, 2, 2])
    np.testing.assert_array_equal(first, [1, 1, 1])


def test_backward_of_a_leaf_and_from_a_gradient() -> None:
    a = leaf(2)
    start = cv.tensor(np.array([2.0, 3.0]))
    a.backward(start)
    assert a.grad is not None
    np.testing.assert_array_equal(a.grad, [2, 3])
    assert not np.shares_memory(a.grad.numpy(), start.numpy())
    a.grad = None
    (a * 2).backward(start)
    np.testing.assert_array_equal(np.asarray(a.grad), [4, 6])


def test_second_backward_is_refused() -> None:
    a = leaf(2)
    y = (a * a).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="gone through before"):
        y.backward()
    np.testing.assert_array_equal(np.asarray(a.grad), 2 * a.numpy())


def test_backward_lets_go_of_what_it_saved() -> None:
    a = leaf(2)
    middle = a * 2
    kept = weakref.ref(middle.numpy())
    y = (middle * middle).sum()
    del middle
    assert kept() is not None
    y.backward()
    gc.collect()
    assert kept() is None


def test_only_what_backward_needs_is_kept() -> None:
    a = leaf(2)
    middle = a * 2
    kept = weakref.ref(middle.numpy())
    y = (middle + 1).sum()
    del middle
    assert kept() is None
    y.backward()
    np.testing.assert_array_equal(np.asarray(a.grad), [2, 2])


def test_no_gradient_is_computed_that_nobody_asked_for() -> None:
    x, w = Tensor(np.ones((2, 3))), leaf(4, 3)
    y = nn.functional.linear(x, w)
    assert y._node is not None
    assert y._node.needs == (False, True, False)
    dx, dw, db = y._node.function.backward(y._node, np.ones((2, 4)))
    assert dx is None
    assert db is None
    assert dw.shape == w.shape


def test_deep_networks_do_not_recurse() -> None:
    a = leaf(1)
    y = a
    for _ in range(20_000):
        y = y + 1
    y.backward()
    np.testing.assert_array_equal(np.asarray(a.grad), [1])


def test_no_grad() -> None:
    a = leaf(2)

    @cv.no_grad()
    def double() -> Tensor:
        return a * 2

    seen = []
    with cv.no_grad():
        assert not cv.is_grad_enabled()
        thread = threading.Thread(target=lambda: seen.append(cv.is_grad_enabled()))
        thread.start()
        thread.join()
        assert not (a * 2).requires_grad
    assert seen == [True]
    assert cv.is_grad_enabled()
    assert not double().requires_grad
    assert not (a * 2).detach().requires_grad
    assert (a * 2).requires_grad


WRONG = {
    "dtypes": (
        lambda: cv.tensor([1.0]) + cv.tensor([1.0], np.float64),
        TypeError,
        "add: a is float32 but b is float64; cast one of them",
    ),
    "text": (lambda: cv.tensor([1.0]) * "x", TypeError, "multiply: .*float32.* str 'x'"),
    "float with int": (lambda: 1.5 - cv.tensor([1]), TypeError, "subtract: .*int64.* float 1.5"),
    "shapes": (
        lambda: cv.tensor([1.0, 2.0]) / cv.tensor([1.0, 2.0, 3.0]),
        ValueError,
        r"divide: shapes \(2,\) and \(3,\) do not broadcast",
    ),
    "shapes of integers": (
        lambda: cv.tensor([1, 2]) * cv.tensor([1, 2, 3]),
        ValueError,
        r"multiply: .*\(2,\) \(3,\)",
    ),
    "integers with floats": (
        lambda: cv.tensor([1]) + cv.tensor([1.0]),
        TypeError,
        "add: a must be float32 or float64, got int64",
    ),
    "integer dtypes": (
        lambda: cv.tensor([1]) + cv.tensor([1], np.int32),
        TypeError,
        "add: a is int64 but b is int32",
    ),
    "mean of integers": (
        lambda: cv.tensor([1, 2]).mean(),
        TypeError,
        "mean: x must be float32 or float64, got int64",
    ),
    "axis": (lambda: leaf(2, 3).sum(2), ValueError, "sum: dim 2 is out of range"),
    "integer gradient": (
        lambda: cv.tensor([1], requires_grad=True),
        TypeError,
        "only floats have gradients, and the data is int64",
    ),
    "no gradient": (lambda: cv.tensor([1.0]).backward(), RuntimeError, "backward: nothing"),
    "no scalar": (lambda: (leaf(2) * 2).backward(), ValueError, r"shape \(2,\) is no scalar"),
    "gradient shape": (
        lambda: leaf(2).backward(cv.tensor(np.ones(3))),
        ValueError,
        r"the gradient is \(3,\) and the tensor \(2,\)",
    ),
    "gradient dtype": (
        lambda: leaf(2).backward(cv.tensor([1.0, 1.0])),
        TypeError,
        "the gradient is float32 and the tensor float64",
    ),
    "ufunc": (lambda: np.exp(cv.tensor([1.0])), TypeError, "does not support ufuncs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use(name: str) -> None:
    call, error, words = WRONG[name]
    with pytest.raises(error, match=words):
        call()
