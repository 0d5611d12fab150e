"""Variants of convolution and pooling: what each has in common with another way to compute it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn
from convolith.device import to_device
from convolith.nn import functional as F
from test_tensor import assert_gradients
from tolerance import largest, rounding, tolerance

RNG = np.random.default_rng(0)
EPS = rounding(np.float64)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def distinct(*shape: int) -> np.ndarray:
    """Far enough apart for the maximum of a window to be certain, and from 0 for powers."""
    n = int(np.prod(shape))
    return RNG.permutation(np.linspace(0.5, 2, n)).reshape(shape)


def assert_close(actual: Any, expected: np.ndarray, length: int) -> None:
    """Sums of `length` terms that are added in another order."""
    allowed = tolerance(EPS, length, length * largest(expected))
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=0, atol=allowed)


# By name: the function of x (2, 4, 5, 6) and of parameters, and their shapes.
FUNCTIONS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "conv_transpose2d": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 1), (1, 0), (1, 0), 2, (1, 2)),
        ((4, 3, 3, 2), (6,)),
    ),
    "unfold": (lambda x: F.unfold(x, (3, 2), (1, 2), (1, 0), 2), ()),
    "fold": (lambda x: F.fold(x.reshape(2, 4, 30), (6, 7), 2), ()),
    "locally_connected2d": (
        lambda x, w, b: F.locally_connected2d(x, w, b, (2, 3), 2, (0, 1)),
        ((6, 3, 24), (3, 6)),
    ),
    "max_unpool2d": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(5, 6)),
        (),
    ),
    "lp_pool2d": (lambda x: F.lp_pool2d(x, 3, 2, 1, True), ()),
    "pad": (lambda x: F.pad(x, (2, 1, 0, 3), "reflect"), ()),
    "pad_crops": (lambda x: F.pad(x, (-2, 1, 1, -1), value=3.0), ()),
    "interpolate": (lambda x: F.interpolate(x, (7, 3)), ()),
    "interpolate_bilinear": (lambda x: F.interpolate(x, None, 1.6, "bilinear", True), ()),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), ()),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(F.pad(x, (0, 0, 0, 1)), 2), ()),
    "conv1d": (
        lambda x, w, b: F.conv1d(x.flatten(2), w, b, 2, 1, (2,), 2, "circular"),
        ((6, 2, 3), (6,)),
    ),
    "conv_transpose1d": (
        lambda x, w, b: F.conv_transpose1d(x.flatten(2), w, b, 2, 1, 1, 2),
        ((4, 3, 3), (6,)),
    ),
    "max_pool1d": (lambda x: F.max_pool1d(x.flatten(2), 3, 2, 1), ()),
    "avg_pool1d": (lambda x: F.avg_pool1d(x.flatten(2), 3, None, 1, True, False), ()),
    "adaptive_avg_pool1d": (lambda x: F.adaptive_avg_pool1d(x.flatten(2), 7), ()),
    "adaptive_max_pool1d": (lambda x: F.adaptive_max_pool1d(x.flatten(2), (7,)), ()),
    "pad1d": (lambda x: F.pad(x.flatten(2), (2, 3), "replicate"), ()),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient(name: str) -> None:
    f, shapes = FUNCTIONS[name]
    x = Tensor(distinct(2, 4, 5, 6), requires_grad=True)
    parameters = [Tensor(normal(*shape), requires_grad=True) for shape in shapes]
    weights = Tensor(normal(*f(x, *parameters).shape))
    assert_gradients(lambda: (f(x, *parameters) * weights).sum(), [x, *parameters])


@pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_devices_agree(name: str) -> None:
    f, shapes = FUNCTIONS[name]
    arrays = [a.astype(np.float32) for a in (distinct(2, 4, 5, 6), *(normal(*s) for s in shapes))]
    results = []
    for device in ("cpu", "emu"):
        tensors = [Tensor(a).to(device).detach() for a in arrays]
        for t in tensors:
            t.requires_grad = True
        y = f(*tensors)
        y.backward(Tensor(np.ones(y.shape, np.float32)).to(device))
        results.append([y.numpy(), *(t.grad.numpy() for t in tensors if t.grad is not None)])
    assert len(results[0]) == 2 + len(shapes)
    for there, here in zip(results[1], results[0], strict=True):
        allowed = tolerance(rounding(np.float32), 60, 60 * largest(here))
        np.testing.assert_allclose(there, here, rtol=0, atol=allowed)


@pytest.mark.skipif("emu" not in cv.devices(), reason="this build has no emulator")
def test_sequences_on_a_device_are_images_of_one_row() -> None:
    """A view: channels lie last, whatever the other axes are."""
    x = to_device(normal(2, 3, 8).astype(np.float32), "emu")
    row = cv.primitives.flatten_backward(x, (2, 3, 1, 8))
    assert x.is_shared
    np.testing.assert_array_equal(row.numpy()[:, :, 0], x.numpy())
    _, indices = F.max_pool1d(Tensor(x), 2, return_indices=True)
    assert indices.shape == (2, 3, 4)
    mixed = cv.primitives.flatten_backward(x, (2, 8, 1, 3))
    np.testing.assert_array_equal(mixed.numpy(), x.numpy().reshape(2, 8, 1, 3))


def test_convolution_is_a_product_with_the_windows() -> None:
    x, w = normal(2, 3, 7, 8), normal(5, 3, 3, 2)
    options: dict[str, Any] = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
    columns = F.unfold(Tensor(x), (3, 2), **options).numpy()
    y = F.conv2d(Tensor(x), Tensor(w), **options)
    assert_close(y, (w.reshape(5, -1) @ columns).reshape(y.shape), 18)


def test_transposed_convolution_is_the_gradient_of_convolution() -> None:
    x = Tensor(normal(2, 6, 9, 8), requires_grad=True)
    layer = nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=(0, 1), groups=2, dtype=np.float64)
    assert layer.bias is not None
    layer.bias.numpy()[...] = 0
    y = F.conv2d(x, layer.weight.detach(), None, 2, 1, groups=2)
    dy = Tensor(normal(*y.shape))
    y.backward(dy)
    assert x.grad is not None
    np.testing.assert_array_equal(layer(dy, output_size=(9, 8)), x.grad)
    np.testing.assert_array_equal(layer(dy), x.grad)


def test_convolution_of_sequences_is_numpys() -> None:
    x, w = normal(1, 1, 20), normal(1, 1, 5)
    y = F.conv1d(Tensor(x), Tensor(w))
    assert_close(y.numpy()[0, 0], np.correlate(x[0, 0], w[0, 0], "valid"), 5)
    y = F.conv_transpose1d(Tensor(x), Tensor(w))
    assert_close(y.numpy()[0, 0], np.convolve(x[0, 0], w[0, 0], "full"), 5)


def test_unfold_and_fold_are_adjoint() -> None:
    x = normal(2, 3, 7, 8)
    columns = F.unfold(Tensor(x), 3, padding=1, stride=2).numpy()
    other = normal(*columns.shape)
    back = F.fold(Tensor(other), (7, 8), 3, padding=1, stride=2).numpy()
    assert_close((x * back).sum(), np.asarray((columns * other).sum()), x.size)
    counts = F.fold(F.unfold(Tensor(np.ones((1, 1, 4, 4))), 2), (4, 4), 2).numpy()[0, 0]
    np.testing.assert_array_equal(counts, np.outer([1, 2, 2, 1], [1, 2, 2, 1]))


def test_pixels_are_shuffled_as_axes() -> None:
    x = normal(2, 18, 4, 5)
    y = F.pixel_shuffle(Tensor(x), 3)
    axes = x.reshape(2, 2, 3, 3, 4, 5).transpose(0, 1, 4, 2, 5, 3)
    np.testing.assert_array_equal(y, axes.reshape(2, 2, 12, 15))
    np.testing.assert_array_equal(F.pixel_unshuffle(y, 3), x)


def test_padding_is_numpys() -> None:
    x = normal(2, 3, 5, 6)
    widths = ((0, 0), (0, 0), (3, 1), (0, 4))
    for mode, theirs in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")):
        y = F.pad(Tensor(x), (0, 4, 3, 1), mode)  # type: ignore[arg-type]
        np.testing.assert_array_equal(y, np.pad(x, widths, theirs))  # type: ignore[call-overload]
    y = F.pad(Tensor(x), (0, 4, 3, 1), value=2.5)
    np.testing.assert_array_equal(y, np.pad(x, widths, constant_values=2.5))


def test_shared_weights_make_a_local_layer_a_convolution() -> None:
    x = Tensor(normal(2, 3, 6, 7))
    layer = nn.LocallyConnected2d(3, 5, (6, 7), 3, stride=2, padding=1, dtype=np.float64)
    assert layer.bias is not None
    assert layer.weight.shape == (12, 5, 27)
    bound = 1 / np.sqrt(27)
    assert 0.9 * bound < np.abs(layer.weight.numpy()).max() <= bound
    assert np.abs(layer.bias.numpy()).max() <= bound
    w, b = normal(5, 3, 3, 3), normal(5)
    layer.weight.numpy()[...] = w.reshape(5, 27)
    layer.bias.numpy()[...] = b[:, None]
    expected = F.conv2d(x, Tensor(w), Tensor(b), 2, 1).numpy()
    assert_close(layer(x), expected, 28)


def test_unpooling_puts_maxima_back() -> None:
    x = Tensor(distinct(2, 3, 7, 8))
    y, indices = nn.MaxPool2d(2, return_indices=True)(x)
    back = nn.MaxUnpool2d(2)(y, indices)
    assert back.shape == (2, 3, 6, 8)
    again = nn.MaxUnpool2d(2)(y, indices, (2, 3, 7, 8))
    kept = again.numpy() != 0
    assert kept.sum() == y.numpy().size
    np.testing.assert_array_equal(again.numpy()[kept], x.numpy()[kept])


def test_large_norms_come_near_the_maximum() -> None:
    x = Tensor(distinct(1, 2, 6, 6))
    most = F.max_pool2d(x, 3).numpy()
    y = F.lp_pool2d(x, 200.0, 3).numpy()
    assert np.all(most <= y * (1 + tolerance(EPS, 1, 200)))
    assert np.all(y <= most * 9 ** (1 / 200) * (1 + tolerance(EPS, 1, 200)))


def test_separable_convolution() -> None:
    x = Tensor(normal(2, 4, 7, 8).astype(np.float32))
    layer = nn.DepthwiseSeparableConv2d(4, 6, stride=2)
    names = [type(module).__name__ for module in layer]
    assert names == ["Conv2d", "BatchNorm2d"] * 2
    assert layer(x).shape == (2, 6, 4, 4)
    assert "0.bias" not in layer.state_dict()
    plain = nn.DepthwiseSeparableConv2d(4, 6, 5, padding=2, batch_norm=False)
    assert [type(module).__name__ for module in plain] == ["Conv2d", "ReLU"] * 2
    count = sum(p.numpy().size for p in plain.parameters())
    assert count == 4 * 25 + 4 + 4 * 6 + 6
    bare = nn.DepthwiseSeparableConv2d(4, 6, batch_norm=False, activation="identity")
    assert [type(module).__name__ for module in bare] == ["Conv2d"] * 2


# Layers beside what each is in functions of x (2, 4, 6, 8), or of it as a sequence.
LAYERS: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor], str]] = {
    "Unfold": (nn.Unfold(3, 2, 1, 2), lambda x: F.unfold(x, 3, 2, 1, 2), "kernel_size=3"),
    "Fold": (
        nn.Sequential(nn.Unfold(2), nn.Fold((6, 8), 2)),
        lambda x: F.fold(F.unfold(x, 2), (6, 8), 2),
        "output_size=(6, 8)",
    ),
    "LPPool2d": (nn.LPPool2d(2, 3, 2, True), lambda x: F.lp_pool2d(x, 2, 3, 2, True), "norm_type"),
    "Upsample": (
        nn.Upsample(scale_factor=2, mode="bilinear"),
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
        "scale_factor=2, mode='bilinear'",
    ),
    "PixelShuffle": (nn.PixelShuffle(2), lambda x: F.pixel_shuffle(x, 2), "upscale_factor=2"),
    "PixelUnshuffle": (nn.PixelUnshuffle(2), lambda x: F.pixel_unshuffle(x, 2), "factor=2"),
    "ZeroPad2d": (nn.ZeroPad2d(1), lambda x: F.pad(x, (1, 1, 1, 1)), "padding=(1, 1, 1, 1)"),
    "ConstantPad2d": (
        nn.ConstantPad2d((1, 2, 3, 4), 5),
        lambda x: F.pad(x, (1, 2, 3, 4), value=5),
        "value=5",
    ),
    "ReflectionPad2d": (nn.ReflectionPad2d(2), lambda x: F.pad(x, [2] * 4, "reflect"), "padding"),
    "ReplicationPad2d": (
        nn.ReplicationPad2d((0, 1, 2, 0)),
        lambda x: F.pad(x, (0, 1, 2, 0), "replicate"),
        "padding=(0, 1, 2, 0)",
    ),
    "CircularPad2d": (nn.CircularPad2d(3), lambda x: F.pad(x, [3] * 4, "circular"), "padding"),
}
SEQUENCE_LAYERS: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor], str]] = {
    "MaxPool1d": (nn.MaxPool1d(3, padding=1), lambda x: F.max_pool1d(x, 3, 3, 1), "stride=3"),
    "AvgPool1d": (nn.AvgPool1d(3, 2), lambda x: F.avg_pool1d(x, 3, 2), "kernel_size=3, stride=2"),
    "AdaptiveAvgPool1d": (
        nn.AdaptiveAvgPool1d(5),
        lambda x: F.adaptive_avg_pool1d(x, 5),
        "output_size=5",
    ),
    "AdaptiveMaxPool1d": (
        nn.AdaptiveMaxPool1d(5),
        lambda x: F.adaptive_max_pool1d(x, 5),
        "output_size=5",
    ),
}


@pytest.mark.parametrize("name", [*LAYERS, *SEQUENCE_LAYERS])
def test_layers_are_their_functions(name: str) -> None:
    layer, function, text = {**LAYERS, **SEQUENCE_LAYERS}[name]
    x = Tensor(normal(*((2, 4, 6, 8) if name in LAYERS else (2, 4, 17))))
    np.testing.assert_array_equal(layer(x), function(x))
    assert text in repr(layer)


# PyTorch's names and shapes of parameters.
@pytest.mark.parametrize(
    ("layer", "weight", "text"),
    [
        (nn.ConvTranspose2d(4, 6, (3, 2), 2, groups=2), (4, 3, 3, 2), "stride=2, groups=2)"),
        (nn.Conv1d(4, 6, 5, padding=2, groups=2), (6, 2, 5), "kernel_size=(5,), padding=2"),
        (nn.ConvTranspose1d(4, 6, (5,), stride=3), (4, 6, 5), "kernel_size=(5,), stride=3)"),
    ],
)
def test_parameters(layer: nn.Module, weight: tuple[int, ...], text: str) -> None:
    shapes = {name: value.shape for name, value in layer.state_dict().items()}
    assert shapes == {"weight": weight, "bias": (6,)}
    assert text in repr(layer)
    x = Tensor(normal(*((2, 4, 6, 7) if len(weight) == 4 else (2, 4, 13))).astype(np.float32))
    y = layer(x)
    assert y.shape[:2] == (2, 6)
    y.backward(Tensor(np.ones(y.shape, np.float32)))
    assert all(p.grad is not None and p.grad.shape == p.shape for p in layer.parameters())


X4, X3 = Tensor(np.ones((1, 4, 5, 6))), Tensor(np.ones((1, 4, 6)))
INDICES = cv.tensor(np.zeros((1, 4, 5, 6), np.int64))
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "conv1d": (lambda: F.conv1d(X4, X3), r"conv1d: input must be \(N, C, L\).*\(1, 4, 5, 6\)"),
    "conv1d weight": (lambda: F.conv1d(X3, X4), r"conv1d: weight must be \(K, C/G, S\)"),
    "max_pool1d": (lambda: F.max_pool1d(X4, 2), r"max_pool1d: input .*\(1, 4, 5, 6\)"),
    "pad": (lambda: F.pad(X3, (1, 1, 1, 1)), r"pad: 4 numbers .*\(1, 4, 6\)"),
    "unpool": (
        lambda: F.max_unpool2d(X4, INDICES, 2, output_size=(12, 12)),
        r"max_unpool2d: output_size \(12, 12\) .*\(10, 12\)",
    ),
    "unshuffle": (lambda: F.pixel_unshuffle(X4, 2), r"pixel_unshuffle: .*2 .*\(1, 4, 5, 6\)"),
    "shuffle": (lambda: F.pixel_shuffle(X4, 3), "fold: x has 4 channels, .* 9 taps"),
    "groups": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=3), "ConvTranspose2d: groups=3"),
    "size": (lambda: nn.Conv1d(4, 0, 3), "Conv1d: out_channels is 0"),
    "mode": (
        lambda: nn.ConvTranspose2d(4, 6, 3, padding_mode="reflect"),  # type: ignore[arg-type]
        "ConvTranspose2d: padding_mode is 'reflect'",
    ),
    "local": (lambda: nn.LocallyConnected2d(4, 6, 5, 0), "LocallyConnected2d: kernel_size is 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use(name: str) -> None:
    call, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        call()
