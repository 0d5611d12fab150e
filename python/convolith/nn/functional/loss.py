"""Losses. Their class weights and element weights are tensors too, but get no gradient."""

from __future__ import annotations

from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import BatchReduction, Gradients, Reduction
from convolith.tensor import Function, Node, Tensor


class CrossEntropy(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, target: Array, weight: Array | None, **options: Any) -> Array:
        loss, probs = P.softmax_cross_entropy_forward(x, target, weight, **options)
        ctx.save(probs, target, weight, options)
        return loss

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        *arrays, options = ctx.saved
        return (P.softmax_cross_entropy_backward(dy, *arrays, **options),)


class Loss(Function):
    """The loss that `primitives` has under a name; the gradient goes to the input."""

    @staticmethod
    def forward(ctx: Node, *arrays: Array | None, name: str, **options: Any) -> Array:
        ctx.save(arrays, getattr(P, f"{name}_backward"), options)
        loss: Array = getattr(P, f"{name}_forward")(*arrays, **options)
        return loss

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        arrays, backward, options = ctx.saved
        return (backward(dy, *arrays, **options),)


class SymmetricLoss(Loss):
    """One of a difference, whatever its sign: the gradient goes to input and target."""

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        (x, target), backward, options = ctx.saved
        pairs = ((x, target), (target, x))
        return tuple(
            [
                backward(dy, *pair, **options) if need else None
                for pair, need in zip(pairs, ctx.needs, strict=True)
            ]
        )


class RootMeanSquare(Function):
    @staticmethod
    def forward(ctx: Node, x: Array, target: Array) -> Array:
        loss = P.rmse_loss_forward(x, target)
        ctx.save(loss, x, target)
        return loss

    @staticmethod
    def backward(ctx: Node, dy: Array) -> Gradients:
        loss, x, target = ctx.saved
        dx = P.rmse_loss_backward(dy, loss, x, target) if ctx.needs[0] else None
        return dx, P.rmse_loss_backward(dy, loss, target, x) if ctx.needs[1] else None


# Numbers


