"""Arithmetic of arrays: operators that broadcast, powers, sums and means.

NumPy's broadcasting rule: shapes are aligned at their last axes, and an array is repeated along an
axis where it has one element or no such axis. The gradient of an operand is summed over the axes
along which it was repeated.
"""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Float64s, Floats, deliver, float64

Dims = int | tuple[int, ...] | None


def _summed_to(x: Float64s, shape: tuple[int, ...]) -> Float64s:
    """The sums of x over the axes along which an array of `shape` was repeated."""
    lead = x.ndim - len(shape)
    repeated = (lead + i for i, n in enumerate(shape) if n == 1)
    total: Float64s = x.sum((*range(lead), *repeated), keepdims=True)
    return np.reshape(total, shape)


def _axes(dim: Dims, rank: int) -> tuple[int, ...]:
    """Those that `dim` means: all of them if it is None or empty."""
    axes = tuple(range(rank)) if dim is None or dim == () else dim
    return axes if isinstance(axes, tuple) else (axes,)


def _expanded(dy: Floats, input_shape: tuple[int, ...], dim: Dims, keepdim: bool) -> Float64s:
    """dy, repeated along the axes of the input that were summed over."""
    axes = _axes(dim, len(input_shape))
    aligned = float64(dy) if keepdim else np.expand_dims(float64(dy), axes)
    return np.array(np.broadcast_to(aligned, input_shape))


def _count(shape: tuple[int, ...], dim: Dims) -> int:
    """How many elements of an input of `shape` go into one sum."""
    return int(np.prod([shape[axis] for axis in _axes(dim, len(shape))]))


def add_forward(a: Floats | float, b: Floats | float, *, out: Floats | None = None) -> Floats:
    """a + b, as in a residual connection.

    Parameters
    ----------
    a, b : arrays that broadcast, or an array and a number
    out : the shape that a and b broadcast to, optional
        Where to put the result; may be an operand of that shape.

    Returns
    -------
    y : the shape that a and b broadcast to

    Raises
    ------
    ValueError
        If the shapes do not broadcast.
    TypeError
        If the dtypes differ.

    Notes
    -----
    A number takes the dtype of the array beside it; beside halves it is float32.
    """
    return deliver(float64(a) + float64(b), out)


def add_backward(dy: Floats, input_shape: tuple[int, ...], *, out: Floats | None = None) -> Floats:
    """Gradient of `add_forward`: dy, summed over the axes along which an operand was repeated.

    Parameters
    ----------
    dy : gradient of the output
    input_shape : tuple of int
        Shape of the operand, a or b. Also of the a of `subtract_forward`.
    out : input_shape, optional
        Where to put the result.

    Returns
    -------
    da or db : input_shape
        dy itself where it has that shape and `out` is not given.

    Raises
    ------
    ValueError
        If `input_shape` does not broadcast to dy's shape.
    """
    return deliver(_summed_to(float64(dy), input_shape), out)


def subtract_forward(a: Floats | float, b: Floats | float, *, out: Floats | None = None) -> Floats:
    """a - b.

    Parameters
    ----------
    a, b, out
        As in `add_forward`.

    Returns
    -------
    y : the shape that a and b broadcast to

    Raises
    ------
    ValueError, TypeError
        As in `add_forward`.
    """
    return deliver(float64(a) - float64(b), out)


