"""The element-wise activations: what the documentation of each says, and their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

ACTIVATIONS: list[str] = []  # "relu" of relu_forward and relu_backward

_FORWARD = """{summary}

Parameters
----------
x : array of any shape
{own}out : x's shape, optional
    Where to put the result; may be x itself.

Returns
-------
y : x's shape
{notes}"""

_BACKWARD = """{summary}

Parameters
----------
dy : gradient of the output, any shape
{kept} : {source} of the forward pass, dy's shape
{own}out : dy's shape, optional
    Where to put the result; may be dy or {kept} itself.

Returns
-------
dx : dy's shape
{notes}"""


def elementwise(function: F) -> F:
    """Complete the docstring of `function`, forward of x or backward of dy and x or y.

    It has a summary, the function's own parameters, and notes: of these the latter two or not.
    """
    head, *notes = inspect.cleandoc(function.__doc__ or "").partition("Notes\n-----\n")
    summary, _, own = head.strip().partition("\n\n")
    first, kept = list(inspect.signature(function).parameters)[:2]
    if first == "x":
        ACTIVATIONS.append(function.__name__.removesuffix("_forward"))
    function.__doc__ = (_FORWARD if first == "x" else _BACKWARD).format(
        summary=summary,
        kept=kept,
        source="input" if kept == "x" else "output",
        own=own and own + "\n",
        notes="".join(["\n", *notes]) if notes[1] else "",
    )
    return function
