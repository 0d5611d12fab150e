"""Mixed precision on a device, under PyTorch's names: float32 parameters, products of halves.

`autocast` decides the dtype that each function computes in; `GradScaler` keeps small gradients of
float16 above the smallest number that it has. bfloat16 has the range of float32 and needs none.

>>> import convolith as cv
>>> model = cv.nn.Linear(8, 3).to("emu")
>>> x, target = cv.tensor([[1.0] * 8] * 2).to("emu"), cv.tensor([0, 2]).to("emu")
>>> with cv.autocast("emu"):
...     logits = model(x)
...     loss = cv.nn.functional.cross_entropy(logits, target)
>>> logits.dtype, loss.dtype
(convolith.bfloat16, dtype('float32'))
>>> loss.backward()
>>> model.weight.grad.dtype
dtype('float32')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convolith import primitives
from convolith.device import (
    Array,
    as_dtype,
    assign,
    bfloat16,
    cast,
    full,
    is_device,
    is_half,
    to_numpy,
)
from convolith.tensor import Function, Node, Tensor, _mode

if TYPE_CHECKING:
    from convolith.optim import Optimizer

__all__ = ["GradScaler", "autocast"]

_FLOAT32 = np.dtype(np.float32)
_CASTABLE = (_FLOAT32, np.dtype(np.float16), bfloat16)
_EVERY = slice(None)

# The one place that says what autocast does: by the name of a function, which dtype the floating
# tensors among which of its arguments become. All others compute in the dtype that they are given.
RULES: dict[str, tuple[str, slice]] = {
    "Conv2d": ("half", _EVERY),  # what tensor cores are for
    "ConvTranspose2d": ("half", _EVERY),
    "Linear": ("half", _EVERY),
    "MatMul": ("half", _EVERY),
    "LocalLinear": ("half", _EVERY),
    "Softmax": ("float32", _EVERY),  # sums of exponentials
    "LogSoftmax": ("float32", _EVERY),
    "CrossEntropy": ("float32", _EVERY),
    "ClampedLog": ("float32", _EVERY),
    "Loss": ("float32", _EVERY),
    "SymmetricLoss": ("float32", _EVERY),
    "RootMeanSquare": ("float32", _EVERY),
    "LayerNorm": ("float32", _EVERY),
    "GroupNorm": ("float32", _EVERY),
    "LocalResponseNorm": ("float32", _EVERY),  # squares
    "Power": ("float32", _EVERY),
    "Sum": ("float32", _EVERY),  # too large for float16
    "Add": ("widest", _EVERY),  # float32 beside a half
    "Subtract": ("widest", _EVERY),
    "Multiply": ("widest", _EVERY),
    "Divide": ("widest", _EVERY),
    "Concat": ("widest", _EVERY),
    "BatchNorm": ("widest", slice(0, 4, 3)),  # x and residual; its vectors are float32 anyway
}


class _Casts:
    """What an autocast block does to the arguments of a function."""

    def __init__(self, device: str, dtype: Any) -> None:
        self._device = device
        self._half = dtype
        self._weights: dict[Tensor, Tensor] = {}  # and what they were cast to

    def __call__(self, function: type[Function], args: tuple[Any, ...]) -> tuple[Any, ...]:
        if function.__name__ not in RULES:
            return args
        rule, which = RULES[function.__name__]
        floats = [i for i in range(len(args))[which] if self._serves(args[i])]
        dtypes = {args[i].dtype for i in floats}
        alike = dtypes.pop() if len(dtypes) == 1 else _FLOAT32
        dtype = {"half": self._half, "float32": _FLOAT32, "widest": alike}[rule]
        return tuple(self._cast(a, dtype) if i in floats else a for i, a in enumerate(args))

    def _serves(self, a: Any) -> bool:
        return isinstance(a, Tensor) and a.device == self._device and a.dtype in _CASTABLE

    def _cast(self, x: Tensor, dtype: Any) -> Tensor:
        """`x` as `dtype`; a parameter is cast once until backward has gone through its cast."""
        if x.dtype == dtype or not x.requires_grad or x._node is not None:
            return x.to(dtype)
        known = self._weights.get(x)
        if known is not None and known.dtype == dtype and known._node and known._node.edges:
            return CastBefore.apply(x, known._array)
        self._weights[x] = x.to(dtype)
        return self._weights[x]


class CastBefore(Function):
    """`y`, which `x` was cast to; every use has its own node, so that graphs share none."""

    @staticmethod
    def forward(ctx: Node, x: Array, y: Array) -> Array:
        ctx.save(x.dtype)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return cast(dy, *ctx.saved), None


@contextmanager
def autocast(
    device: str, dtype: npt.DTypeLike = "bfloat16", enabled: bool = True
) -> Iterator[None]:
    """Compute convolutions and linear layers in halves: ``with autocast("cuda"): ...``.

    Or ``@autocast("cuda")`` on a function. It is for forward and the loss; backward follows by
    itself, outside, in the dtypes of forward. What each function does is in `convolith.amp.RULES`:

    ================================  ==========================================================
    convolutions, linear layers,      cast their inputs and parameters to `dtype`
    ``@``
    softmax, log_softmax, losses,     cast their inputs to float32
    layer_norm, group_norm,
    local_response_norm, sum, ``**``
    ``+ - * /``, cat                  widen to float32 where a half meets a float32
    batch_norm                        takes `input` as it is, beside float32 vectors; `residual`
                                      and `input` widen as for ``+``
    all others                        compute in the dtype that they are given
    ================================  ==========================================================

    Parameters stay float32, and so do their gradients. A parameter is cast once in a block, until
    backward has gone through it: change it elsewhere only between blocks. Holds for the calling
    thread, and for the tensors of this device only. Blocks nest; the innermost counts.

    Parameters
    ----------
    device : {'emu', 'cuda'}
    dtype : {'bfloat16', 'float16'}
        float16 needs a `GradScaler` to train.
    enabled : bool
        False makes this a block without autocast, within another one, too.

    Raises
    ------
    ValueError
        If it is enabled for the CPU, which has no kernels for halves, or for another dtype.
    """
    before = _mode.autocast
    blocks = {name: casts for name, casts in before.items() if name != device}
    if enabled:
        blocks[device] = _Casts(device, _half_of(device, dtype))
    _mode.autocast = blocks
    try:
        yield
    finally:
        _mode.autocast = before


def _half_of(device: str, dtype: npt.DTypeLike) -> Any:
    """`dtype`, if autocast can serve it there."""
    if device == "cpu":
        raise ValueError(
            "autocast: the CPU has no kernels for halves; move the model to 'cuda' or 'emu', "
            "or compute in float32"
        )
    if not is_device(device):
        raise ValueError(f"autocast: device is {device!r}, expected 'cuda' or 'emu'")
    if not is_half(dtype):
        raise ValueError(f"autocast: dtype is {as_dtype(dtype)}, expected bfloat16 or float16")
    return as_dtype(dtype)


class Scale(Function):
    """``factor * x``, `factor` being a scalar in the memory of the device."""

    @staticmethod
    def forward(ctx: Node, x: Array, factor: Array) -> Array:
        ctx.save(factor)
        y: Array = primitives.scale_forward(x, factor)
        return y

    @staticmethod
    def backward(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        return primitives.scale_forward(dy, *ctx.saved), None


class _Run:
    """How far an optimizer is since the last `GradScaler.update`."""

    def __init__(self, device: str) -> None:
        self.stage = "ready"  # then 'unscaled', then 'stepped'
        self.found_inf = full((), 0, np.float32, device)  # 1 if a gradient was not finite
        self._overflowed: bool | None = None  # the same, once it was read

    @property
    def overflowed(self) -> bool:
        """Whether a gradient was not finite; waits for the device the first time."""
        if self._overflowed is None:
            self._overflowed = bool(to_numpy(self.found_inf))
        return self._overflowed

    def restart(self) -> None:
        if self.overflowed:
            assign(self.found_inf, np.zeros((), np.float32))
        self.stage, self._overflowed = "ready", None


class GradScaler:
    """Scale the loss so that gradients of float16 do not vanish; skip steps where they overflow.

    ::

        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    The smallest float16 is 6e-8, and many gradients are smaller (Micikevicius et al. 2018, "Mixed
    precision training", section 3.2). So the scale grows as long as nothing overflows: an infinite
    or NaN gradient costs a step and halves it. Scale and findings are kept in the memory of the
    device, in the same place throughout; each `step` reads the one number that it needs.

    Parameters
    ----------
    device : {'emu', 'cuda', 'cpu'}
        Where loss and gradients are.
    init_scale : float
        The first scale.
    growth_factor, backoff_factor : float
        What the scale is multiplied by, after `growth_interval` steps in a row without an overflow,
        and after an overflow.
    growth_interval : int
    enabled : bool
        False: `scale` and `step` do what they would without a scaler, `update` nothing.

    Raises
    ------
    ValueError
        If an option is out of range.
    RuntimeError
        If there is no such device; it says what is missing.
    """

    def __init__(
        self,
        device: str,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        for name, value, fits, expected in (
            ("init_scale", init_scale, init_scale > 0, "a positive number"),
            ("growth_factor", growth_factor, growth_factor > 1, "more than 1"),
            ("backoff_factor", backoff_factor, 0 < backoff_factor < 1, "between 0 and 1"),
            ("growth_interval", growth_interval, growth_interval >= 1, "at least 1"),
        ):
            if not fits:
                raise ValueError(f"GradScaler: {name} is {value}, expected {expected}")
        self._device = device
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._enabled = enabled
        self._good_steps = 0  # since the scale changed
        self._runs: dict[Optimizer, _Run] = {}
        if enabled:
            self._factor = full((), 1, np.float32, device)
            self._inverse = full((), 1, np.float32, device)
            self._set_scale(init_scale)

    def scale(self, loss: Tensor) -> Tensor:
        """The loss times the scale, to call ``backward()`` on."""
        return Scale.apply(loss, self._factor) if self._enabled else loss

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of its parameters by the scale: before clipping them, for instance.

        `step` does so if this was not called.

        Raises
        ------
        RuntimeError
            If it was called since the last `update`, or `step` was, or there are no gradients.
        ValueError
            If a gradient is not float32.
        """
        if not self._enabled:
            return
        run = self._run_of(optimizer)
        if run.stage != "ready":
            raise RuntimeError(
                f"GradScaler: the gradients are {run.stage} already; call update() first"
            )
        params = [param for group in optimizer.param_groups for param in group["params"]]
        gradients = [param.grad._array for param in params if param.grad is not None]
        if not gradients:
            raise RuntimeError(
                f"GradScaler: no parameter of {type(optimizer).__name__} has a gradient; "
                "call scale(loss).backward() first"
            )
        if others := {str(g.dtype) for g in gradients} - {"float32"}:
            raise ValueError(
                f"GradScaler: gradients are {' and '.join(sorted(others))}, expected float32; "
                "keep the parameters in float32, autocast casts them"
            )
        for gradient in gradients:
            primitives.scale_forward(gradient, self._inverse, run.found_inf, out=gradient)
        run.stage = "unscaled"

    def step(self, optimizer: Optimizer) -> None:
        """``optimizer.step()`` on the unscaled gradients, unless one of them is infinite or NaN.

        Raises
        ------
        RuntimeError
            If it was called since the last `update`, or there are no gradients.
        ValueError
            If a gradient is not float32.
        """
        if not self._enabled:
            optimizer.step()
            return
        run = self._run_of(optimizer)
        if run.stage != "unscaled":
            self.unscale_(optimizer)
        run.stage = "stepped"
        if not run.overflowed:
            optimizer.step()

    def update(self) -> None:
        """Choose the scale of the next iteration; once in each, after all steps.

        Raises
        ------
        RuntimeError
            If there was neither `step` nor `unscale_` since the last one.
        """
        if not self._enabled:
            return
        runs = [run for run in self._runs.values() if run.stage != "ready"]
        if not runs:
            raise RuntimeError("GradScaler: update() comes after step(), and there was none")
        overflowed = any(run.overflowed for run in runs)
        for run in runs:
            run.restart()
        self._good_steps = 0 if overflowed else self._good_steps + 1
        if overflowed:
            self._set_scale(self.get_scale() * self._backoff_factor)
        elif self._good_steps == self._growth_interval:
            self._good_steps = 0
            self._set_scale(self.get_scale() * self._growth_factor)

    def get_scale(self) -> float:
        """The scale; 1 if this is not enabled."""
        return self._scale if self._enabled else 1.0

    def state_dict(self) -> dict[str, float]:
        """Scale, options and how long nothing has overflowed; empty if this is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._good_steps,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; nothing happens if this is not enabled.

        Raises
        ------
        RuntimeError
            If that one was not enabled.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("GradScaler: the state is empty: it is of one that was not enabled")
        self._set_scale(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._good_steps = state_dict["_growth_tracker"]

    def _run_of(self, optimizer: Optimizer) -> _Run:
        if optimizer not in self._runs:
            self._runs[optimizer] = _Run(self._device)
        return self._runs[optimizer]

    def _set_scale(self, scale: float) -> None:
        """Scale and inverse, kept where both are numbers of float32."""
        smallest = float(np.finfo(np.float32).tiny)
        self._scale = min(max(float(scale), smallest), 1 / smallest)
        assign(self._factor, np.array(self._scale, np.float32))
        assign(self._inverse, np.array(1 / self._scale, np.float32))
