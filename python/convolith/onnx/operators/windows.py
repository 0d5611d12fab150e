"""Windows over images, by ONNX's attributes; a sequence is an image of one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convolith.device import Array
from convolith.onnx.operators.table import Node, bounded
from convolith.tensor import Tensor

Pair = tuple[int, int]


def beyond_images(node: Node) -> str | None:
    """Whether the attributes are those of volumes."""
    sizes = (len(node.get(name, ())) for name in ("kernel_shape", "strides", "dilations"))
    return "with a kernel of 3 dimensions" if max(sizes) > 2 else None


def image(x: Tensor) -> Tensor:
    """(N, C, L) as (N, C, 1, L); (N, C, H, W) is itself. Filters, too."""
    if x.ndim not in (3, 4):
        raise ValueError(f"expected shape (N, C, L) or (N, C, H, W), got {x.shape}")
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], 1, x.shape[2])


def like(y: Tensor, x: Tensor) -> Tensor:
    """The image `y` as a sequence if `x` is one."""
    return y if x.ndim == 4 else y.reshape(*y.shape[:2], y.shape[3])


@dataclass(frozen=True)
class Windows:
    """Sizes and distances, of rows and columns; `before` and `after` are the padding."""

    size: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    after: Pair

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """(top, bottom, left, right)."""
        return (self.before[0], self.after[0], self.before[1], self.after[1])

    def span(self, axis: int) -> int:
        """From the first position of a window to its last."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def outputs(self, ceil: bool = False) -> Pair:
        """How many windows there are; none starts in the padding at the end."""
        P, Q = (self._outputs(axis, ceil) for axis in range(2))
        return P, Q

    def _outputs(self, axis: int, ceil: bool) -> int:
        stride, inside = self.stride[axis], self.size[axis] + self.before[axis]
        room = inside + self.after[axis] - self.span(axis)
        count = (-(-room // stride) if ceil else room // stride) + 1
        return count - 1 if ceil and (count - 1) * stride >= inside else count

    def fitted(self, ceil: bool) -> tuple[int, int, int, int]:
        """The padding that lets the last window end where the image ends."""
        bottom, right = (
            (count - 1) * self.stride[axis] + self.span(axis) - self.size[axis] - self.before[axis]
            for axis, count in enumerate(self.outputs(ceil))
        )
        return (self.before[0], bottom, self.before[1], right)

    def counts(self, ceil: bool, padding_counts: bool) -> Array:
        """How many positions of each window count: the padding's too, or the image's only."""
        along = []
        for axis, count in enumerate(self.outputs(ceil)):
            first = np.arange(count) * self.stride[axis] - self.before[axis]
            taps = first[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
            low = -self.before[axis] if padding_counts else 0
            high = self.size[axis] + (self.after[axis] if padding_counts else 0)
            along.append(((taps >= low) & (taps < high)).sum(1))
        return np.outer(*along)


def windows(node: Node, shape: tuple[int, ...], kernel: Sequence[int]) -> Windows:
    """The windows of `node` over values of that shape."""
    size = shape[2:]
    if len(size) not in (1, 2) or len(kernel) != len(size):
        raise ValueError(f"a kernel of {tuple(kernel)} does not fit values of shape {shape}")
    ones = [1] * len(size)
    stride, dilation = node.get("strides", ones), node.get("dilations", ones)
    numbers = (*kernel, *stride, *dilation)
    if len(numbers) != 3 * len(size) or min(numbers) < 1:
        raise ValueError(f"kernel, strides and dilations must be positive, got {numbers}")
    before, after = _padding(node, size, kernel, stride, dilation)
    fitted = Windows(
        rows(size, 1),
        rows(kernel, 1),
        rows(stride, 1),
        rows(dilation, 1),
        rows(before, 0),
        rows(after, 0),
    )
    top, bottom, left, right = fitted.padding
    bounded((*shape[:2], fitted.size[0] + top + bottom, fitted.size[1] + left + right))
    return fitted


def sliding(node: Node, shape: tuple[int, ...], kernel: Sequence[int]) -> Windows:
    """The same for windows over `shape`, which fit; a step out of the image may be any longer."""
    over = windows(node, shape, kernel)
    top, bottom, left, right = over.padding
    height, width = over.size[0] + top + bottom, over.size[1] + left + right
    if over.span(0) > height or over.span(1) > width:
        raise ValueError(
            f"a window of {over.span(0)} x {over.span(1)} is larger than "
            f"the padded input of {height} x {width}"
        )
    return replace(
        over,
        stride=(min(over.stride[0], height), min(over.stride[1], width)),
        dilation=(min(over.dilation[0], height), min(over.dilation[1], width)),
    )


def rows(values: Sequence[int], row: int) -> Pair:
    """Of rows and of columns; `row` is that of the only row of a sequence."""
    first, second = (row, *values) if len(values) == 1 else values
    return first, second


def _padding(
    node: Node,
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[list[int], list[int]]:
    """All begins, all ends."""
    auto = node.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max((-(-n // step) - 1) * step + d * (k - 1) + 1 - n, 0)
            for n, k, step, d in zip(size, kernel, stride, dilation, strict=True)
        ]
        return halves(totals, auto == "SAME_UPPER")
    pads = [0] * 2 * len(size) if auto == "VALID" else node.get("pads", [0] * 2 * len(size))
    if len(pads) != 2 * len(size):
        raise ValueError(f"pads must be {2 * len(size)} numbers, got {pads}")
    return list(pads[: len(size)]), list(pads[len(size) :])


def halves(totals: list[int], more_after: bool) -> tuple[list[int], list[int]]:
    """What comes before and after; of an odd number more comes on the named side."""
    less = [total // 2 for total in totals]
    more = [total - total // 2 for total in totals]
    return (less, more) if more_after else (more, less)
