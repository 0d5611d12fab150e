"""Images made larger and smaller: padding, resizing, pixels from channels and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convolith.device import Array
from convolith.nn import functional as F
from convolith.onnx.operators.select import permute, reshape
from convolith.onnx.operators.table import Node, Value, bounded, ints, operator
from convolith.tensor import Tensor

PAD_MODES: dict[str, Any] = {
    "constant": "constant",
    "reflect": "reflect",
    "edge": "replicate",
    "wrap": "circular",
}


@operator("Pad", fixed=(2,))
def pad(
    node: Node,
    x: Value,
    given: Array | None = None,
    value: Value | None = None,
    axes: Array | None = None,
) -> Value:
    """Axis by axis, each as the rows of an image."""
    pads = ints(node.get("pads") if given is None else given)
    chosen = list(range(x.ndim)) if axes is None else [n % x.ndim for n in ints(axes)]
    if len(pads) != 2 * len(chosen):
        raise ValueError(f"{len(pads)} pads for {len(chosen)} axes, expected {2 * len(chosen)}")
    mode = node.get("mode", "constant")
    fill = np.asarray(node.get("value", 0.0) if value is None else value).item()
    for axis, before, after in zip(chosen, pads, pads[len(chosen) :], strict=False):
        if before or after:
            x = _pad_axis(x, axis, before, after, mode, fill)
    return x


def _pad_axis(x: Value, axis: int, before: int, after: int, mode: str, fill: float) -> Value:
    shape = bounded((*x.shape[:axis], x.shape[axis] + before + after, *x.shape[axis + 1 :]))
    if isinstance(x, np.ndarray):
        widths = [(before, after) if i == axis else (0, 0) for i in range(x.ndim)]
        options: Any = {"constant_values": fill} if mode == "constant" else {}
        return np.pad(x, widths, mode, **options)  # type: ignore[call-overload]
    rows = x.reshape(1, math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :]))
    return F.pad(rows, (0, 0, before, after), PAD_MODES[mode], fill).reshape(*shape)


# Where a position of the result is read, for each mode.
MOVES = {
    "nearest": ("asymmetric",),
    "linear": ("half_pixel", "pytorch_half_pixel", "align_corners"),
}


def _resizes(node: Node) -> str | None:
    """Which attribute ours do not match."""
    mode = node.get("mode", "nearest")
    if mode not in MOVES:
        return f"with mode {mode}"
    moves = node.get("coordinate_transformation_mode", "half_pixel")
    moves = moves if node.operator == "Resize" and node.opset >= 11 else "asymmetric"
    rounds = node.get("nearest_mode", "round_prefer_floor" if node.opset >= 11 else "floor")
    if moves not in MOVES[mode]:
        return f"with mode {mode} and coordinate_transformation_mode {moves}"
    if mode == "nearest" and rounds != "floor":
        return f"with nearest_mode {rounds}"
    if node.get("antialias", 0):
        return "with antialias 1"
    if node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return f"with keep_aspect_ratio_policy {node.get('keep_aspect_ratio_policy')}"
    return None


@operator("Upsample", fixed=(1,), refuses=_resizes)
def upsample(node: Node, x: Tensor, scales: Value | None = None) -> Tensor:
    """What `Resize` was before opset 10; an attribute before opset 9."""
    given = node.get("scales") if scales is None else scales
    return _resized(node, x, [float(s) for s in np.ravel(given)], None)


@operator("Resize", fixed=(1, 2), refuses=_resizes)
def resize(
    node: Node,
    x: Tensor,
    region: Value | None = None,
    scales: Value | None = None,
    sizes: Array | None = None,
) -> Tensor:
    """By scales, or to sizes; nothing but rows and columns changes its size."""
    if node.opset < 11:
        scales = region
    axes = [n % x.ndim for n in node.get("axes", range(x.ndim))]
    if sizes is not None and sizes.size:
        size = list(x.shape)
        for axis, n in zip(axes, ints(sizes), strict=True):
            size[axis] = n
        return _resized(node, x, None, size)
    factors = [1.0] * x.ndim
    for axis, s in zip(axes, np.ravel(np.asarray(scales)), strict=True):
        factors[axis] = float(s)
    return _resized(node, x, factors, None)


def _resized(node: Node, x: Tensor, factors: list[float] | None, size: list[int] | None) -> Tensor:
    """By factors or to a size; a sequence is an image of one row."""
    if factors and not all(0 < f < math.inf for f in factors):
        raise ValueError(f"scales must be positive, got {factors}")
    shape = size or [math.floor(n * f) for n, f in zip(x.shape, factors or (), strict=True)]
    bounded(shape)
    if x.ndim not in (3, 4) or tuple(shape[:2]) != x.shape[:2]:
        raise ValueError(
            f"only rows and columns are resized, but x is {x.shape} and the result {tuple(shape)}"
        )
    moves = node.get("coordinate_transformation_mode")
    if moves == "pytorch_half_pixel" and 1 in shape[2:]:
        raise ValueError("a single row or column cannot be made with pytorch_half_pixel")
    if moves == "align_corners" and factors and not _whole(x.shape, factors):
        raise ValueError(f"with align_corners, scales {factors} of {x.shape} must make whole rows")
    row = [1] * (4 - x.ndim)
    rows: Any = (*row, *shape[2:])
    scales: Any = (*row, *factors[2:]) if factors else None
    y = F.interpolate(
        x.reshape(*x.shape[:2], *row, *x.shape[2:]),
        None if factors else rows,
        scales,
        "nearest" if node.get("mode", "nearest") == "nearest" else "bilinear",
        moves == "align_corners",
    )
    return y.reshape(*shape)


def _whole(shape: tuple[int, ...], factors: list[float]) -> bool:
    """Whether the sizes that the factors make need no rounding but that of float32."""
    sizes = [n * f for n, f in zip(shape, factors, strict=True)]
    return all(abs(size - round(size)) < 1e-3 for size in sizes)


def _blocks(node: Node, x: Value) -> int:
    side: int = node.get("blocksize")
    if x.ndim != 4 or side < 1:
        raise ValueError(f"expected (N, C, H, W) and a positive blocksize, got {x.shape}, {side}")
    return side


@operator("DepthToSpace")
def depth_to_space(node: Node, x: Value) -> Value:
    """CRD is PyTorch's pixel_shuffle; DCR has the positions of a block before the channels."""
    r = _blocks(node, x)
    n, c, h, w = x.shape
    c //= r * r
    if node.get("mode", "DCR") == "CRD":
        y = permute(reshape(x, (n, c, r, r, h, w)), (0, 1, 4, 2, 5, 3))
    else:
        y = permute(reshape(x, (n, r, r, c, h, w)), (0, 3, 4, 1, 5, 2))
    return reshape(y, (n, c, h * r, w * r))


@operator("SpaceToDepth")
def space_to_depth(node: Node, x: Value) -> Value:
    """As `depth_to_space`, back."""
    r = _blocks(node, x)
    n, c, h, w = x.shape
    order = (0, 1, 3, 5, 2, 4) if node.get("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    y = permute(reshape(x, (n, c, h // r, r, w // r, r)), order)
    return reshape(y, (n, c * r * r, h // r, w // r))
