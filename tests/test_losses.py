"""Losses as functions and layers: their gradients, what they have in common, their options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolith as cv
from convolith import Tensor, nn
from convolith.nn import functional as F
from test_nn import distinct
from test_tensor import assert_gradients

RNG = np.random.default_rng(0)


def probabilities(*shape: int) -> np.ndarray:
    return 0.1 + 0.8 * RNG.random(shape)


# Each with x (4, 3); gradients flow to the target of those that are symmetric.
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse_loss": F.mse_loss,
    "rmse_loss": F.rmse_loss,
    "l1_loss": lambda x, t: F.l1_loss(x, t, reduction="sum"),
    "huber_loss": lambda x, t: F.huber_loss(x, t, delta=0.5),
    "smooth_l1_loss": lambda x, t: F.smooth_l1_loss(x, t, beta=0.5),
}
TO_INPUT: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[], np.ndarray]]] = {
    "binary_cross_entropy": (
        lambda x, t: F.binary_cross_entropy(F.sigmoid(x), t, Tensor(np.array([1.0, 2, 3]))),
        lambda: probabilities(4, 3),
    ),
    "binary_cross_entropy_with_logits": (
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=Tensor(np.array(3.0))),
        lambda: probabilities(4, 3),
    ),
    "hinge_loss": (
        lambda x, t: F.hinge_loss(x, t, squared=True),
        lambda: RNG.choice([-1.0, 1.0], (4, 3)),
    ),
    "hinge_embedding_loss": (
        lambda x, t: F.hinge_embedding_loss(x, t, margin=0.25),
        lambda: RNG.choice([-1.0, 1.0], (4, 3)),
    ),
    "nll_loss": (
        lambda x, t: F.nll_loss(F.log_softmax(x, 1), t, Tensor(np.array([1.0, 2, 3]))),
        lambda: RNG.integers(0, 3, 4),
    ),
    "multi_margin_loss": (
        lambda x, t: F.multi_margin_loss(x, t, 2, 0.5),
        lambda: RNG.integers(0, 3, 4),
    ),
    "kl_div": (
        lambda x, t: F.kl_div(F.log_softmax(x, 1), t, reduction="batchmean"),
        lambda: RNG.dirichlet(np.ones(3), 4),
    ),
    "categorical_cross_entropy": (
        lambda x, t: F.categorical_cross_entropy(F.softmax(x, 1), t),
        lambda: RNG.dirichlet(np.ones(3), 4),
    ),
    "cross_entropy": (
        lambda x, t: F.cross_entropy(x, t, Tensor(np.array([1.0, 2, 3]))),
        lambda: RNG.integers(0, 3, 4),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_symmetric_losses(name: str) -> None:
    x, target = (Tensor(RNG.normal(size=(4, 3)), requires_grad=True) for _ in "xt")
    assert_gradients(lambda: LOSSES[name](x, target), [x, target])
    assert_gradients(lambda: LOSSES[name](x, target.detach()), [x])
    assert_gradients(lambda: LOSSES[name](x.detach(), target), [target])


@pytest.mark.parametrize("name", TO_INPUT)
def test_gradient_of_losses(name: str) -> None:
    x = Tensor(distinct(4, 3), requires_grad=True)
    loss, draw = TO_INPUT[name]
    target = Tensor(draw())
    assert_gradients(lambda: loss(x, target), [x])


def test_losses_that_are_others() -> None:
    x, labels = Tensor(RNG.normal(size=(4, 3))), Tensor(RNG.integers(0, 3, 4))
    weight = Tensor(np.array([1.0, 2, 3]))
    expected = F.cross_entropy(x, labels, weight).item()
    assert abs(F.nll_loss(F.log_softmax(x, 1), labels, weight).item() - expected) < 1e-12
    probs, one_hot = F.softmax(x, 1), Tensor(np.eye(3)[labels.numpy()])
    expected = F.cross_entropy(x, labels).item()
    assert abs(F.sparse_categorical_cross_entropy(probs, labels).item() - expected) < 1e-12
    assert abs(F.categorical_cross_entropy(probs, one_hot).item() - expected) < 1e-12
    assert abs(F.categorical_cross_entropy(probs * 5, one_hot).item() - expected) < 1e-12
    certain = Tensor(np.array([[0.0, 1.0]]))
    lost = F.sparse_categorical_cross_entropy(certain, cv.tensor([0]), eps=1e-3).item()
    assert abs(lost - np.log(1001)) < 1e-12  # 0.001 of 1.001
    yes = Tensor(RNG.random((4, 3)))
    expected = F.binary_cross_entropy_with_logits(x, yes).item()
    assert abs(F.binary_cross_entropy(F.sigmoid(x), yes).item() - expected) < 1e-12
    expected = F.mse_loss(x, yes).item() ** 0.5
    assert abs(F.rmse_loss(x, yes).item() - expected) < 1e-12


def test_gradient_of_rmse_loss_where_nothing_is_wrong() -> None:
    x = Tensor(np.ones(5), requires_grad=True)
    loss = F.rmse_loss(x, x.detach())
    loss.backward()
    assert loss.item() == 0
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad, np.zeros(5))


WEIGHT = np.array([1.0, 2.0, 3.0])
# A layer, what its function is called with, and what its target is.
LOSS_LAYERS: list[tuple[nn.Module, Callable[..., Tensor], dict[str, Any], np.ndarray]] = [
    (nn.MSELoss(reduction="sum"), F.mse_loss, {"reduction": "sum"}, np.zeros((4, 3))),
    (nn.RMSELoss(), F.rmse_loss, {}, np.zeros((4, 3))),
    (nn.L1Loss(), F.l1_loss, {}, np.zeros((4, 3))),
    (nn.HuberLoss(delta=0.5), F.huber_loss, {"delta": 0.5}, np.zeros((4, 3))),
    (nn.SmoothL1Loss(beta=0.5), F.smooth_l1_loss, {"beta": 0.5}, np.zeros((4, 3))),
    (
        nn.BCELoss(Tensor(WEIGHT)),
        F.binary_cross_entropy,
        {"weight": Tensor(WEIGHT)},
        np.zeros((4, 3)),
    ),
    (
        nn.BCEWithLogitsLoss(pos_weight=Tensor(WEIGHT)),
        F.binary_cross_entropy_with_logits,
        {"pos_weight": Tensor(WEIGHT)},
        np.ones((4, 3)),
    ),
    (nn.HingeLoss(squared=True), F.hinge_loss, {"squared": True}, np.ones((4, 3))),
    (nn.HingeEmbeddingLoss(margin=2.0), F.hinge_embedding_loss, {"margin": 2.0}, -np.ones((4, 3))),
    (
        nn.CrossEntropyLoss(Tensor(WEIGHT), label_smoothing=0.1),
        F.cross_entropy,
        {"weight": Tensor(WEIGHT), "label_smoothing": 0.1},
        np.array([0, 1, 2, 2]),
    ),
    (
        nn.CategoricalCrossEntropyLoss(reduction="sum"),
        F.categorical_cross_entropy,
        {"reduction": "sum"},
        np.eye(3)[[0, 1, 2, 2]],
    ),
    (
        nn.SparseCategoricalCrossEntropyLoss(Tensor(WEIGHT), ignore_index=0),
        F.sparse_categorical_cross_entropy,
        {"weight": Tensor(WEIGHT), "ignore_index": 0},
        np.array([0, 1, 2, 2]),
    ),
    (nn.NLLLoss(ignore_index=2), F.nll_loss, {"ignore_index": 2}, np.array([0, 1, 2, 2])),
    (
        nn.MultiMarginLoss(2, 0.5, Tensor(WEIGHT)),
        F.multi_margin_loss,
        {"p": 2, "margin": 0.5, "weight": Tensor(WEIGHT)},
        np.array([0, 1, 2, 2]),
    ),
    (
        nn.KLDivLoss(reduction="batchmean", log_target=True),
        F.kl_div,
        {"reduction": "batchmean", "log_target": True},
        np.zeros((4, 3)),
    ),
]


@pytest.mark.parametrize("row", LOSS_LAYERS, ids=lambda row: type(row[0]).__name__)
def test_loss_layers_are_their_functions(row: Any) -> None:
    layer, function, options, target = row
    x = Tensor(probabilities(4, 3))
    loss = layer(x, Tensor(target))
    assert loss.item() == function(x, Tensor(target), **options).item() != 0
    assert set(layer.state_dict()) == {k for k, v in options.items() if isinstance(v, Tensor)}


def test_options_of_loss_layers() -> None:
    layer = nn.HuberLoss(delta=0.5, reduction="sum")
    assert repr(layer) == "HuberLoss(reduction='sum', delta=0.5)"
    layer.delta = 2.0  # what a layer has is what counts
    assert layer(Tensor(np.full(3, 1.5)), Tensor(np.zeros(3))).item() == 3 * 0.5 * 1.5**2
    weighted = nn.BCEWithLogitsLoss(pos_weight=Tensor(WEIGHT)).to("float32")
    assert weighted.pos_weight.dtype == np.float32
