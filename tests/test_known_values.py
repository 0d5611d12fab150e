"""Values worked out by hand, so that the reference does not only agree with itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convolith import _C, reference


@pytest.mark.parametrize("p", [reference, _C], ids=["reference", "compiled"])
class TestKnownValues:
    """Small enough to be worked out on paper."""

    def test_conv2d(self, p: Any) -> None:
        x = np.arange(9.0).reshape(1, 1, 3, 3)
        w = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
        y = p.conv2d_forward(x, w, np.array([10.0]))
        assert y.tolist() == [[[[37.0, 47.0], [67.0, 77.0]]]]
        same = p.conv2d_forward(x, w, padding="same")  # the extra column is on the right
        assert same[0, 0, :, 2].tolist() == [2 + 3 * 5, 5 + 3 * 8, 8]
        reflected = p.conv2d_forward(x, w, padding=(1, 0, 1, 0), padding_mode="reflect")
        assert reflected[0, 0, 0, 0] == 1 * 4 + 2 * 3 + 3 * 1 + 4 * 0
        dx = p.conv2d_backward_input(np.ones((1, 1, 1, 1)), w, (1, 1, 3, 3), stride=2)
        assert dx[0, 0].tolist() == [[1, 2, 0], [3, 4, 0], [0, 0, 0]]

    def test_pools(self, p: Any) -> None:
        x = np.array([[[[1.0, 5.0, 2.0], [5.0, 0.0, 7.0], [3.0, -1.0, 4.0]]]])
        y, indices = p.max_pool2d_forward(x, 2, stride=1)
        assert y.tolist() == [[[[5, 7], [5, 7]]]]
        assert indices.tolist() == [[[[1, 5], [3, 5]]]]  # the first of the two fives
        assert p.min_pool2d_forward(x, 3)[1].tolist() == [[[[7]]]]
        assert p.avg_pool2d_forward(x, 2, padding=1)[0, 0, 0].tolist() == [0.25, 1.75]
        # In ceil mode the last window has one column of input and none beyond.
        assert p.avg_pool2d_forward(x, 2, ceil_mode=True)[0, 0].tolist() == [[2.75, 4.5], [1, 4]]
        assert p.adaptive_avg_pool2d_forward(x, 2)[0, 0].tolist() == [[2.75, 3.5], [1.75, 2.5]]

    def test_conv_transpose2d(self, p: Any) -> None:
        x, w = np.array([[[[1.0, 2.0]]]]), np.array([[[[1.0, 10.0, 100.0]]]])
        y = p.conv_transpose2d_forward(x, w, np.array([0.5]), stride=2, output_padding=(0, 1))
        assert y[0, 0].tolist() == [[1.5, 10.5, 102.5, 20.5, 200.5, 0.5]]
        cut = p.conv_transpose2d_forward(x, w, stride=2, padding=(0, 1))
        assert cut[0, 0].tolist() == [[10.0, 102.0, 20.0]]

    def test_windows_and_back(self, p: Any) -> None:
        x = np.arange(6.0).reshape(1, 1, 2, 3)
        columns = p.unfold_forward(x, 2)
        assert columns[0].tolist() == [[0, 1], [1, 2], [3, 4], [4, 5]]
        # The middle column of the image is in both windows.
        assert p.fold_forward(columns, (2, 3), 2)[0, 0].tolist() == [[0, 2, 2], [3, 8, 5]]

    def test_padding_and_resizing(self, p: Any) -> None:
        x = np.array([[[[1.0, 2.0, 3.0]]]])
        for mode, expected in (
            ("constant", [9, 9, 1, 2, 3, 9]),
            ("reflect", [3, 2, 1, 2, 3, 2]),
            ("replicate", [1, 1, 1, 2, 3, 3]),
            ("circular", [2, 3, 1, 2, 3, 1]),
        ):
            y = p.pad2d_forward(x, (0, 0, 2, 1), mode=mode, value=9.0)
            assert y[0, 0].tolist() == [expected]
        assert p.pad2d_forward(x, (0, 0, -1, 0))[0, 0].tolist() == [[2, 3]]
        y = p.interpolate2d_forward(x[..., :2], (1, 4), mode="bilinear")
        assert y[0, 0].tolist() == [[1, 1.25, 1.75, 2]]
        y = p.interpolate2d_forward(x, (1, 5), mode="bilinear", align_corners=True)
        assert y[0, 0].tolist() == [[1, 1.5, 2, 2.5, 3]]
        assert p.interpolate2d_forward(x, (1, 5))[0, 0].tolist() == [[1, 1, 2, 2, 3]]

    def test_lp_pool2d(self, p: Any) -> None:
        x = np.array([[[[3.0, -4.0, 0.0]]]])
        assert p.lp_pool2d_forward(x, 2, (1, 2), stride=1)[0, 0].tolist() == [[5, 4]]
        # The last window has one element of two, whose square counts twice.
        y = p.lp_pool2d_forward(x[..., :1].repeat(3, axis=3), 2, (1, 2), ceil_mode=True)
        np.testing.assert_allclose(y[0, 0], [[np.sqrt(18), np.sqrt(18)]])
        zero, one = np.zeros((1, 1, 1, 2)), np.ones((1, 1, 1, 1))
        assert p.lp_pool2d_backward(one, zero, 0 * one, 2, (1, 2)).tolist() == zero.tolist()

    def test_max_unpool2d_adds_up(self, p: Any) -> None:
        x, indices = np.array([[[[1.0, 2.0]]]]), np.array([[[[2, 2]]]])
        assert p.max_unpool2d_forward(x, indices, (1, 1, 1, 3)).tolist() == [[[[0, 0, 3]]]]

    def test_batch_norm(self, p: Any) -> None:
        mean, var = np.zeros(1), np.ones(1)
        x = np.array([[1.0], [3.0]])
        y, batch_mean, invstd = p.batch_norm_forward(
            x, None, None, mean, var, training=True, eps=0.0
        )
        assert y.tolist() == [[-1.0], [1.0]]
        assert (batch_mean[0], invstd[0]) == (2.0, 1.0)
        np.testing.assert_allclose((mean[0], var[0]), (0.2, 0.9 + 0.1 * 2))  # unbiased: 2, not 1

    def test_cross_entropy(self, p: Any) -> None:
        x = np.zeros((2, 4))
        loss, probs = p.softmax_cross_entropy_forward(x, np.array([1, -100]))
        np.testing.assert_allclose(loss, np.log(4))
        assert probs.tolist() == [[0.25] * 4] * 2
        dx = p.softmax_cross_entropy_backward(np.array(1.0), probs, np.array([1, -100]))
        assert dx.tolist() == [[0.25, -0.75, 0.25, 0.25], [0.0] * 4]

    def test_class_weights(self, p: Any) -> None:
        x, weight = np.zeros((2, 4)), np.array([1.0, 3.0, 0.0, 0.0])
        loss = p.softmax_cross_entropy_forward(x, np.array([0, 1]), weight)[0]
        np.testing.assert_allclose(loss, np.log(4))  # (1 log 4 + 3 log 4) / (1 + 3)
        even = np.full((2, 4), 0.25)
        loss = p.softmax_cross_entropy_forward(x, even, weight)[0]
        np.testing.assert_allclose(loss, np.log(4))  # each (1 + 3) / 4 log 4, their mean
        log_probs = np.array([[-1.0, -2.0], [-3.0, -4.0], [np.nan, np.nan]])
        labels = np.array([0, 1, -100])
        assert p.nll_loss_forward(log_probs, labels) == (1 + 4) / 2
        assert p.nll_loss_forward(log_probs, labels, np.array([2.0, 6.0])) == (2 + 24) / 8
        dx = p.nll_loss_backward(np.array(1.0), log_probs, labels, np.array([2.0, 6.0]))
        assert dx.tolist() == [[-0.25, 0], [0, -0.75], [0, 0]]

    def test_losses_of_numbers(self, p: Any) -> None:
        x, target, one = np.array([0.0, 3.0]), np.array([1.0, 0.0]), np.array(1.0)
        assert p.mse_loss_forward(x, target) == 5
        assert p.rmse_loss_forward(x, target) == 5**0.5
        assert p.l1_loss_forward(x, target, reduction="sum") == 4
        assert p.huber_loss_forward(x, target, reduction="none", delta=2.0).tolist() == [0.5, 4]
        assert p.smooth_l1_loss_forward(x, target, reduction="none", beta=2.0).tolist() == [0.25, 2]
        assert p.mse_loss_backward(one, x, target).tolist() == [-1, 3]
        assert p.huber_loss_backward(one, x, target, reduction="sum").tolist() == [-1, 1]
        assert p.rmse_loss_backward(one, np.array(0.0), x, x).tolist() == [0, 0]

    def test_losses_of_yes_and_no(self, p: Any) -> None:
        x, target = np.array([1.0, 0.0, 0.5]), np.array([0.0, 0.0, 1.0])
        each = p.binary_cross_entropy_forward(x, target, reduction="none")
        np.testing.assert_allclose(each, [100, 0, np.log(2)])
        logits = np.array([1e4, -1e4, 0.0])
        each = p.binary_cross_entropy_with_logits_forward(logits, target, reduction="none")
        np.testing.assert_allclose(each, [1e4, 0, np.log(2)])
        heavy = (None, np.array(3.0))
        each = p.binary_cross_entropy_with_logits_forward(logits, target, *heavy, reduction="none")
        np.testing.assert_allclose(each, [1e4, 0, 3 * np.log(2)])
        scores, signs = np.array([2.0, 0.5, -1.0]), np.array([1.0, 1.0, 1.0])
        assert p.hinge_loss_forward(scores, signs, reduction="none").tolist() == [0, 0.5, 2]
        assert p.hinge_loss_forward(scores, signs, squared=True, reduction="sum") == 4.25
        assert p.hinge_embedding_loss_forward(scores, -signs, reduction="none").tolist() == [
            0,
            0.5,
            2,
        ]

    def test_losses_of_classes(self, p: Any) -> None:
        x, labels = np.array([[0.5, 0.0, 1.0]]), np.array([0])
        assert p.multi_margin_loss_forward(x, labels) == (0.5 + 1.5) / 3
        assert p.multi_margin_loss_forward(x, labels, p=2, margin=0.5) == 1 / 3
        dx = p.multi_margin_loss_backward(np.array(3.0), x, labels)
        assert dx.tolist() == [[-2, 1, 1]]
        target, other = (
            np.array([[0.5, 0.5], [1.0, 0.0]]),
            np.log(np.array([[0.25, 0.75], [0.5, 0.5]])),
        )
        divergence = p.kl_div_forward(other, target, reduction="batchmean")
        expected = 0.5 * np.log(2) + 0.5 * np.log(2 / 3) + np.log(2)
        np.testing.assert_allclose(divergence, expected / 2)

    def test_sgd(self, p: Any) -> None:
        param, velocity = np.array([1.0]), np.array([2.0])
        options = {"lr": 0.5, "momentum": 0.5, "weight_decay": 1.0}
        p.sgd_step(param, np.array([3.0]), velocity, **options)
        assert (velocity[0], param[0]) == (5.0, -1.5)  # 0.5 * 2 + (3 + 1); 1 - 0.5 * 5
        p.sgd_step(param, np.array([3.0]), velocity, nesterov=True, first=True, **options)
        assert (velocity[0], param[0]) == (1.5, -2.625)  # 3 - 1.5; -1.5 - 0.5 * (1.5 + 0.75)

    def test_adam(self, p: Any) -> None:
        param, exp_avg, exp_avg_sq = np.array([1.0]), np.zeros(1), np.zeros(1)
        p.adam_step(param, np.array([4.0]), exp_avg, exp_avg_sq, step=1, lr=0.5, eps=0.0)
        np.testing.assert_allclose(param, 0.5)  # the first step is lr * sign(grad)
        np.testing.assert_allclose((exp_avg[0], exp_avg_sq[0]), (0.4, 0.016))

    def test_penalties(self, p: Any) -> None:
        param = np.array([1.0, -1.0, 0.0])
        options = {"lr": 0.5, "weight_decay": 1.0, "l1": 1.0, "maximize": True}
        p.sgd_step(param, np.full(3, 3.0), **options)
        assert param.tolist() == [1.5, 1.5, 1.5]  # g is -3 + w + sign w: -1, -5 and -3

    def test_adam_decoupled_with_the_largest_square(self, p: Any) -> None:
        param, exp_avg, exp_avg_sq, largest = np.array([2.0]), *np.zeros((2, 1)), np.array([40.0])
        options = {"beta1": 0.5, "beta2": 0.6, "lr": 0.5, "eps": 1.0, "weight_decay": 0.5}
        p.adam_step(
            *(param, np.array([4.0]), exp_avg, exp_avg_sq, largest),
            **{"step": 1, "decoupled_weight_decay": True, **options},
        )
        # 2 (1 - 0.25) - 0.5 * (2 / 0.5) / (sqrt(40 / 0.4) + 1)
        np.testing.assert_allclose((param[0], largest[0]), (1.5 - 2 / 11, 40.0))
        p.adam_step(param, np.array([9.0]), exp_avg, exp_avg_sq, largest, step=2)
        np.testing.assert_allclose(largest, 40.0)
        p.adam_step(param, np.array([1e3]), exp_avg, exp_avg_sq, largest, step=3, beta2=0.5)
        assert largest[0] > 5e5

    def test_other_optimizers(self, p: Any) -> None:
        one, zero, four = np.array([1.0]), np.zeros(1), np.array([4.0])
        param, state = one.copy(), np.array([9.0])
        p.adagrad_step(param, four, state, step=3, lr=1.0, lr_decay=0.5, eps=0.0)
        np.testing.assert_allclose((param[0], state[0]), (1 - 0.5 * 4 / 5, 25.0))
        param, square, delta = one.copy(), zero.copy(), one.copy()
        p.adadelta_step(param, four, square, delta, rho=0.75, eps=0.0)
        assert (param[0], square[0], delta[0]) == (-1.0, 4.0, 1.75)  # a step of 1 / 2 * 4
        param, square, mean, buffer = one.copy(), np.array([10.0]), zero.copy(), np.array([2.0])
        options = {"lr": 0.5, "alpha": 0.5, "eps": 1.0, "momentum": 0.5}
        p.rmsprop_step(param, four, square, mean, buffer, **options)
        assert (square[0], mean[0], buffer[0], param[0]) == (13.0, 2.0, 2.0, 0.0)  # 4 / (3 + 1) + 1
        param, mean, largest = one.copy(), zero.copy(), np.array([10.0])
        options = {"lr": 0.5, "beta1": 0.5, "beta2": 0.5, "eps": 0.0}
        p.adamax_step(param, four, mean, largest, step=1, **options)
        np.testing.assert_allclose((mean[0], largest[0], param[0]), (2.0, 5.0, 1 - 2 / 5))
        param, mean, square = one.copy(), zero.copy(), zero.copy()
        options = {"mu": 0.5, "mu_next": 0.5, "mu_product": 0.5, "beta1": 0.5, "beta2": 0.0}
        p.nadam_step(param, four, mean, square, step=1, lr=0.75, eps=0.0, **options)
        np.testing.assert_allclose(param, 0.0, atol=1e-15)  # (4 + 2 / 3 * 2) / 4 is 4 / 3

    def test_trust_ratios(self, p: Any) -> None:
        param, mean, square = np.array([3.0, 4.0]), np.zeros(2), np.zeros(2)
        options = {"lr": 0.2 * 2**0.5, "beta1": 0.0, "beta2": 0.0, "eps": 0.0}
        p.lamb_step(param, np.array([7.0, -9.0]), mean, square, step=1, **options)
        np.testing.assert_allclose(param, [2.0, 5.0])  # along (1, -1), as long as lr * 5
        param, velocity = np.array([3.0, 4.0]), np.zeros(2)
        options = {"lr": 2.0, "momentum": 0.9, "trust_coefficient": 0.5, "weight_decay": 0.5}
        p.lars_step(param, np.array([0.0, 2.5]), velocity, **options)
        np.testing.assert_allclose(velocity, [0.75, 2.25])  # ratio 0.5 * 5 / (2.5 + 2.5)
        np.testing.assert_allclose(param, [1.5, -0.5])

    def test_average(self, p: Any) -> None:
        average = np.array([4.0])
        p.ema_step(average, np.array([8.0]), decay=0.75)
        assert average[0] == 5.0

    def test_norms(self, p: Any) -> None:
        xs = [np.array([3.0, 0.0]), np.array([[-4.0]])]
        norms = [float(p.total_norm_forward(xs, order)) for order in (1, 2, np.inf)]
        assert norms == [7.0, 5.0, 4.0]

    def test_dropout_takes_words_in_order(self, p: Any) -> None:
        u = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
        kept = [(word >> 8) / 2**24 >= 0.7 for word in u]
        assert p.dropout_forward(np.ones(4), 0.7).astype(bool).tolist() == kept
