"""Linear layers, where FLOPs count."""

from __future__ import annotations

from typing import Any

from operations.operand import Op, Shape, calls

# N, inputs and outputs of layers in VGG-16, AlexNet, ResNet-18 and LeNet-5.
LINEAR = ((64, 4096, 4096), (64, 9216, 4096), (64, 512, 1000), (64, 120, 84))


def _linear(N: int, I: int, O: int) -> dict[str, Op]:
    """The three directions of a linear layer."""
    x, w, bias, dy = (N, I), (O, I), (O,), (N, O)
    directions: dict[str, tuple[list[Shape], Any, Any, Any]] = {
        "fwd": (
            [x, w, bias],
            lambda P, x, w, bias: P.linear_forward(x, w, bias),
            lambda t, x, w, bias: t.nn.functional.linear(x, w, bias),
            lambda np, x, w, bias: x @ w.T + bias,
        ),
        "bwd_input": (
            [dy, w],
            lambda P, dy, w: P.linear_backward_input(dy, w),
            lambda t, dy, w: dy @ w,
            lambda np, dy, w: dy @ w,
        ),
        "bwd_weight": (
            [dy, x],
            lambda P, dy, x: P.linear_backward_weight(dy, x),
            lambda t, dy, x: dy.T @ x,
            lambda np, dy, x: dy.T @ x,
        ),
    }
    return {
        f"linear_{N}x{I}x{O} {direction}": Op(
            "", N * I + I * O + N * O, calls(ours, *shapes), calls(torch, *shapes),
            numpy=calls(numpy, *shapes), flops=2 * N * I * O,
        )
        for direction, (shapes, ours, torch, numpy) in directions.items()
    }  # fmt: skip


OPS = {name: op for sizes in LINEAR for name, op in _linear(*sizes).items()}
