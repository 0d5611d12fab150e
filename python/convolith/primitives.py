"""The compiled primitives: NumPy arrays in, NumPy arrays out.

Every public function of `convolith.reference` is here under the same name, with the same arguments
and documentation, served by the compiled kernels of `convolith._C`. Unlike the reference it returns
the dtype it was given (float32 or float64), and it checks its arguments.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convolith import _C, reference
from convolith.algorithms import Conv2dPlan, conv2d_plan, conv2d_prepare_weight

if TYPE_CHECKING:
    from convolith.reference import *  # noqa: F403


def _dressed(name: str) -> Callable[..., Any]:
    """The compiled function `name`, wearing the reference's signature and documentation."""
    compiled, specification = getattr(_C, name), getattr(reference, name)

    def primitive(*args: Any, **kwargs: Any) -> Any:
        try:
            return compiled(*args, **kwargs)
        except TypeError:
            try:
                inspect.signature(specification).bind(*args, **kwargs)
            except TypeError as error:  # not even the right arguments: say so in Python's words
                raise TypeError(f"{name}: {error}") from None
            raise

    functools.update_wrapper(primitive, specification)
    primitive.__module__ = __name__
    return primitive


globals().update({name: _dressed(name) for name in reference.__all__})
__all__ = [*reference.__all__, "Conv2dPlan", "conv2d_plan", "conv2d_prepare_weight"]
