"""Losses of a number and its target each. Weights are tensors too, but get no gradient."""

from __future__ import annotations

from typing import Any

from convolith import primitives as P
from convolith.device import Array
from convolith.nn.functional.types import Gradients, Reduction
from convolith.tensor import Function, Node, Tensor


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
