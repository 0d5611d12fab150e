"""Products of matrices."""

from __future__ import annotations

import math

import numpy as np

from convolith.nn import functional as F
from convolith.onnx.operators.select import expand, permute
from convolith.onnx.operators.table import Node, Value, bounded, operator
from convolith.tensor import Tensor


@operator("Gemm")
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """``alpha * a @ b + beta * c``; PyTorch's linear layers are the case with `transB`."""
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    a = a.transpose(0, 1) if node.get("transA", 0) else a
    w = b if node.get("transB", 0) else b.transpose(0, 1)
    bounded((a.shape[0], w.shape[0]))
    if c is not None and c.shape == w.shape[:1] and alpha == beta == 1:
        return F.linear(a, w, c)
    y = F.linear(a, w)
    y = y if alpha == 1 else y * alpha
    if c is None:
        return y
    return y + (c if beta == 1 else c * beta)


@operator("MatMul")
def matmul(node: Node, a: Value, b: Value) -> Value:
    """As `numpy.matmul`: leading axes broadcast, vectors lose theirs."""
    if isinstance(a, np.ndarray):
        return np.matmul(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"a is {a.shape} and b {b.shape}, but numbers have no matrix product")
    rows = a if a.ndim > 1 else a.reshape(1, -1)
    columns = b if b.ndim > 1 else b.reshape(-1, 1)
    bounded((*_batch(rows, columns), rows.shape[-2], columns.shape[-1]))
    y = rows @ columns if columns.ndim == 2 else _batched(rows, columns)
    kept = (*y.shape[:-2], *y.shape[-2:][: a.ndim > 1], *y.shape[-1:][: b.ndim > 1])
    return y.reshape(*kept)


def _batch(a: Tensor, b: Tensor) -> tuple[int, ...]:
    return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])


def _batched(a: Tensor, b: Tensor) -> Tensor:
    """Matrix by matrix: a 1x1 convolution of M images of one pixel, with a group for each."""
    batch = _batch(a, b)
    (M, inner), K = a.shape[-2:], b.shape[-1]
    if inner != b.shape[-2]:
        raise ValueError(f"a is {a.shape} but b is {b.shape}; inner dimensions must be equal")
    count = math.prod(batch)
    a = expand(a, (*batch, M, inner)).reshape(count, M, inner)
    b = expand(b, (*batch, inner, K)).reshape(count, inner, K)
    x = permute(a, (1, 0, 2)).reshape(M, count * inner, 1, 1)
    w = permute(b, (0, 2, 1)).reshape(count * K, inner, 1, 1)
    y = F.conv2d(x, w, groups=count).reshape(M, count, K)
    product: Tensor = permute(y, (1, 0, 2)).reshape(*batch, M, K)
    return product
