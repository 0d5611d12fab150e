"""LeNet-5, other small networks, metrics."""

from __future__ import annotations

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, metrics, nn
from convolith.models import CNN, MLP, LeNet5, Perceptron


def test_lenet_is_the_network_of_the_paper() -> None:
    net = LeNet5()
    shapes = {key: value.shape for key, value in net.state_dict().items()}
    assert shapes == {
        "c1.weight": (6, 1, 5, 5),
        "c1.bias": (6,),
        "c3.weight": (16, 6, 5, 5),
        "c3.bias": (16,),
        "c5.weight": (120, 16, 5, 5),
        "c5.bias": (120,),
        "f6.weight": (84, 120),
        "f6.bias": (84,),
        "output.weight": (10, 84),
        "output.bias": (10,),
    }
    assert sum(p.numpy().size for p in net.parameters()) == 61_706
    assert net(Tensor(np.zeros((3, 1, 28, 28), np.float32))).shape == (3, 10)
    assert net(Tensor(np.zeros((0, 1, 28, 28), np.float32))).shape == (0, 10)


def test_lenet_variants() -> None:
    kinds = {type(layer) for layer in LeNet5("relu", "max", num_classes=3).children()}
    assert {nn.ReLU, nn.MaxPool2d} <= kinds
    assert not {nn.Tanh, nn.AvgPool2d} & kinds
    with pytest.raises(ValueError, match="LeNet5: pool is 'min', expected avg or max"):
        LeNet5(pool="min")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="LeNet5: activation is 'elu', expected tanh or relu"):
        LeNet5("elu")  # type: ignore[arg-type]


def test_lenet_learns_a_batch_by_heart() -> None:
    cv.manual_seed(0)
    digits = cv.data.load_digits()
    images = Tensor(cv.data.Normalize.fit(digits.train_images)(digits.train_images[:20]))
    labels = Tensor(digits.train_labels[:20])
    net = LeNet5()
    optimizer = cv.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(30):
        loss = nn.functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    assert metrics.accuracy(net(images), labels) == 1


def parameters(net: nn.Module) -> list[int]:
    return [p.numpy().size for p in net.parameters()]


def test_mlp_has_the_parameters_of_its_widths() -> None:
    net = MLP(784, (512, 512), 10)
    weights, biases = parameters(net)[::2], parameters(net)[1::2]
    layers = [w + b for w, b in zip(weights, biases, strict=True)]
    assert layers == [401_920, 262_656, 5_130]
    assert sum(layers) == 669_706
    assert net(Tensor(np.zeros((3, 1, 28, 28), np.float32))).shape == (3, 10)
    kinds = [type(layer) for layer in MLP(6, (5,), 2, "sigmoid", dropout=0.2)]
    assert kinds == [nn.Flatten, nn.Linear, nn.Sigmoid, nn.Dropout, nn.Linear]
    assert parameters(MLP(4, (), 2)) == parameters(Perceptron(4, 2)) == [8, 2]
    with pytest.raises(ValueError, match="MLP: activation is 'elu', expected tanh or relu or sig"):
        MLP(activation="elu")  # type: ignore[arg-type]


def test_cnn_is_three_convolutions_and_two_dense_layers() -> None:
    net = CNN()
    shapes = [p.shape for p in net.parameters() if p.ndim > 1]
    assert shapes == [
        (32, 3, 3, 3),
        (64, 32, 3, 3),
        (128, 64, 3, 3),
        (128, 128 * 4 * 4),
        (10, 128),
    ]
    assert sum(parameters(net)) == 356_810
    kinds = [type(layer) for layer in net]
    assert (kinds.count(nn.MaxPool2d), kinds.count(nn.Dropout)) == (3, 2)
    assert net(Tensor(np.zeros((2, 3, 32, 32), np.float32))).shape == (2, 10)
    digits = CNN(1, (28, 28), 7)
    assert digits(Tensor(np.zeros((2, 1, 28, 28), np.float32))).shape == (2, 7)
    with pytest.raises(ValueError, match=r"CNN: image_size is \(7, 32\), expected at least \(8, 8"):
        CNN(image_size=(7, 32))


def test_accuracy() -> None:
    scores = np.array([[0.1, 0.9, 0.0], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]])
    labels = np.array([1, 2, 0])
    assert metrics.accuracy(scores, Tensor(labels)) == 1 / 3
    assert metrics.top_k_accuracy(Tensor(scores), labels, 2) == 2 / 3
    assert metrics.top_k_accuracy(scores, labels, 3) == 1
    assert np.isnan(metrics.accuracy(scores[:0], labels[:0]))


def test_confusion_matrix() -> None:
    matrix = metrics.confusion_matrix(np.array([0, 1, 1, 2]), cv.tensor([0, 1, 2, 2]), 4)
    np.testing.assert_array_equal(matrix, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    assert metrics.format_confusion_matrix(matrix).splitlines() == [
        "true  0 1 2 3  <- predicted",
        "   0  1 . . .   100.0%",
        "   1  . 1 . .   100.0%",
        "   2  . 1 1 .    50.0%",
        "   3  . . . .",
    ]
