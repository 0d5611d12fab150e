"""Which algorithm serves a convolution, and which may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from convolith import _C

Array = NDArray[Any]
INEXACT = ("winograd", "tensor_core", "mma", "wgmma")  # those that round more than a plain sum
HALVES = ("float16", "bfloat16")  # whose products a tensor core does not round


class Conv2dPlan(NamedTuple):
    """What serves a convolution.

    Attributes
    ----------
    algo : str
        'direct', 'gemm', 'depthwise', 'winograd' or 'tensor_core'; 'mma' or 'wgmma' where one of
        them was asked for.
    isa : str
        The instruction set whose kernel runs, or the device.
    reason : str
        Why this one; of tensor cores also by which instruction.
    exact : bool
        Whether each output is one sum of products, rounded as such.
    flops : int
        2 N K P Q (C/G) R S, whatever the algorithm makes of them.
    bytes : int
        What must move: each operand read, the result written, once.
    """

    algo: str
    isa: str
    reason: str
    exact: bool
    flops: int
    bytes: int


def conv2d_plan(
    direction: Literal["forward", "backward_input", "backward_weight"],
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    **options: Any,
) -> Conv2dPlan:
    """How a convolution would be computed now.

    Parameters
    ----------
    direction : {'forward', 'backward_input', 'backward_weight'}
    input_shape : (N, C, H, W)
    weight_shape : (K, C/G, R, S)
    **options
        stride, padding, dilation, groups, padding_mode and algo as in
        `convolith.primitives.conv2d_forward`; dtype, 'float32' (default), 'float64' or, on a
        device, 'float16' or 'bfloat16'; device, 'cpu' (default), 'emu' or 'cuda'.

    Returns
    -------
    Conv2dPlan

    Raises
    ------
    ValueError
        If shapes and options do not fit together, or `algo` cannot serve them.

    Examples
    --------
    >>> conv2d_plan("forward", (8, 64, 56, 56), (64, 64, 3, 3), padding=1).algo
    'winograd'
    >>> with exact():
    ...     conv2d_plan("forward", (8, 64, 56, 56), (64, 64, 3, 3), padding=1).algo
    'direct'
    """
    algo, reason, flops, size = _C.conv2d_plan(direction, input_shape, weight_shape, **options)
    device = options.get("device", "cpu")
    isa = _C.isa() if device == "cpu" else device
    is_exact = algo not in INEXACT or options.get("dtype") in HALVES
    return Conv2dPlan(algo, isa, reason, is_exact, flops, size)


def conv2d_prepare_weight(w: Array, input_shape: tuple[int, ...], **options: Any) -> Array | None:
    """Transform filters once for many calls of `conv2d_forward` with the same ones.

    Parameters
    ----------
    w : (K, C/G, R, S)
        Filters. What is prepared does not follow later changes of them.
    input_shape : (N, C, H, W)
    **options
        stride, padding, dilation, groups, padding_mode and algo as in
        `convolith.primitives.conv2d_forward`, which takes the result as `prepared` together with
        the same w and options, for inputs of this shape, on the same instruction set.

    Returns
    -------
    (K, C/G, n) array, or None
        None where the algorithm that serves has nothing to prepare. Winograd has: some 36 elements
        for each filter of 9.

    Raises
    ------
    ValueError
        If shapes and options do not fit together.
    """
    prepared: Array | None = _C.conv2d_prepare_weight(w, input_shape, **options)
    return prepared


@contextmanager
def exact(enabled: bool = True) -> Iterator[None]:
    """Within this block, algorithms that round more than a plain sum are not chosen.

    Asking for one by name (``algo='winograd'``) is an error then. It holds for the whole process,
    for all its threads; the environment variable ``CONVOLITH_EXACT=1`` sets it from the start.

    Parameters
    ----------
    enabled : bool
        False allows them again within the block.
    """
    before = _C.exact_only()
    _C.set_exact_only(enabled)
    try:
        yield
    finally:
        _C.set_exact_only(before)
