"""The same numbers as PyTorch: every function and gradient, at random and at extreme inputs.

Both compute in float32 and are held against PyTorch in float64, at 4,000 normally distributed
inputs and at zeros of both signs, infinities, NaN, +-1e4 and the smallest and largest numbers. They
agree where both are NaN, or infinite of one sign, or where our distance from the float64 value is
at most `ULPS` units in its last place or `FACTOR` times PyTorch's own largest distance. Where
PyTorch multiplies 0 by infinity and has NaN, we have the limit of the function, which is held
against PyTorch at +-1e30: "limits" counts such numbers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from measure import Row

ULPS = 8
FACTOR = 2
SLACK = 4 * 2.0**-52  # a sum of four roundings
SATURATED = 100.0  # from here on the functions are at their limits
LARGE = np.float32(1e30)  # instead of infinity
EXTREMES = (0.0, -0.0, 1.0, -1.0, 20.0, -20.0, 90.0, -90.0, 1e4, -1e4, 1e-30, -1e-30)
SPECIALS = (np.inf, -np.inf, np.nan, 3e38, -3e38)
STEPS = 100  # of an optimizer

Draw = Callable[[np.random.Generator], np.ndarray]
GROUPS = ((), ("direction",))
COLUMNS = (
    ("", "{name} {direction}", "<52"),
    ("inputs", "{inputs}", "<10"),
    ("agrees", "{agrees!s}", ">7"),
    ("ours", "{error:,.1f}", ">14"),
    ("PyTorch's", "{peer_error:,.1f}", ">14"),
    ("", " {unit}", "<6"),
    ("limits", "{limits}", ">7"),
)


def normal(*shape: int, scale: float = 1.0) -> Draw:
    """N(0, scale^2)."""
    return lambda rng: (scale * rng.standard_normal(shape)).astype(np.float32)


def positive(*shape: int) -> Draw:
    """U(0.5, 1.5): variances."""
    return lambda rng: rng.uniform(0.5, 1.5, shape).astype(np.float32)


def probabilities(*shape: int) -> Draw:
    """U(0, 1), both ends among them."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        p = rng.uniform(0, 1, shape).astype(np.float32)
        p.flat[:4] = 0, 1, 1e-30, 1e-7
        return p

    return draw


