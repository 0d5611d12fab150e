"""What an operation is in every library, and what it works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpu import LAYOUTS
from measure import Step

CLASSES = 1000  # of a softmax

Shape = tuple[int, ...]
Convert = Callable[[Any], Any]


class Arrays:
    """Operands of about one size, the same ones for every library.

    Parameters
    ----------
    megabytes : float
        Of each large array.
    convert : callable
        From an array, NumPy's or that of `rng`, to what the library takes.
    rng : optional
        A generator like NumPy's.
    """

    def __init__(self, megabytes: float, convert: Convert, rng: Any = None) -> None:
        self.megabytes, self.convert = megabytes, convert
        self.rng = rng or np.random.default_rng(0)

    def shape(self, kind: str) -> Shape:
        """Of 'planes', the 'quarters' of them that pooling leaves, 'rows', or 'flat'."""
        count = self.megabytes * 1e6 / 4
        images = max(1, round(count / (64 * 56 * 56)))
        return {
            "planes": (images, 64, 56, 56),
            "quarters": (images, 64, 28, 28),
            "rows": (max(1, round(count / CLASSES)), CLASSES),
            "flat": (round(count),),
        }[kind]

    def normal(self, kind: str | Shape) -> Any:
        """Normally distributed values; a new draw at each call."""
        shape = self.shape(kind) if isinstance(kind, str) else kind
        return self.convert(self.rng.standard_normal(shape, dtype=np.float32))

    def labels(self) -> Any:
        """A class for each of the rows."""
        return self.convert(self.rng.integers(CLASSES, size=self.shape("rows")[0]))

    def statistics(self) -> tuple[Any, Any]:
        """Running mean and variance of the planes' channels."""
        return self.normal((64,)), self.convert(np.full(64, 2, np.float32))


@dataclass(frozen=True)
class Op:
    """An operation in every library.

    Parameters
    ----------
    kind : str
        Of `Arrays.shape`; '' where shapes are fixed.
    moved : float
        Bytes that must move, each input read once, each output written once, in arrays of `kind`;
        in elements where shapes are fixed.
    ours : callable
        From `convolith.primitives` and arrays to a step.
    torch : callable
        From the module torch, arrays and the variant to a step.
    variants : tuple of str
        Ways in which PyTorch does it; the first is its default, and it is given its best.
    numpy : callable, optional
        From the module numpy and arrays to a step.
    flops : int
        Where those count and not bytes.
    """

    kind: str
    moved: float
    ours: Callable[[Any, Arrays], Step]
    torch: Callable[[Any, Arrays, str], Step]
    variants: tuple[str, ...] = ("default",)
    numpy: Callable[[Any, Arrays], Step] | None = None
    flops: int = 0

    def bytes(self, megabytes: float) -> int:
        """That must move."""
        shape = Arrays(megabytes, np.asarray).shape(self.kind) if self.kind else ()
        return int(self.moved * 4 * np.prod(shape))


def calls(function: Callable[..., Any], *kinds: str | Shape) -> Callable[..., Step]:
    """A function of a library and normal arrays as what `Op` wants."""

    def build(library: Any, a: Arrays, variant: str = "") -> Step:
        operands = [a.normal(kind) for kind in kinds]
        return lambda: function(library, *operands)

    return build


def planes(moved: float, kinds: str, ours: Callable[..., Any], torch: Callable[..., Any]) -> Op:
    each = kinds.split()
    return Op("planes", moved, calls(ours, *each), calls(torch, *each), LAYOUTS)


def rows(moved: float, count: int, ours: Callable[..., Any], torch: Callable[..., Any]) -> Op:
    each = ["rows"] * count
    return Op("rows", moved, calls(ours, *each), calls(torch, *each))


def gradients(dy: str, function: Callable[..., Any], *kinds: str | Shape) -> Callable[..., Step]:
    """PyTorch's backward of `function` where no function of its own does it: by autograd."""

    def build(t: Any, a: Arrays, variant: str) -> Step:
        gradient, *inputs = (a.normal(kind) for kind in (dy, *kinds))
        leaves = [array.requires_grad_() for array in inputs]
        with t.enable_grad():
            y = function(t, *leaves)
        first = slice(None) if len(leaves) > 1 else 0
        return lambda: t.autograd.grad(y, leaves, gradient, retain_graph=True)[first]

    return build
