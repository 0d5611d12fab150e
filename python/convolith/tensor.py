"""Tensor and its tape.

A differentiable function is a `Function`: two static methods, forward and backward, side by side.
Calling `Function.apply` runs forward and, if a gradient is wanted, hangs a `Node` behind the result
that knows what backward needs and which nodes or leaves the gradient goes on to.
`Tensor.backward` visits the nodes from the newest to the oldest, which is a topological order
because a node is always younger than what it was made from.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from convolith import _C
from convolith.device import (
    Array,
    add,
    as_array,
    as_dtype,
    assign,
    device_of,
    holds_alone,
    is_device,
    ones_like,
    to_numpy,
)

Arguments = tuple[Any, ...]
# Called with a function, its arguments and options, and its outputs.
Recorder = Callable[["type[Function]", Arguments, Mapping[str, Any], "tuple[Tensor, ...]"], object]


class _Mode(threading.local):
    grad = True
    autocast: Mapping[str, Callable[[type[Function], Arguments], Arguments]] = {}  # by device
    recorder: Recorder | None = None


_mode = _Mode()
_age = itertools.count()


def is_grad_enabled() -> bool:
    """Whether this thread records what `Tensor.backward` needs."""
    return _mode.grad


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing for backward: ``with no_grad(): ...``, or ``@no_grad()`` on a function.

    Holds for the calling thread only.
    """
    before = _mode.grad
    _mode.grad = False
    try:
        yield
    finally:
        _mode.grad = before


@contextmanager
def recorded(recorder: Recorder) -> Iterator[None]:
    """Show `recorder` every function that this thread applies within the block."""
    before = _mode.recorder
    _mode.recorder = recorder
    try:
        yield
    finally:
        _mode.recorder = before


def autocast_arguments(function: type[Function], args: Arguments) -> Arguments:
    """The arguments that `function` gets in the `convolith.autocast` blocks of this thread."""
    for casts in _mode.autocast.values():
        args = casts(function, args)
    return args


class Node:
    """One application of a function on the tape; what forward and backward know as ``ctx``.

    Attributes
    ----------
    needs : tuple of bool
        For each positional argument of forward: is its gradient wanted?
    saved : tuple
        What forward gave to `save`.
    age : int
        Counts up from node to node.
    edges : tuple of (Node, Tensor or None), or None
        Where the gradient of each argument goes: an older node, a leaf, nowhere. None once
        backward went through.
    """

    __slots__ = ("age", "edges", "function", "needs", "saved")
    saved: tuple[Any, ...]
    edges: tuple[Node | Tensor | None, ...] | None
    age: int

    def __init__(self, function: type[Function], needs: tuple[bool, ...]) -> None:
        self.function = function
        self.needs = needs
        self.saved = ()

    def save(self, *values: Any) -> None:
        """Keep `values` for backward, which finds them in `saved`."""
        self.saved = values

    def release(self) -> None:
        """Let go of everything that backward needed."""
        self.saved = ()
        self.edges = None


class Function:
    """A differentiable function over arrays.

    ``forward(ctx, *arrays, **options)`` returns one array, or a tuple whose first entry is the
    differentiable one. ``backward(ctx, dy)`` returns the gradient of every array, or None where
    ``ctx.needs`` is False: a new array, or `dy` itself, or a view; never one array twice.
    """

    # Any: every function has its own arguments.
    forward: Any
    backward: Any

    @classmethod
    def apply(cls, *args: Any, **options: Any) -> Tensor:
        """The differentiable output of `outputs`."""
        return cls.outputs(*args, **options)[0]

    @classmethod
    def outputs(cls, *args: Any, **options: Any) -> tuple[Tensor, ...]:
        """Run forward on the arrays behind the tensors in `args`; wrap all that it returns."""
        args = autocast_arguments(cls, args)
        needs = tuple([isinstance(a, Tensor) and a.requires_grad for a in args])
        node = Node(cls, needs)
        arrays = [a._array if isinstance(a, Tensor) else a for a in args]
        result = cls.forward(node, *arrays, **options)
        first, *others = result if type(result) is tuple else (result,)
        y = Tensor(first)
        if True in needs and _mode.grad:
            node.edges = tuple(
                [(a._node or a) if need else None for a, need in zip(args, needs, strict=True)]
            )
            node.age = next(_age)
            y.requires_grad = True
            y._node = node
        outputs = (y, *map(Tensor, others))
        if _mode.recorder is not None:
            _mode.recorder(cls, args, options, outputs)
        return outputs