def distribution(*shape: int) -> Draw:
    """Sums to 1 along axis 1."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        p = rng.exponential(size=shape)
        return (p / p.sum(1, keepdims=True)).astype(np.float32)

    return draw


def classes(count: int, *shape: int) -> Draw:
    """Class indices."""
    return lambda rng: rng.integers(count, size=shape)


def signs(*shape: int) -> Draw:
    """-1 or 1."""
    return lambda rng: rng.choice([-1.0, 1.0], shape).astype(np.float32)


@dataclass(frozen=True)
class Function:
    """A function that both libraries have.

    Parameters
    ----------
    call : str
        Its name in ``nn.functional`` of both.
    inputs : tuple of Draw
        What it takes, in order.
    options : dict
        By keyword.
    gradients : tuple of int
        Which inputs get one.
    extremes : tuple of float
        What the first input has to stand as well; empty: only random inputs.
    sums : bool
        Whether results are sums of many terms: then errors are in units in the last place of the
        largest result, for a sum may be as near to 0 as it likes.
    peer : str
        PyTorch's name where it is another.
    """

    call: str
    inputs: tuple[Draw, ...] = (normal(4000, scale=3.0),)
    options: dict[str, Any] = field(default_factory=dict)
    gradients: tuple[int, ...] = (0,)
    extremes: tuple[float, ...] = EXTREMES + SPECIALS
    sums: bool = False
    peer: str = ""

    def converted(self, tensor: Callable[[np.ndarray], Any]) -> dict[str, Any]:
        """The options, arrays among them as tensors."""
        return {
            name: tensor(value) if isinstance(value, np.ndarray) else value
            for name, value in self.options.items()
        }

    def __str__(self) -> str:
        options = ", ".join(
            name if isinstance(value, np.ndarray) else f"{name}={value}"
            for name, value in self.options.items()
        )
        return f"{self.call}({options})" if options else self.call


def _loss(call: str, *inputs: Draw, **options: Any) -> list[Function]:
    """A loss of each reduction."""
    return [
        Function(call, inputs, {**options, "reduction": how}, extremes=EXTREMES, sums=how != "none")
        for how in ("mean", "sum", "none")
    ]


def _sum(call: str, *inputs: Draw, gradients: tuple[int, ...] = (0,), **options: Any) -> Function:
    return Function(call, inputs, options, gradients, extremes=(), sums=True)


IMAGES = normal(2, 6, 9, 11)
ROWS = normal(32, 50)
WEIGHTS = np.linspace(0.5, 2, 50, dtype=np.float32)  # of classes
FUNCTIONS = [
    *(Function(name) for name in ("relu", "relu6", "sigmoid", "tanh", "selu", "silu")),
    *(Function(name) for name in ("hardswish", "hardsigmoid", "gelu", "mish", "softplus")),
    *(Function(name) for name in ("hardtanh", "logsigmoid", "softsign")),
    Function("leaky_relu", options={"negative_slope": 0.2}),
    Function("elu", options={"alpha": 0.7}),
    Function("softplus", options={"beta": 2.0, "threshold": 10.0}),
    Function("gelu", options={"approximate": "tanh"}),
    Function("prelu", (normal(4, 3, 5, 7), normal(3)), gradients=(0, 1), sums=True),
    *(
        Function(name, (ROWS,), {"dim": 1}, extremes=EXTREMES)  # one special makes a row NaN
        for name in ("softmax", "log_softmax")
    ),
    *_loss("mse_loss", ROWS, ROWS),
    *_loss("l1_loss", ROWS, ROWS),
    *_loss("huber_loss", ROWS, ROWS, delta=0.7),
    *_loss("smooth_l1_loss", ROWS, ROWS, beta=0.7),
    *_loss("binary_cross_entropy_with_logits", ROWS, probabilities(32, 50)),
    *_loss("binary_cross_entropy_with_logits", ROWS, probabilities(32, 50), pos_weight=WEIGHTS),
    *_loss("hinge_embedding_loss", ROWS, signs(32, 50)),
    *_loss("cross_entropy", ROWS, classes(50, 32)),
    *_loss("cross_entropy", ROWS, classes(50, 32), weight=WEIGHTS, ignore_index=7),
    *_loss("cross_entropy", ROWS, distribution(32, 50), label_smoothing=0.1),
    *_loss("nll_loss", ROWS, classes(50, 32)),
    *_loss("kl_div", ROWS, distribution(32, 50)),
    *_loss("multi_margin_loss", ROWS, classes(50, 32)),
    *(
        Function(
            "binary_cross_entropy",
            (probabilities(32, 50), probabilities(32, 50)),
            {"reduction": how},
            extremes=(0.0, 1.0, 1e-30),
            sums=how != "none",
        )
        for how in ("mean", "none")
    ),
    _sum("conv2d", IMAGES, normal(8, 6, 3, 3), normal(8), gradients=(0, 1, 2), padding=1),
    _sum("conv2d", IMAGES, normal(8, 3, 3, 3), gradients=(0, 1), stride=2, groups=2),
    _sum("conv1d", normal(2, 6, 20), normal(8, 6, 3), normal(8), gradients=(0, 1, 2), padding=1),
    _sum("conv_transpose1d", normal(2, 6, 20), normal(6, 4, 3), gradients=(0, 1), stride=2),
    _sum("max_pool1d", normal(2, 6, 20), kernel_size=3, stride=2, padding=1),
    _sum("avg_pool1d", normal(2, 6, 20), kernel_size=3, stride=2, padding=1),
    _sum("adaptive_avg_pool1d", normal(2, 6, 20), output_size=7),
    _sum("adaptive_max_pool1d", normal(2, 6, 20), output_size=7),
    _sum("conv_transpose2d", IMAGES, normal(6, 4, 3, 3), normal(4), gradients=(0, 1, 2), stride=2),
    _sum("linear", ROWS, normal(20, 50), normal(20), gradients=(0, 1, 2)),
    _sum("max_pool2d", IMAGES, kernel_size=3, stride=2, padding=1),
    _sum("avg_pool2d", IMAGES, kernel_size=3, stride=2, padding=1),
    _sum("lp_pool2d", positive(2, 6, 9, 11), norm_type=2, kernel_size=3),
    _sum("adaptive_avg_pool2d", IMAGES, output_size=(4, 5)),
    _sum("adaptive_max_pool2d", IMAGES, output_size=(4, 5)),
    _sum("interpolate", IMAGES, scale_factor=2, mode="nearest"),
    _sum("interpolate", IMAGES, size=(13, 17), mode="bilinear", align_corners=False),
    _sum("interpolate", IMAGES, size=(13, 17), mode="bilinear", align_corners=True),
    _sum("pixel_shuffle", normal(2, 8, 3, 5), upscale_factor=2),
    _sum("pixel_unshuffle", normal(2, 3, 4, 6), downscale_factor=2),
    _sum("pad", IMAGES, pad=(1, 2, 3, 0), mode="reflect"),
    _sum("pad", IMAGES, pad=(1, 2, 3, 0), mode="replicate"),
    _sum("pad", IMAGES, pad=(1, 2, 3, 0), mode="circular"),
    _sum("unfold", IMAGES, kernel_size=3, padding=1),
    _sum("fold", normal(2, 27, 20), output_size=(6, 7), kernel_size=3),
    _sum("batch_norm", IMAGES, normal(6), positive(6), normal(6), normal(6), gradients=(0, 3, 4)),
    _sum(
        "batch_norm",
        IMAGES,
        normal(6),
        positive(6),
        normal(6),
        normal(6),
        gradients=(0, 3, 4),
        training=True,
    ),
    _sum("group_norm", IMAGES, num_groups=3),
    _sum("instance_norm", IMAGES),
    _sum("layer_norm", IMAGES, normalized_shape=(9, 11)),
    _sum("local_response_norm", IMAGES, size=5),
    _sum("local_response_norm", IMAGES, size=4, alpha=0.1, beta=0.6),
]

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.05, "lr_decay": 0.01}),
    ("Adadelta", {"lr": 0.5}),
    ("RMSprop", {"lr": 0.005}),
    ("RMSprop", {"lr": 0.005, "centered": True, "momentum": 0.9}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01}),
]


class Convolith:
    """Our side: arrays in, the result and the gradients out."""

    def __init__(self) -> None:
        from convolith import Tensor, nn, optim

        self.functional, self.optim, self.tensor, self.parameter = (
            nn.functional,
            optim,
            Tensor,
            nn.Parameter,
        )

    def run(self, f: Function, arrays: list[np.ndarray], dy: np.ndarray | None) -> list[np.ndarray]:
        """Forward, or given the gradient of the output those of the inputs."""
        inputs = [
            self.tensor(x.copy(), requires_grad=i in f.gradients) for i, x in enumerate(arrays)
        ]
        y = getattr(self.functional, f.call)(*inputs, **f.converted(self.tensor))
        if dy is None:
            return [y.numpy()]
        y.backward(self.tensor(dy))
        return [inputs[i].grad.numpy() for i in f.gradients]

    def trajectory(self, name: str, options: dict[str, Any], gradients: np.ndarray) -> np.ndarray:
        """A parameter of ones after steps along `gradients`."""
        w = self.parameter(np.ones(gradients.shape[1], np.float32))
        optimizer = getattr(self.optim, name)([w], **options)
        for g in gradients:
            w.grad = self.tensor(g.astype(np.float32))
            optimizer.step()
        return w.numpy()


class Torch:
    """PyTorch's side, in a dtype of its own."""

    def __init__(self, dtype: type) -> None:
        import torch

        self.torch, self.dtype = torch, dtype

    def tensor(self, x: np.ndarray) -> Any:
        """In our dtype, if floating."""
        return self.torch.from_numpy(x.astype(self.dtype) if x.dtype.kind == "f" else x)

    def run(self, f: Function, arrays: list[np.ndarray], dy: np.ndarray | None) -> list[np.ndarray]:
        """As `Convolith.run`."""
        inputs = [self.tensor(x) for x in arrays]
        for i in f.gradients:
            inputs[i].requires_grad_()
        y = getattr(self.torch.nn.functional, f.peer or f.call)(*inputs, **f.converted(self.tensor))
        if dy is None:
            return [y.detach().numpy()]
        y.backward(self.tensor(dy))
        return [inputs[i].grad.numpy() for i in f.gradients]

    def trajectory(self, name: str, options: dict[str, Any], gradients: np.ndarray) -> np.ndarray:
        """As `Convolith.trajectory`."""
        w = self.torch.nn.Parameter(self.tensor(np.ones(gradients.shape[1])))
        optimizer = getattr(self.torch.optim, name)([w], **options)
        for g in gradients:
            w.grad = self.tensor(g)
            optimizer.step()
        return w.detach().numpy()


