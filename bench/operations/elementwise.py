"""Activations and addition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gpu import LAYOUTS
from operations.operand import Op, calls, gradients, planes

SLOPE = 0.01  # of leaky_relu
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
Torch = Callable[..., Any]


@dataclass(frozen=True)
class Activation:
    """PyTorch's side of an element-wise activation.

    Parameters
    ----------
    forward : callable
        From the module torch and x.
    backward : callable, optional
        From the module torch, dy and what our backward takes; None leaves it to autograd.
    options : dict
        Of ours.
    primitive : str
        Ours, where it has another name.
    """

    forward: Torch
    backward: Torch | None = None
    options: dict[str, Any] = field(default_factory=dict)
    primitive: str = ""

    def ops(self, name: str) -> dict[str, Op]:
        """Forward and backward: reads x and writes y, reads dy and x or y and writes dx."""
        step = calls(self.backward, "planes", "planes") if self.backward else None
        ours = self.primitive or name
        return {
            f"{name} fwd": planes(
                2,
                "planes",
                lambda P, x: getattr(P, f"{ours}_forward")(x, **self.options),
                self.forward,
            ),
            f"{name} bwd": Op(
                "planes",
                3,
                calls(
                    lambda P, dy, kept: getattr(P, f"{ours}_backward")(dy, kept, **self.options),
                    *("planes", "planes"),
                ),
                step or gradients("planes", self.forward, "planes"),
                LAYOUTS,
            ),
        }


ACTIVATIONS = {
    "relu": Activation(
        lambda t, x: t.relu(x), lambda t, dy, y: t.ops.aten.threshold_backward(dy, y, 0)
    ),
    "leaky_relu": Activation(
        lambda t, x: t.nn.functional.leaky_relu(x, SLOPE),
        lambda t, dy, x: t.ops.aten.leaky_relu_backward(dy, x, SLOPE, False),
        {"negative_slope": SLOPE},
    ),
    "sigmoid": Activation(
        lambda t, x: t.sigmoid(x), lambda t, dy, y: t.ops.aten.sigmoid_backward(dy, y)
    ),
    "tanh": Activation(lambda t, x: t.tanh(x), lambda t, dy, y: t.ops.aten.tanh_backward(dy, y)),
    "relu6": Activation(
        lambda t, x: t.nn.functional.relu6(x),
        lambda t, dy, y: t.ops.aten.hardtanh_backward(dy, y, 0, 6),
    ),
    "hardtanh": Activation(
        lambda t, x: t.nn.functional.hardtanh(x),
        lambda t, dy, x: t.ops.aten.hardtanh_backward(dy, x, -1, 1),
    ),
    "hardsigmoid": Activation(
        lambda t, x: t.nn.functional.hardsigmoid(x),
        lambda t, dy, x: t.ops.aten.hardsigmoid_backward(dy, x),
    ),
    "hardswish": Activation(
        lambda t, x: t.nn.functional.hardswish(x),
        lambda t, dy, x: t.ops.aten.hardswish_backward(dy, x),
    ),
    "elu": Activation(
        lambda t, x: t.nn.functional.elu(x),
        lambda t, dy, x: t.ops.aten.elu_backward(dy, 1, 1, 1, False, x),
    ),
    "selu": Activation(
        lambda t, x: t.selu(x),
        lambda t, dy, x: t.ops.aten.elu_backward(dy, SELU_ALPHA, SELU_SCALE, 1, False, x),
    ),
    "logsigmoid": Activation(lambda t, x: t.nn.functional.logsigmoid(x)),
    "softsign": Activation(lambda t, x: t.nn.functional.softsign(x)),
    "softplus": Activation(
        lambda t, x: t.nn.functional.softplus(x),
        lambda t, dy, x: t.ops.aten.softplus_backward(dy, x, 1, 20),
    ),
    "silu": Activation(
        lambda t, x: t.nn.functional.silu(x), lambda t, dy, x: t.ops.aten.silu_backward(dy, x)
    ),
    "mish": Activation(
        lambda t, x: t.nn.functional.mish(x), lambda t, dy, x: t.ops.aten.mish_backward(dy, x)
    ),
    "gelu": Activation(
        lambda t, x: t.nn.functional.gelu(x), lambda t, dy, x: t.ops.aten.gelu_backward(dy, x)
    ),
    "gelu_tanh": Activation(
        lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
        lambda t, dy, x: t.ops.aten.gelu_backward(dy, x, approximate="tanh"),
        {"approximate": "tanh"},
        "gelu",
    ),
}

OPS = {
    **{key: op for name, a in ACTIVATIONS.items() for key, op in a.ops(name).items()},
    "prelu fwd": Op(
        "planes",
        2,
        calls(lambda P, x, w: P.prelu_forward(x, w), "planes", (64,)),
        calls(lambda t, x, w: t.nn.functional.prelu(x, w), "planes", (64,)),
        LAYOUTS,
    ),
    "prelu bwd": Op(
        "planes",
        3,
        calls(lambda P, dy, x, w: P.prelu_backward(dy, x, w), "planes", "planes", (64,)),
        gradients("planes", lambda t, x, w: t.nn.functional.prelu(x, w), "planes", (64,)),
        LAYOUTS,
    ),
    "step fwd": planes(
        2,
        "planes",
        lambda P, x: P.step_forward(x),
        lambda t, x: t.heaviside(x, x.new_zeros(())),
    ),
    "maxout fwd": planes(
        1.5,
        "planes",
        lambda P, x: P.maxout_forward(x, 2),
        lambda t, x: t.unflatten(x, 1, (-1, 2)).amax(2),
    ),
    "add fwd": planes(
        3, "planes planes", lambda P, a, b: P.add_forward(a, b), lambda t, a, b: a + b
    ),
}