def subtract_backward_b(
    dy: Floats, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `subtract_forward` with respect to b: -dy, summed where b was repeated.

    Parameters
    ----------
    dy : gradient of the output
    input_shape : tuple of int
        Shape of b.
    out : input_shape, optional
        Where to put the result.

    Returns
    -------
    db : input_shape

    Raises
    ------
    ValueError
        If `input_shape` does not broadcast to dy's shape.

    Notes
    -----
    That of a is `add_backward`.
    """
    return deliver(-_summed_to(float64(dy), input_shape), out)


def multiply_forward(a: Floats | float, b: Floats | float, *, out: Floats | None = None) -> Floats:
    """a * b, element by element, as in a gate.

    Parameters
    ----------
    a, b, out
        As in `add_forward`.

    Returns
    -------
    y : the shape that a and b broadcast to

    Raises
    ------
    ValueError, TypeError
        As in `add_forward`.
    """
    return deliver(float64(a) * float64(b), out)


def multiply_backward(
    dy: Floats,
    other: Floats | float,
    input_shape: tuple[int, ...],
    *,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `multiply_forward`: dy * other, summed where the operand was repeated.

    Parameters
    ----------
    dy : gradient of the output
    other : array or number
        The other operand: b for the gradient of a, a for that of b.
    input_shape : tuple of int
        Shape of the operand whose gradient this is.
    out : input_shape, optional
        Where to put the result.

    Returns
    -------
    da or db : input_shape

    Raises
    ------
    ValueError
        If `input_shape` and the shape of `other` do not broadcast to dy's.
    TypeError
        If the dtypes differ.
    """
    return deliver(_summed_to(float64(dy) * float64(other), input_shape), out)


def divide_forward(a: Floats | float, b: Floats | float, *, out: Floats | None = None) -> Floats:
    """a / b.

    Parameters
    ----------
    a, b, out
        As in `add_forward`.

    Returns
    -------
    y : the shape that a and b broadcast to
        By IEEE 754 where b is 0: infinite, or NaN where a is 0, too.

    Raises
    ------
    ValueError, TypeError
        As in `add_forward`.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return deliver(float64(a) / float64(b), out)


def divide_backward_a(
    dy: Floats, b: Floats | float, input_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Gradient of `divide_forward` with respect to a: dy / b, summed where a was repeated.

    Parameters
    ----------
    dy : gradient of the output
    b : array or number
        The divisor.
    input_shape : tuple of int
        Shape of a.
    out : input_shape, optional
        Where to put the result.

    Returns
    -------
    da : input_shape

    Raises
    ------
    ValueError
        If `input_shape` and b's shape do not broadcast to dy's.
    TypeError
        If the dtypes differ.
    """
    return deliver(_summed_to(float64(dy) / float64(b), input_shape), out)


def divide_backward_b(dy: Floats, y: Floats, b: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of `divide_forward` with respect to b: -dy y / b, summed where b was repeated.

    Parameters
    ----------
    dy : gradient of the output
    y : dy's shape
        The output.
    b : array
        The divisor.
    out : b's shape, optional
        Where to put the result.

    Returns
    -------
    db : b's shape

    Raises
    ------
    ValueError
        If y has not dy's shape, or b does not broadcast to it.
    TypeError
        If the dtypes differ.
    """
    return deliver(-_summed_to(float64(dy) * float64(y), b.shape) / float64(b), out)


def power_forward(x: Floats, exponent: float, *, out: Floats | None = None) -> Floats:
    """x to the power of a number, element by element.

    Parameters
    ----------
    x : array of any shape
    exponent : float
        Exponents -2, -1, -0.5, 0, 0.5, 1, 2 and 3 are computed by products, roots and quotients.
    out : x's shape, optional
        Where to put the result; may be x itself.

    Returns
    -------
    y : x's shape
        NaN where x is negative and `exponent` not an integer; 1 where `exponent` is 0.

    Notes
    -----
    `torch.pow`. An exponent of 0.5 is the square root: NaN of -inf, where C's pow has inf.
    """
    v = float64(x)
    with np.errstate(all="ignore"):
        if abs(exponent) == 0.5:
            return deliver(np.sqrt(v) if exponent > 0 else 1 / np.sqrt(v), out)
        return deliver(v**exponent, out)


def power_backward(dy: Floats, x: Floats, exponent: float, *, out: Floats | None = None) -> Floats:
    """Gradient of `power_forward`: dy exponent x^(exponent - 1), and 0 if `exponent` is 0.

    Parameters
    ----------
    dy : gradient of the output
    x : dy's shape
        The input.
    exponent : float
        As in `power_forward`.
    out : x's shape, optional
        Where to put the result; may be dy or x itself.

    Returns
    -------
    dx : x's shape

    Raises
    ------
    ValueError
        If the shapes differ.
    TypeError
        If the dtypes differ.
    """
    if exponent == 0:
        return deliver(np.zeros(x.shape), out)
    with np.errstate(all="ignore"):
        return deliver(float64(dy) * (exponent * power_forward(x, exponent - 1)), out)


def sum_forward(
    x: Floats, dim: Dims = None, keepdim: bool = False, *, out: Floats | None = None
) -> Floats:
    """Sum over some axes, or over all of them.

    Parameters
    ----------
    x : array of any shape
    dim : int or tuple of int, optional
        The axes; all of them if None or empty.
    keepdim : bool
        Keep those axes, with one element.
    out : the result's shape, optional
        Where to put the result.

    Returns
    -------
    y : x's shape without the axes `dim`, or with 1 there
        0 where there is nothing to add up.

    Raises
    ------
    ValueError
        If an axis is out of range or named twice.

    Notes
    -----
    Sums of halves are float32 until the last rounding.
    """
    return deliver(float64(x).sum(_axes(dim, x.ndim), keepdims=keepdim), out)


def sum_backward(
    dy: Floats,
    input_shape: tuple[int, ...],
    dim: Dims = None,
    keepdim: bool = False,
    *,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `sum_forward`: dy, repeated along the axes that were summed over.

    Parameters
    ----------
    dy : gradient of the output
    input_shape : tuple of int
        Shape of x.
    dim, keepdim
        As in `sum_forward`.
    out : input_shape, optional
        Where to put the result.

    Returns
    -------
    dx : input_shape

    Raises
    ------
    ValueError
        If dy has not the shape that the sum of such an input has.
    """
    return deliver(_expanded(dy, input_shape, dim, keepdim), out)


def mean_forward(
    x: Floats, dim: Dims = None, keepdim: bool = False, *, out: Floats | None = None
) -> Floats:
    """Mean over some axes, or over all of them.

    Parameters
    ----------
    x, dim, keepdim, out
        As in `sum_forward`.

    Returns
    -------
    y : x's shape without the axes `dim`, or with 1 there
        NaN where there is nothing to add up.

    Raises
    ------
    ValueError
        If an axis is out of range or named twice.
    """
    total = float64(x).sum(_axes(dim, x.ndim), keepdims=keepdim)
    with np.errstate(invalid="ignore"):
        return deliver(np.divide(total, _count(x.shape, dim)), out)


def mean_backward(
    dy: Floats,
    input_shape: tuple[int, ...],
    dim: Dims = None,
    keepdim: bool = False,
    *,
    out: Floats | None = None,
) -> Floats:
    """Gradient of `mean_forward`: dy over the number of elements, repeated.

    Parameters
    ----------
    dy, input_shape, dim, keepdim, out
        As in `sum_backward`.

    Returns
    -------
    dx : input_shape

    Raises
    ------
    ValueError
        If dy has not the shape that the mean of such an input has.
    """
    dx = _expanded(dy, input_shape, dim, keepdim)
    return deliver(dx / max(_count(input_shape, dim), 1), out)