def distance(values: np.ndarray, exact: np.ndarray, sums: bool, slack: Any) -> np.ndarray:
    """From the float64 values, in units in the last place of their float32 or of their largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(np.float32)
        finite = np.abs(rounded[np.isfinite(rounded)])
        unit = np.spacing(finite.max(initial=0)) if sums else np.spacing(np.abs(rounded))
        off = np.maximum(np.abs(values.astype(np.float64) - exact) - slack, 0) / unit
    same = np.isnan(values) & np.isnan(exact)
    same |= np.isinf(values) & (values == rounded)
    return np.where(same, 0, np.where(np.isnan(off), np.inf, off))


def row(
    name: str,
    direction: str,
    inputs: str,
    results: Sequence[Any],
    sums: bool,
    x: np.ndarray | None = None,
    at_limit: np.ndarray | None = None,
) -> Row:
    """Ours, PyTorch's and the exact values as a row.

    Elements that `x` made one by one PyTorch knows to float64's epsilon of x, until the function is
    at its limit. For infinite ones it may have NaN where it multiplies 0 by infinity; ours is then
    compared with `at_limit`, what PyTorch has at a large number of the same sign.
    """
    ours, peer, exact = (np.atleast_1d(r) for r in results)
    limits = np.zeros(ours.shape, bool)
    slack: Any = 0.0
    if x is not None and x.shape == exact.shape:
        limits = np.isinf(x) & np.isnan(exact) & ~np.isnan(ours)
        slack = np.where(np.abs(x) < SATURATED, SLACK * np.abs(x), 0)
    if at_limit is not None:
        peer, exact = (np.where(limits, at_limit, r) for r in (peer, exact))
    off, peer_off = (distance(r, exact, sums, slack) for r in (ours, peer))
    # Where PyTorch in float32 has another special value than in float64 either will do.
    alike = (np.isnan(ours) & np.isnan(peer)) | (ours == peer)
    finite = peer_off[np.isfinite(peer_off)].max(initial=0)
    wrong = ~alike & ~(off <= max(ULPS, FACTOR * finite))
    known = np.where(alike & ~np.isfinite(off), 0, off)
    return {
        "name": name,
        "direction": direction,
        "inputs": inputs,
        "agrees": not wrong.any(),
        "error": float(np.nan_to_num(known, posinf=1e30).max(initial=0)),
        "peer_error": float(finite),
        "unit": "ulp",
        "ratio": float(finite / known.max()) if np.isfinite(known).all() and known.any() else None,
        "disagreements": int(wrong.sum()),
        "limits": int(limits.sum()),
    }


def compare(args: argparse.Namespace, about: dict[str, Any]) -> Iterator[Row]:
    """A row per function, direction and kind of inputs; a disagreement is a fault."""
    for each in rows():
        if not each["agrees"]:
            what = f"{each['name']} {each['direction']} {each['inputs']}"
            about.setdefault("faults", {})[what] = f"{each['disagreements']} numbers disagree"
        yield each


def rows() -> Iterator[Row]:
    """All of them."""
    ours, peer, exact = Convolith(), Torch(np.float32), Torch(np.float64)
    libraries = (ours, peer, exact)
    for f in FUNCTIONS:
        rng = np.random.default_rng(0)
        drawn = [draw(rng) for draw in f.inputs]
        kinds = {"random": drawn}
        if f.extremes:
            extreme = np.resize(np.float32(f.extremes), drawn[0].shape)
            kinds["extreme"] = [extreme, *drawn[1:]]
        for kind, arrays in kinds.items():
            x = None if f.sums else arrays[0]
            infinite = x is not None and np.isinf(x).any()
            large = [np.clip(arrays[0], -LARGE, LARGE), *arrays[1:]]
            results = [library.run(f, arrays, None)[0] for library in libraries]
            at_limit = exact.run(f, large, None)[0] if infinite else None
            yield row(str(f), "fwd", kind, results, f.sums, x, at_limit)
            dy = rng.standard_normal(results[0].shape).astype(np.float32)
            gradients = zip(*[library.run(f, arrays, dy) for library in libraries], strict=True)
            at_limits = exact.run(f, large, dy) if infinite else [None] * len(f.gradients)
            for i, each, at_limit in zip(f.gradients, gradients, at_limits, strict=True):
                direction = f"bwd_{i}" if len(f.gradients) > 1 else "bwd"
                yield row(str(f), direction, kind, each, f.sums, x, at_limit)
    gradients = np.random.default_rng(0).standard_normal((STEPS, 1000))
    for name, options in OPTIMIZERS:
        results = [library.trajectory(name, options, gradients) for library in libraries]
        shown = ", ".join(f"{key}={value}" for key, value in options.items())
        yield row(f"{name}({shown})", f"{STEPS} steps", "random", tuple(results), True)


def add_arguments(job: argparse.ArgumentParser) -> None:
    """Nothing beyond what all comparisons take."""
