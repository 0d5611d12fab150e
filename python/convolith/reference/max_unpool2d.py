"""Max unpooling: maxima put back where they came from."""

from __future__ import annotations

import numpy as np

from convolith.reference._common import Floats, Ints, deliver, float64


def max_unpool2d_forward(
    x: Floats, indices: Ints, output_shape: tuple[int, ...], *, out: Floats | None = None
) -> Floats:
    """Put values where `indices` say, zeros elsewhere.

    Parameters
    ----------
    x : (N, C, P, Q)
        Values, for instance maxima.
    indices : int64 (N, C, P, Q)
        Their positions in the H*W plane, as `max_pool2d_forward` returns them.
    output_shape : (N, C, H, W)
    out : (N, C, H, W), optional
        Where to put the result.

    Returns
    -------
    y : (N, C, H, W)

    Raises
    ------
    ValueError
        If the shapes do not fit together, or on the CPU an index is outside of the plane; a device
        leaves such a value out.

    Notes
    -----
    Values of one position, which overlapping windows give, are added up, so that the gradient is
    exact; PyTorch's `max_unpool2d` keeps one of them and does not say which. (Zeiler & Fergus 2014,
    "Visualizing and understanding convolutional networks", section 2.1.)
    """
    N, C, H, W = output_shape
    y = np.zeros((N, C, H * W))
    planes = (N, C, int(np.prod(x.shape[2:])))
    n, c, _ = np.ogrid[:N, :C, :1]
    np.add.at(y, (n, c, indices.reshape(planes)), float64(x).reshape(planes))
    return deliver(y.reshape(N, C, H, W), out)


def max_unpool2d_backward(dy: Floats, indices: Ints, *, out: Floats | None = None) -> Floats:
    """Gradient of `max_unpool2d_forward`.

    Parameters
    ----------
    dy : (N, C, H, W)
        Gradient of the output.
    indices : int64 (N, C, P, Q)
    out : (N, C, P, Q), optional
        Where to put the result.

    Returns
    -------
    dx : (N, C, P, Q)
        dy at those positions.

    Raises
    ------
    ValueError
        As in `max_unpool2d_forward`.
    """
    N, C, H, W = dy.shape
    planes = float64(dy).reshape(N, C, H * W)
    dx = np.take_along_axis(planes, indices.reshape(N, C, int(np.prod(indices.shape[2:]))), axis=2)
    return deliver(dx.reshape(indices.shape), out)
