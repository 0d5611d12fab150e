"""Element-wise activations in pieces, straight or exponential; arrays of any shape.

What becomes of NaN, which is neither above nor below anything, is PyTorch's choice.
"""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, deliver, float64
from convolith.reference.elementwise import elementwise

# The fixed point of Klambauer et al. 2017, equation 14: mean 0 and variance 1 stay what they are.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934


@elementwise
def relu_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Rectified linear unit.

    Notes
    -----
    y = max(x, 0) (Nair & Hinton 2010). A NaN stays a NaN.
    """
    x = float64(x)
    return deliver(np.where(x <= 0, 0.0, x), out)


@elementwise
def relu_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `relu_forward`, from its output.

    Notes
    -----
    dx = dy where not y <= 0, else 0; the derivative at 0 is taken as 0, that at NaN as 1 (PyTorch).
    """
    return deliver(np.where(float64(y) <= 0, 0.0, float64(dy)), out)


@elementwise
def relu6_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Rectified linear unit with an upper limit.

    Notes
    -----
    y = min(max(x, 0), 6) (Krizhevsky 2010, "Convolutional Deep Belief Networks on CIFAR-10"). A NaN
    stays a NaN.
    """
    return deliver(np.clip(float64(x), 0, 6), out)


@elementwise
def relu6_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `relu6_forward`, from its output.

    Notes
    -----
    dx = dy where 0 < y < 6, else 0.
    """
    y = float64(y)
    return deliver(np.where((y > 0) & (y < 6), float64(dy), 0.0), out)


@elementwise
def leaky_relu_forward(
    x: Floats, negative_slope: float = 0.01, *, out: Floats | None = None
) -> Floats:
    """Leaky rectified linear unit.

    negative_slope : float
        Slope below zero.

    Notes
    -----
    y = x where x > 0, else negative_slope * x (Maas, Hannun & Ng 2013).
    """
    x = float64(x)
    with np.errstate(invalid="ignore"):  # 0 times infinity
        return deliver(np.where(x > 0, x, negative_slope * x), out)


@elementwise
def leaky_relu_backward(
    dy: Floats, x: Floats, negative_slope: float = 0.01, *, out: Floats | None = None
) -> Floats:
    """Gradient of `leaky_relu_forward`, from its input.

    negative_slope : float
        Slope below zero.

    Notes
    -----
    dx = dy where x > 0, else negative_slope * dy.
    """
    dy = float64(dy)
    return deliver(np.where(float64(x) > 0, dy, negative_slope * dy), out)


@elementwise
def hardtanh_forward(
    x: Floats, min_val: float = -1.0, max_val: float = 1.0, *, out: Floats | None = None
) -> Floats:
    """The identity between two limits.

    min_val, max_val : float
        The limits, the lower one first.

    Notes
    -----
    y = min(max(x, min_val), max_val) (Collobert 2004). A NaN stays a NaN.
    """
    return deliver(np.clip(float64(x), min_val, max_val), out)


@elementwise
def hardtanh_backward(
    dy: Floats,
    x: Floats,
    min_val: float = -1.0,
    max_val: float = 1.0,
    *,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `hardtanh_forward`, from its input.

    min_val, max_val : float
        The limits.

    Notes
    -----
    dx = dy where min_val < x < max_val, else 0.
    """
    x = float64(x)
    return deliver(np.where((x > min_val) & (x < max_val), float64(dy), 0.0), out)


@elementwise
def hardsigmoid_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """The sigmoid in three straight pieces.

    Notes
    -----
    y = min(max(x + 3, 0), 6) / 6 (Courbariaux, Bengio & David 2015, with PyTorch's slope of 1/6).
    """
    return deliver(np.clip(float64(x) + 3, 0, 6) / 6, out)


@elementwise
def hardsigmoid_backward(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `hardsigmoid_forward`, from its input.

    Notes
    -----
    dx = dy / 6 where -3 < x < 3, else 0.
    """
    x = float64(x)
    return deliver(np.where((x > -3) & (x < 3), float64(dy) / 6, 0.0), out)


@elementwise
def hardswish_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Swish with the sigmoid in straight pieces.

    Notes
    -----
    y = x * min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, "Searching for MobileNetV3"). At minus
    infinity it is 0, the limit, where PyTorch has NaN.
    """
    x = float64(x)
    return deliver(np.maximum(x, -3) * (np.clip(x + 3, 0, 6) / 6), out)


@elementwise
def hardswish_backward(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `hardswish_forward`, from its input.

    Notes
    -----
    dx = 0 where x <= -3, dy where x >= 3, else dy * (x / 3 + 1/2).
    """
    x, dy = float64(x), float64(dy)
    inner = dy * (np.clip(x, -3, 3) / 3 + 0.5)
    return deliver(np.where(x <= -3, 0.0, np.where(x >= 3, dy, inner)), out)


@elementwise
def step_forward(x: Floats, values: float = 0.0, *, out: Floats | None = None) -> Floats:
    """Heaviside's step, the activation of the first perceptrons.

    values : float
        What it is at 0.

    Notes
    -----
    y = 1 where x > 0, values where x = 0, else 0 (McCulloch & Pitts 1943), of a NaN, too: PyTorch's
    heaviside with a number for the tensor `values`.
    """
    x = float64(x)
    return deliver(np.where(x > 0, 1.0, np.where(x == 0, values, 0.0)), out)


@elementwise
def step_backward(
    dy: Floats, x: Floats, values: float = 0.0, *, out: Floats | None = None
) -> Floats:
    """Gradient of `step_forward`: nothing passes.

    values : float
        What it is at 0.

    Notes
    -----
    dx = 0, the derivative almost everywhere.
    """
    return deliver(np.zeros_like(float64(dy)), out)


@elementwise
def elu_forward(x: Floats, alpha: float = 1.0, *, out: Floats | None = None) -> Floats:
    """Exponential linear unit.

    alpha : float
        Minus the value at minus infinity.

    Notes
    -----
    y = x where x > 0, else alpha * (exp(x) - 1) (Clevert, Unterthiner & Hochreiter 2016).
    """
    x = float64(x)
    return deliver(np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), out)


@elementwise
def elu_backward(dy: Floats, x: Floats, alpha: float = 1.0, *, out: Floats | None = None) -> Floats:
    """Gradient of `elu_forward`, from its input.

    alpha : float
        Minus the value at minus infinity.

    Notes
    -----
    dx = dy where x > 0, else dy * alpha * exp(x).
    """
    x, dy = float64(x), float64(dy)
    return deliver(np.where(x > 0, dy, dy * alpha * np.exp(np.minimum(x, 0))), out)


@elementwise
def selu_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Scaled exponential linear unit, which keeps activations normalised from layer to layer.

    Notes
    -----
    y = scale * elu(x, alpha), scale = 1.0507..., alpha = 1.6732... (Klambauer et al. 2017).
    """
    return deliver(SELU_SCALE * float64(elu_forward(x, SELU_ALPHA)), out)


@elementwise
def selu_backward(dy: Floats, x: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `selu_forward`, from its input.

    Notes
    -----
    dx = scale * dy where x > 0, else scale * alpha * exp(x) * dy.
    """
    return deliver(float64(elu_backward(SELU_SCALE * float64(dy), x, SELU_ALPHA)), out)
