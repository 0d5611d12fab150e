"""Module: a tree of parts with named parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from convolith.device import assign, is_device, is_half, is_read_only
from convolith.tensor import Tensor

Hook = Callable[["Module", tuple[Any, ...], Any], Any]
Self = TypeVar("Self", bound="Module")
Part = TypeVar("Part")


class Parameter(Tensor):
    """A tensor that is learned: assigned to an attribute of a module, it is one of its parameters.

    Parameters
    ----------
    data : array_like
        Shared, not copied, if it is a NumPy array.
    requires_grad : bool
        False freezes it.
    """

    __slots__ = ()

    def __init__(self, data: npt.ArrayLike, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)


class Buffer(Tensor):
    """A tensor that is kept but not learned, such as running statistics."""

    __slots__ = ()


class Handle:
    """What `Module.register_forward_hook` returns; `remove` takes the hook away again."""

    def __init__(self, hooks: dict[Handle, Hook]) -> None:
        self._hooks = hooks

    def remove(self) -> None:
        """Take the hook away; doing so twice is harmless."""
        self._hooks.pop(self, None)


class Module:
    """A part of a network; subclasses define ``forward``.

    Whatever `Parameter`, `Buffer` or `Module` is assigned to an attribute belongs to the module,
    under the attribute's name and in the order of assignment.

    Attributes
    ----------
    training : bool
        True at first; `train` and `eval` set it in the whole tree.
    frozen : bool
        Whether this part stays in evaluation mode: see `nn.utils.freeze`.
    keeps_float32 : bool
        Of a class: whether `to` leaves its own tensors float32 where others become halves.
    """

    training: bool = True
    frozen: bool = False
    keeps_float32: bool = False
    _forward_hooks: Mapping[Handle, Hook] = {}
    forward: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        output = self.forward(*args, **kwargs)
        for hook in tuple(self._forward_hooks.values()):
            changed = hook(self, args, output)
            if changed is not None:
                output = changed
        return output

    # The tree

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Name and module of every direct part."""
        return _parts(self, Module)

    def children(self) -> Iterator[Module]:
        """Every direct part."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Dotted name and module of this one and everything below it, parents first."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """This module and everything below it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Dotted name and value of every parameter; a shared one comes once."""
        return _once(self._named(Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter; a shared one comes once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Dotted name and value of every buffer; a shared one comes once."""
        return _once(self._named(Buffer))

    def buffers(self) -> Iterator[Buffer]:
        """Every buffer; a shared one comes once."""
        return (buffer for _, buffer in self.named_buffers())

    def _named(self, kind: type[Part]) -> Iterator[tuple[str, Part]]:
        for prefix, module in self.named_modules():
            for name, part in _parts(module, kind):
                yield f"{prefix}.{name}" if prefix else name, part

    def apply(self: Self, function: Callable[[Module], object]) -> Self:
        """Call `function` on everything below, then on this module; returns the module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def chains(self) -> Iterable[tuple[str, ...]]:
        """Names of parts that ``forward`` applies one directly after the other: see `nn.fuse`."""
        return ()

    # Modes

    def train(self: Self, mode: bool = True) -> Self:
        """Set `training` in the whole tree, but for what is `frozen`; returns the module."""
        for module in self.modules():
            module.training = mode and not module.frozen
        return self

    def eval(self: Self) -> Self:
        """``train(False)``."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self: Self, target: str | npt.DTypeLike) -> Self:
        """Move floating parameters and buffers to another device or dtype; returns the module.

        Do it before the optimizer is made: its own state stays where and what it was.

        Parameters
        ----------
        target : {'cpu', 'emu', 'cuda'}, or dtype
            On a device float32, float16 or bfloat16. Counters, which are integers, stay on the CPU,
            and the vectors of batch norm float32 beside halves.

        Raises
        ------
        RuntimeError
            If there is no such device; it says what is missing.
        """
        narrows = not is_device(target) and is_half(target)
        for module in self.modules():
            own = np.float32 if narrows and module.keeps_float32 else target
            for _, tensor in (*_parts(module, Parameter), *_parts(module, Buffer)):
                if tensor.dtype.kind == "f":
                    tensor._array = tensor.detach().to(own)._array
                    tensor.grad = None
        return self

    def float(self: Self) -> Self:
        """``to("float32")``."""
        return self.to("float32")

    def half(self: Self) -> Self:
        """``to("float16")``."""
        return self.to("float16")

    def bfloat16(self: Self) -> Self:
        """``to("bfloat16")``."""
        return self.to("bfloat16")

    # State

    def state_dict(self) -> dict[str, Tensor]:
        """Every parameter and buffer under its dotted name; the arrays are shared, not copied."""
        state: dict[str, Tensor] = {}
        for prefix, module in self.named_modules():
            for kind in (Parameter, Buffer):
                for name, tensor in _parts(module, kind):
                    state[f"{prefix}.{name}" if prefix else name] = tensor.detach()
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Tensor | npt.NDArray[Any]], strict: bool = True
    ) -> None:
        """Copy `state_dict` into the parameters and buffers, all of it or, on an error, nothing.

        Parameters
        ----------
        state_dict : mapping of str to Tensor or array
            What `state_dict` of an equal module returned.
        strict : bool
            Whether missing and unexpected keys are errors.

        Raises
        ------
        ValueError
            Naming the missing and unexpected keys, every shape or dtype that differs, and weights
            that `nn.fuse` or `weights.store_bfloat16` has made read-only.
        """
        own = self.state_dict()
        given = {
            key: value._array if isinstance(value, Tensor) else np.asarray(value)
            for key, value in state_dict.items()
        }
        faults: list[str] = []
        if strict:
            missing = [key for key in own if key not in given]
            unexpected = [key for key in given if key not in own]
            faults += [f"missing keys {', '.join(missing)}"] if missing else []
            faults += [f"unexpected keys {', '.join(unexpected)}"] if unexpected else []
        common = [key for key in own if key in given]
        for key in common:
            expected, came = own[key], given[key]
            if (expected.shape, expected.dtype) != (came.shape, came.dtype):
                faults.append(
                    f"{key} is {came.dtype} {came.shape} "
                    f"but the model has {expected.dtype} {expected.shape}"
                )
            elif is_read_only(expected._array):
                faults.append(f"{key} is read-only")
        if faults:
            raise ValueError(f"{type(self).__name__}: cannot load state_dict: {'; '.join(faults)}")
        for key in common:
            assign(own[key]._array, given[key])

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Assign `tensor` as a `Buffer` named `name`; None keeps the name free."""
        setattr(self, name, None if tensor is None else Buffer(tensor._array))

    def register_forward_hook(self, hook: Hook) -> Handle:
        """Call ``hook(module, args, output)`` after every forward; not None replaces the output.

        Returns
        -------
        Handle
            Its ``remove()`` takes the hook away.
        """
        hooks = vars(self).setdefault("_forward_hooks", {})
        handle = Handle(hooks)
        hooks[handle] = hook
        return handle

    # Printing

    def extra_repr(self) -> str:
        """What `repr` prints between the parentheses."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"  ({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self.named_children()
        ]
        inside = "\n" + "\n".join(lines) + "\n" if lines else ""
        return f"{type(self).__name__}({self.extra_repr()}{inside})"


def _parts(module: Module, kind: type[Part]) -> Iterator[tuple[str, Part]]:
    for name, value in vars(module).items():
        if isinstance(value, kind):
            yield name, value


def _once(named: Iterator[tuple[str, Part]]) -> Iterator[tuple[str, Part]]:
    seen: set[int] = set()
    for name, part in named:
        if id(part) not in seen:
            seen.add(id(part))
            yield name, part
