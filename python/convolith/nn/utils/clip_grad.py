"""What is done to the gradients of all parameters at once, under PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from convolith import primitives
from convolith.device import Array, device_of, to_device, to_numpy
from convolith.tensor import Tensor


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Array]:
    params = [parameters] if isinstance(parameters, Tensor) else parameters
    return [param.grad._array for param in params if param.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale the gradients of all parameters so that their norm together is at most `max_norm`.

    Every gradient is multiplied by max_norm / (norm + 1e-6) where that is below 1 (Pascanu, Mikolov
    and Bengio 2013). With a `GradScaler` call its ``unscale_(optimizer)`` first. One number is read
    back from a device.

    Parameters
    ----------
    parameters : Tensor, or iterable of Tensor
        Those without a gradient are passed over.
    max_norm : float
    norm_type : float
        1, 2 or infinity.
    error_if_nonfinite : bool
        Raise an error where the norm is infinite or NaN, and not scale by 0 or NaN.

    Returns
    -------
    Tensor
        The norm before, a scalar.

    Raises
    ------
    RuntimeError
        If the norm is not finite and `error_if_nonfinite`; then nothing is changed.
    ValueError
        If `norm_type` is another one, or the gradients are on several devices.
    """
    gradients = _gradients(parameters)
    if not gradients:
        return Tensor(np.zeros((), np.float32))
    total = primitives.total_norm_forward(gradients, norm_type)
    norm = float(to_numpy(total))
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of order {norm_type} of the gradients is {norm}; "
            "error_if_nonfinite=False scales them nevertheless"
        )
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:  # or NaN
        scale = to_device(np.array(factor, to_numpy(total).dtype), device_of(total))
        for gradient in gradients:
            primitives.scale_forward(gradient, scale, out=gradient)
    return Tensor(total)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Bound every element of the gradients: between -clip_value and clip_value.

    Parameters
    ----------
    parameters : Tensor, or iterable of Tensor
        Those without a gradient are passed over.
    clip_value : float

    Raises
    ------
    ValueError
        If `clip_value` is negative.
    """
    for gradient in _gradients(parameters):
        primitives.clip_forward(gradient, clip_value, out=gradient)
