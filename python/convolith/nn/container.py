"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from convolith.nn.module import Module


class ModuleList(Module):
    """Modules under the names '0', '1', ...; what they do together is the owner's to say.

    Parameters
    ----------
    modules : iterable of Module
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> None:
        """Add a module at the end."""
        setattr(self, str(len(self)), module)

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return tuple(self.children())[index]


class Sequential(ModuleList):
    """Modules one after another: the output of each is the input of the next.

    Parameters
    ----------
    *modules : Module
        In order; their names are '0', '1', ...
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, input: Any) -> Any:
        """Pass `input` through all of them."""
        for module in self.children():
            input = module(input)
        return input

    def chains(self) -> Iterable[tuple[str, ...]]:
        """All of them, unless a subclass has a forward of its own."""
        if type(self).forward is Sequential.forward:
            yield tuple(name for name, _ in self.named_children())