def mse_loss(input: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Squared error, ``(input - target)**2``.

    Parameters
    ----------
    input, target : Tensor
        Of one shape and dtype. Gradients flow to both.
    reduction : {'mean', 'sum', 'none'}
        The mean is over all elements.

    Returns
    -------
    Tensor
        A scalar, or of the shape of `input` for 'none'.

    Raises
    ------
    ValueError, TypeError
        If the shapes or the dtypes differ: nothing is broadcast.
    """
    return SymmetricLoss.apply(input, target, name="mse_loss", reduction=reduction)


def rmse_loss(input: Tensor, target: Tensor) -> Tensor:
    """Root of the mean squared error, a scalar in the unit of `input`.

    Gradients flow to both, which have one shape. Where `input` equals `target` the loss is 0 and
    has a corner: the gradient there is 0, where `mse_loss(input, target)**0.5` has NaN.
    """
    return RootMeanSquare.apply(input, target)


def l1_loss(input: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Absolute error, ``abs(input - target)``; arguments as in `mse_loss`, derivative 0 at 0."""
    return SymmetricLoss.apply(input, target, name="l1_loss", reduction=reduction)


def huber_loss(
    input: Tensor, target: Tensor, *, reduction: Reduction = "mean", delta: float = 1.0
) -> Tensor:
    """``0.5 d**2`` where ``d = abs(input - target)`` is at most `delta`, a line from there on.

    That is ``delta (d - 0.5 delta)``. Arguments as in `mse_loss`; ValueError if `delta` is not
    positive.
    """
    return SymmetricLoss.apply(input, target, name="huber_loss", reduction=reduction, delta=delta)


def smooth_l1_loss(
    input: Tensor, target: Tensor, *, reduction: Reduction = "mean", beta: float = 1.0
) -> Tensor:
    """``0.5 d**2 / beta`` where ``d = abs(input - target)`` is below `beta`, else ``d - 0.5 beta``.

    Arguments as in `mse_loss`. With a `beta` of 0 it is `l1_loss`; ValueError if it is negative.
    """
    return SymmetricLoss.apply(input, target, name="smooth_l1_loss", reduction=reduction, beta=beta)


# Yes and no


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross entropy of probabilities `input`; `binary_cross_entropy_with_logits` is more accurate.

    Parameters
    ----------
    input : Tensor
        Probabilities in [0, 1], any shape.
    target : Tensor
        The same of what should be, mostly 0 and 1.
    weight : Tensor, optional
        What each element counts, of any shape that broadcasts to that of `input`.
    reduction : {'mean', 'sum', 'none'}
        The mean is over all elements, whatever their weights.

    Returns
    -------
    Tensor
        A scalar, or of the shape of `input` for 'none'. Gradients flow to `input` only. Logarithms
        are at least -100, so the loss is finite.

    Raises
    ------
    ValueError
        If shapes do not fit, or on the CPU if a number is not in [0, 1].
    """
    return Loss.apply(input, target, weight, name="binary_cross_entropy", reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross entropy of ``sigmoid(input)``, which does not overflow.

    Parameters
    ----------
    input : Tensor
        Logits, any shape.
    target, weight, reduction
        As in `binary_cross_entropy`.
    pos_weight : Tensor, optional
        What positive targets count, of any shape that broadcasts to that of `input`: (C) for
        (N, C), (C, 1, 1) for (N, C, H, W).

    Returns
    -------
    Tensor
        A scalar, or of the shape of `input` for 'none'. Gradients flow to `input` only.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    return Loss.apply(
        input,
        target,
        weight,
        pos_weight,
        name="binary_cross_entropy_with_logits",
        reduction=reduction,
    )


def hinge_loss(
    input: Tensor, target: Tensor, *, squared: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """``max(0, 1 - target * input)``, or with `squared` its square.

    Parameters
    ----------
    input : Tensor
        Scores, any shape.
    target : Tensor
        -1 or 1, of the shape and dtype of `input`.
    squared : bool
    reduction : {'mean', 'sum', 'none'}
        The mean is over all elements.

    Returns
    -------
    Tensor
        A scalar, or of the shape of `input` for 'none'. Gradients flow to `input` only.
    """
    return Loss.apply(input, target, name="hinge_loss", squared=squared, reduction=reduction)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, *, margin: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    """`input` where `target` is 1, ``max(0, margin - input)`` where it is -1: of distances.

    Arguments as in `hinge_loss`.
    """
    return Loss.apply(
        input, target, name="hinge_embedding_loss", margin=margin, reduction=reduction
    )


# Classes and distributions


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross entropy of logits `input` (N, C, *).

    Parameters
    ----------
    input : Tensor
        Logits (N, C, *).
    target : Tensor
        int64 class indices (N, *), or probabilities of the shape and dtype of `input`.
    weight : Tensor, optional
        What each class counts, (C).
    ignore_index : int
        The class index that does not count.
    reduction : {'mean', 'sum', 'none'}
        The mean is over the targets that count: it divides by the sum of their weights, of
        probabilities by their number.
    label_smoothing : float
        This much of each target is spread evenly over all classes.

    Returns
    -------
    Tensor
        A scalar, or (N, *) for 'none'. Gradients flow to `input` only.

    Raises
    ------
    ValueError
        If a label is out of range or a target probability is NaN.
    """
    return CrossEntropy.apply(
        input,
        target,
        weight,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """Minus the logarithm of the probability of each label: `cross_entropy` after `log_softmax`.

    Parameters
    ----------
    input : Tensor
        Logarithms of probabilities (N, C, *).
    target : Tensor
        int64 class indices (N, *).
    weight, ignore_index, reduction
        As in `cross_entropy`.

    Returns
    -------
    Tensor
        A scalar, or (N, *) for 'none'. Gradients flow to `input` only.

    Raises
    ------
    ValueError
        If a label is out of range.
    """
    return Loss.apply(
        input, target, weight, name="nll_loss", ignore_index=ignore_index, reduction=reduction
    )


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Multi-class hinge loss: how much other scores miss a margin below that of the label.

    Parameters
    ----------
    input : Tensor
        Scores (N, C).
    target : Tensor
        int64 class indices (N).
    p : {1, 2}
        The power of what is missing.
    margin : float
    weight : Tensor, optional
        What each class counts, (C).
    reduction : {'mean', 'sum', 'none'}
        The mean is over N, whatever the weights.

    Returns
    -------
    Tensor
        The sum over the other classes, divided by C: a scalar, or (N) for 'none'. Gradients flow
        to `input` only.

    Raises
    ------
    ValueError
        If a label is out of range or `p` is another number.
    """
    return Loss.apply(
        input, target, weight, name="multi_margin_loss", p=p, margin=margin, reduction=reduction
    )


def kl_div(
    input: Tensor,
    target: Tensor,
    *,
    reduction: BatchReduction = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence of `input` from `target`, element by element.

    Parameters
    ----------
    input : Tensor
        Logarithms of probabilities, any shape.
    target : Tensor
        Probabilities of that shape, or their logarithms.
    reduction : {'mean', 'batchmean', 'sum', 'none'}
        'batchmean' divides the sum by ``input.shape[0]``, which makes it a divergence; 'mean'
        divides by the number of elements.
    log_target : bool
        Whether `target` is logarithms.

    Returns
    -------
    Tensor
        A scalar, or of the shape of `input` for 'none'. Gradients flow to `input` only.
    """
    return Loss.apply(input, target, name="kl_div", reduction=reduction, log_target=log_target)