class Tensor:
    """One array, and the memory of how it was made.

    Parameters
    ----------
    data : array_like
        Shared, not copied, if it is a NumPy array (or an array of a device). `tensor` is the
        constructor that copies.
    requires_grad : bool
        Collect a gradient in `grad` when `backward` is called on something made from this.

    Attributes
    ----------
    grad : Tensor or None
        The gradient collected so far; of leaves only (tensors not made by a function).

    Raises
    ------
    TypeError
        If a gradient is wanted and the data is not of a floating dtype.
    """

    __slots__ = ("__weakref__", "_array", "_node", "grad", "requires_grad")
    __array_ufunc__ = None  # array + tensor is ours to answer, and np.exp(tensor) an error

    def __init__(self, data: npt.ArrayLike, requires_grad: bool = False) -> None:
        self._array: Array = as_array(data)
        self._node: Node | None = None
        self.grad: Tensor | None = None
        self.requires_grad = requires_grad
        if requires_grad and self._array.dtype.kind != "f":
            raise TypeError(f"tensor: only floats have gradients, and the data is {self.dtype}")

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every dimension."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype, or `convolith.bfloat16`."""
        return self._array.dtype

    @property
    def device(self) -> str:
        """Where the array lives: 'cpu', 'emu' or 'cuda'."""
        return device_of(self._array)

    def numpy(self) -> Array:
        """The array itself: writing to it writes to the tensor. Of a device a copy, read-only."""
        return to_numpy(self._array)

    def item(self) -> Any:
        """The only element, as a Python number; ValueError if there is not exactly one."""
        return self.numpy().item()

    def to(self, target: str | npt.DTypeLike, non_blocking: bool = False) -> Tensor:
        """This tensor on another device, or in another floating dtype.

        Parameters
        ----------
        target : {'cpu', 'emu', 'cuda'}, or dtype
            On a device float32, float16 or bfloat16; the latter is float32 on the CPU.
        non_blocking : bool
            On the way to a GPU, do not wait: the copy goes to the current stream, and this tensor,
            whose memory should be pinned (`pin_memory`), has to stay as it is until it is done.

        Returns
        -------
        Tensor
            This one, if it is so already. Gradients flow back to it.

        Raises
        ------
        RuntimeError
            If there is no such device; it says what is missing.
        """
        if not is_device(target):
            target = as_dtype(target)
        if target == (self.device if is_device(target) else self.dtype):
            return self
        return To.apply(self, target=target, non_blocking=non_blocking)

    def pin_memory(self, device: str = "cuda") -> Tensor:
        """A copy on the CPU in pinned memory, from where copies to `device` overlap with work."""
        return Tensor(_C.to_pinned(self._array, device))

    def copy_(self, source: Tensor | Array) -> Tensor:
        """Write the values of `source`, of this shape and dtype and from any device, to this one.

        Returns
        -------
        Tensor
            This one.

        Raises
        ------
        ValueError, TypeError
            If the shape or the dtype is another one.
        """
        values = source._array if isinstance(source, Tensor) else as_array(source)
        if (values.shape, values.dtype) != (self.shape, self.dtype):
            kind = TypeError if values.shape == self.shape else ValueError
            raise kind(
                f"copy_: the source is {values.shape} {values.dtype} "
                f"and the tensor {self.shape} {self.dtype}"
            )
        assign(self._array, values)
        return self

    def cpu(self) -> Tensor:
        """``to("cpu")``."""
        return self.to("cpu")

    def cuda(self) -> Tensor:
        """``to("cuda")``."""
        return self.to("cuda")

    def detach(self) -> Tensor:
        """The same array without its history."""
        return Tensor(self._array)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len: a tensor without dimensions has no length")
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __repr__(self) -> str:
        text = np.array2string(self.numpy(), separator=", ", prefix="tensor(")
        device = "" if self.device == "cpu" else f", device='{self.device}'"
        dtype = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({text}{device}{dtype}{grad})"

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False and self.device != "cpu":
            raise ValueError(f"tensor: it is on {self.device} and NumPy needs a copy")
        array = self.numpy()
        if copy or (dtype is not None and np.dtype(dtype) != array.dtype):
            if copy is False:
                raise ValueError(f"tensor: {self.dtype} cannot become {dtype} without a copy")
            return array.astype(dtype or array.dtype)
        return array

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self._array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, index = self._array.__dlpack_device__()
        return int(kind), int(index)

    # The tape

    def backward(self, gradient: Tensor | None = None) -> None:
        """Add the gradient of this tensor to `grad` of every leaf it was made from.

        Parameters
        ----------
        gradient : Tensor, optional
            The gradient of this tensor, of its shape and dtype; 1 if this is a scalar.

        Raises
        ------
        RuntimeError
            If nothing here requires a gradient, or backward went through this graph before.
        ValueError, TypeError
            If `gradient` is missing or has the wrong shape or dtype.
        """
        if not self.requires_grad:
            raise RuntimeError("backward: nothing that this tensor was made from requires_grad")
        dy = self._seed(gradient)
        if self._node is None:
            self._accumulate(dy.copy())
            return
        pending: dict[Node, Array] = {self._node: dy}
        for node in _newest_first(self._node):
            dy = as_array(pending.pop(node))
            for edge, dx in zip(node.edges or (), node.function.backward(node, dy), strict=False):
                if isinstance(edge, Node):
                    pending[edge] = add(pending[edge], dx) if edge in pending else dx
                elif edge is not None:
                    dx = as_array(dx)
                    edge._accumulate(dx if dx is not dy and holds_alone(dx) else dx.copy())
            node.release()

    def _seed(self, gradient: Tensor | None) -> Array:
        """The array that backward starts from."""
        if gradient is None:
            if self._array.size != 1:
                raise ValueError(
                    f"backward: a tensor of shape {self.shape} is no scalar; "
                    "pass the gradient to start from, or call sum() or mean() first"
                )
            return ones_like(self._array)
        if gradient.shape != self.shape:
            raise ValueError(
                f"backward: the gradient is {gradient.shape} and the tensor {self.shape}"
            )
        if gradient.dtype != self.dtype:
            raise TypeError(
                f"backward: the gradient is {gradient.dtype} and the tensor {self.dtype}"
            )
        return gradient._array

    def _accumulate(self, gradient: Array) -> None:
        """Add `gradient`, an array that nobody else holds, to `grad`."""
        self.grad = Tensor(gradient if self.grad is None else add(self.grad._array, gradient))

    # Arithmetic, by NumPy's rule of broadcasting: shapes are aligned at their last dimensions, and
    # a tensor is repeated along a dimension where its length is 1 or that it does not have.

    def __add__(self, other: Any) -> Tensor:
        return binary(Add, self, other)

    def __sub__(self, other: Any) -> Tensor:
        return binary(Subtract, self, other)

    def __mul__(self, other: Any) -> Tensor:
        return binary(Multiply, self, other)

    def __truediv__(self, other: Any) -> Tensor:
        return binary(Divide, self, other)

    def __radd__(self, other: Any) -> Tensor:
        return binary(Add, other, self)

    def __rsub__(self, other: Any) -> Tensor:
        return binary(Subtract, other, self)

    def __rmul__(self, other: Any) -> Tensor:
        return binary(Multiply, other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return binary(Divide, other, self)

    def __neg__(self) -> Tensor:
        return binary(Multiply, self, -1)

    def __pow__(self, exponent: float) -> Tensor:
        return Power.apply(self, exponent=exponent)

    def __matmul__(self, other: Tensor) -> Tensor:
        return MatMul.apply(self, other)

    def sum(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
        """Sum over `dim`, one or several dimensions, or over everything."""
        return Sum.apply(self, dim=dim, keepdim=keepdim)

    def mean(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
        """Mean over `dim`, one or several dimensions, or over everything."""
        return Mean.apply(self, dim=dim, keepdim=keepdim)

    def reshape(self, *shape: SupportsIndex | Sequence[SupportsIndex]) -> Tensor:
        """The same elements in another shape, ``reshape(2, 3)`` or ``reshape((2, 3))``."""
        return Reshape.apply(self, shape=shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Make the dimensions from `start_dim` to `end_dim` one."""
        return Flatten.apply(self, start_dim=start_dim, end_dim=end_dim)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Exchange two dimensions."""
        return Transpose.apply(self, dims=(dim0, dim1))


def tensor(data: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor that owns a copy of `data`.

    Parameters
    ----------
    data : array_like
        NumPy arrays and tensors keep their dtype; Python floats become float32, integers int64.
    dtype : dtype, optional
        The dtype to convert to.
    requires_grad : bool
        Collect a gradient for it.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If a gradient is wanted and the dtype is not floating.
    """
    array = np.array(data, dtype)
    if dtype is None and array.dtype == np.float64 and not hasattr(data, "dtype"):
        array = array.astype(np.float32)
    return Tensor(array, requires_grad)


def from_dlpack(source: Any) -> Tensor:
    """A tensor over the memory of anything that speaks DLPack; nothing is copied.

    Except on a GPU, where an array of rank 3 and more whose channels do not lie innermost (in
    PyTorch's words: that is not ``torch.channels_last``) is.

    Parameters
    ----------
    source : object with ``__dlpack__`` and ``__dlpack_device__``

    Returns
    -------
    Tensor
    """
    kind, _ = source.__dlpack_device__()
    if int(kind) == 2:  # a GPU
        array: Any = _C.from_dlpack(source.__dlpack__())
        return Tensor(array)
    return Tensor(np.from_dlpack(source))


def _newest_first(root: Node) -> list[Node]:
    """All nodes behind `root`, each before everything it was made from."""
    seen = {root}
    stack = [root]
    while stack:
        edges = stack.pop().edges
        if edges is None:
            raise RuntimeError(
                "backward: this graph was gone through before and has let go of what it saved; "
                "run forward again, or add the losses and call backward once"
            )
        fresh = [edge for edge in edges if isinstance(edge, Node) and edge not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return sorted(seen, key=lambda node: node.age, reverse=True)


# At the end, because they are made of what stands above.
from convolith.arithmetic import (  # noqa: E402
    Add,
    Divide,
    Flatten,
    MatMul,
    Mean,
    Multiply,
    Power,
    Reshape,
    Subtract,
    Sum,
    To,
    Transpose,
    binary,
)
