"""Every primitive x case x backend x dtype, against the reference."""

from __future__ import annotations

import ast
import functools
import inspect
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cases import CASES, Case
from conftest import Backend, backends, devices
from convolith import _C, emu, reference
from convolith.device import bfloat16, is_array
from tolerance import (
    TF32_ROUNDING,
    is_half,
    magnitudes,
    rounded_to,
    rounding,
    smallest_normal,
    tolerance,
)

CPU_CASES = [
    pytest.param(primitive, case, id=f"{primitive}-{case.name}")
    for primitive, cases in sorted(CASES.items())
    for case in cases
    if case.algo in Backend("cpu").algorithms
]
SENTINEL = 42
# Float32 beside halves.
WIDE = {
    "batch_norm": ("weight", "bias", "running_mean", "running_var", "mean", "invstd"),
    "group_norm": ("weight", "bias", "mean", "invstd"),
    "instance_norm": ("weight", "bias", "running_mean", "running_var", "mean", "invstd"),
    "layer_norm": ("weight", "bias", "mean", "invstd"),
    "prelu": ("weight",),
    "scale": ("factor", "found_inf"),
}
CHECKED_ELEMENTS = 20_000  # larger cases take too long in the checked emulation
# What has kernels for halves alone, so that they are checked, too; of all others those for floats
# stand for them.
CHECKED_HALVES = ("tensor_core", "mma", "wgmma")
Convert = Callable[[np.ndarray], np.ndarray]


def each_array(value: Any, convert: Convert) -> Any:
    """An argument with every array converted, those in a list too."""
    if isinstance(value, np.ndarray):
        return convert(value)
    return [each_array(v, convert) for v in value] if isinstance(value, list) else value


def arrays_in(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if is_array(v)]


def results_of(result: Any) -> list[np.ndarray]:
    if result is None:
        return []
    return list(result) if isinstance(result, (tuple, list)) else [result]


class Problem:
    """A case with its arguments and what the reference makes of them.

    Arguments of a half are float32 arrays with its values; what comes back is compared as float32.
    """

    def __init__(self, primitive: str, case: Case, dtype: Any) -> None:
        rng = np.random.default_rng(zlib.crc32(f"{primitive} {case.name}".encode()))
        self.name, self.case, self.dtype = primitive, case, dtype
        self.reference = getattr(reference, primitive)
        args, kwargs = case.build(rng, np.float32 if dtype is bfloat16 else dtype)
        self.bound = inspect.signature(self.reference).bind(*args, **kwargs)
        self.bound.apply_defaults()
        if is_half(dtype):
            for name, value in self.bound.arguments.items():
                self.bound.arguments[name] = each_array(value, self.rounded)
        self.expected = self.run(self.reference, self.bound.arguments)
        scale = magnitudes(self.reference, self.bound, self.expected, case.length, self.run)
        self.compared = np.float32 if is_half(dtype) else dtype
        rounds = case.algo in ("tensor_core", "mma") and dtype is np.float32
        inputs = TF32_ROUNDING if rounds else 0
        if is_half(dtype):
            inputs = rounding(dtype)  # of the result
        self.tolerances = [
            tolerance(rounding(self.compared), case.length, m, inputs) for m in scale
        ]

    def rounded(self, values: np.ndarray) -> np.ndarray:
        return rounded_to(values, self.dtype) if values.dtype.kind == "f" else values

    def arguments(self, convert: Convert = np.copy) -> dict[str, Any]:
        """Fresh arguments; what is updated in place stays contiguous."""
        return {
            name: each_array(value, np.copy if name in self.case.in_place else convert)
            for name, value in self.bound.arguments.items()
        }

    def arguments_on(self, backend: Backend) -> dict[str, Any]:
        """Fresh arguments on its device."""
        wide = WIDE.get(self.name.rsplit("_", 1)[0], ())
        return {
            name: backend.put(value, None if name in wide else self.dtype)
            for name, value in self.arguments().items()
        }

    def run(self, function: Callable[..., Any], arguments: Any, **more: Any) -> list[np.ndarray]:
        """The results, and after them whatever was updated in place."""
        arguments = {name: each_array(value, np.copy) for name, value in arguments.items()}
        return self.call(function, {**arguments, **more})

    def call(self, function: Callable[..., Any], arguments: dict[str, Any]) -> list[np.ndarray]:
        positional, keyword = [], {}
        for name, parameter in inspect.signature(self.reference).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                keyword[name] = arguments[name]
            else:
                positional.append(arguments[name])
        updated = [arguments[name] for name in self.case.in_place]
        return results_of(function(*positional, **keyword)) + updated


@functools.cache
def problem(primitive: str, case: Case, dtype: Any) -> Problem:
    return Problem(primitive, case, dtype)


def assert_same_bits(actual: list[np.ndarray], expected: list[np.ndarray], what: str) -> None:
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape, what
        assert a.dtype == b.dtype, what
        nan = np.isnan(b)  # any NaN is as good as another
        np.testing.assert_array_equal(np.isnan(a), nan, err_msg=what)
        assert np.where(nan, 0, a).tobytes() == np.where(nan, 0, b).tobytes(), what


def assert_matches_reference(actual: list[np.ndarray], p: Problem) -> None:
    assert len(actual) == len(p.expected)
    for a, b, allowed in zip(actual, p.expected, p.tolerances, strict=True):
        assert type(a) is np.ndarray
        assert a.shape == b.shape
        assert a.dtype == (b.dtype if b.dtype.kind in "iu" else p.compared)
        if p.case.exact and (b.dtype == np.int64 or not is_half(p.dtype)):
            np.testing.assert_array_equal(a, b.astype(a.dtype))
            continue
        if p.case.exact:  # integers need not be numbers of a half
            allowed = rounding(p.dtype) * np.abs(b)
        rounded = rounded_to(b, p.dtype).astype(np.float64)  # infinite where the dtype overflows
        finite = np.isfinite(rounded)
        np.testing.assert_array_equal(np.where(finite, 0, a), np.where(finite, 0, rounded))
        error = np.abs(np.where(finite, a, 0) - np.where(finite, rounded, 0))
        excess = error - smallest_normal(p.dtype) - np.where(finite, allowed, 0)
        assert np.all(excess <= 0), f"{np.max(error)} off, {np.max(allowed)} allowed"


def strided(a: np.ndarray) -> np.ndarray:
    """The same values at every other position of a larger array."""
    larger = np.full([2 * n + 1 for n in a.shape], SENTINEL, dtype=a.dtype)
    view = larger[(..., *(slice(0, 2 * n, 2) for n in a.shape))]
    view[...] = a
    return view


def transposed(a: np.ndarray) -> np.ndarray:
    """The same values with the first axis fastest."""
    return np.copy(a, order="F")


class Guarded:
    """A contiguous output in the middle of a buffer of sentinels, aligned to one element only."""

    before, after = 67, 64

    def __init__(self, like: np.ndarray) -> None:
        self.buffer = np.full(self.before + like.size + self.after, SENTINEL, dtype=like.dtype)
        self.out = self.buffer[self.before : self.before + like.size].reshape(like.shape)

    def is_intact(self) -> bool:
        around = (self.buffer[: self.before], self.buffer[self.before + self.out.size :])
        return all(bool(np.all(part == SENTINEL)) for part in around)


def as_out(p: Problem, arrays: list[Any]) -> Any:
    """What `out` takes: an array, or a tuple of several."""
    return arrays[0] if len(arrays) == 1 and p.name != "concat_backward" else tuple(arrays)


def check_out(p: Problem, compiled: Callable[..., Any], first: list[np.ndarray]) -> None:
    guarded = [Guarded(a) for a in first[: len(first) - len(p.case.in_place)]]
    out = as_out(p, [g.out for g in guarded])
    results = p.call(compiled, {**p.arguments(), "out": out})
    for result, g in zip(results, guarded, strict=False):
        assert result is g.out
        assert g.is_intact(), "memory beside out was written"
    assert_same_bits(results, first, "with out=")


def check_first(
    p: Problem, backend: Backend, compiled: Callable[..., Any]
) -> tuple[dict[str, Any], list[Any], list[np.ndarray]]:
    """One run, against the reference: its arguments, and its results there and as NumPy's."""
    arguments = p.arguments_on(backend)
    results = p.call(compiled, arguments)
    first = [backend.get(a).copy() for a in results]
    assert_matches_reference(first, p)
    for name, value in p.bound.arguments.items():
        if name not in p.case.in_place:
            after = [backend.get(a) for a in arrays_in(arguments[name])]
            assert_same_bits(after, arrays_in(value), f"{name} has changed")
    return arguments, results, first


def check_cpu(p: Problem, backend: Backend) -> None:
    compiled = getattr(_C, p.name)
    _C.set_num_threads(1)
    arguments, _, first = check_first(p, backend, compiled)
    if "out" in arguments:
        check_out(p, compiled, first)
    for convert in (strided, transposed):
        assert_same_bits(p.call(compiled, p.arguments(convert)), first, convert.__name__)
    for threads in (2, 3):
        _C.set_num_threads(threads)
        assert_same_bits(p.call(compiled, p.arguments()), first, f"{threads} threads")
    cache = _C.last_level_cache()
    try:
        _C.set_last_level_cache(1)
        assert_same_bits(p.call(compiled, p.arguments()), first, "larger than the cache")
    finally:
        _C.set_last_level_cache(cache)


def check_device(p: Problem, backend: Backend) -> None:
    compiled = getattr(_C, p.name)
    arguments, there, first = check_first(p, backend, compiled)
    if "out" in arguments:
        count = len(first) - len(p.case.in_place)
        filled = [
            backend.put(np.full_like(a, SENTINEL), like.dtype)
            for a, like in zip(first[:count], there, strict=False)
        ]
        results = p.call(compiled, {**p.arguments_on(backend), "out": as_out(p, filled)})
        assert all(result is out for result, out in zip(results, filled, strict=False))
        assert_same_bits([backend.get(a) for a in results], first, "with out=")
    if backend.device == "emu":
        check_emulated(p, backend, first)


def check_emulated(p: Problem, backend: Backend, first: list[np.ndarray]) -> None:
    """The order of threads makes no difference, and the checked build finds no fault.

    Most kernels for halves differ in their loads and stores alone: one order does, and no checks.
    """
    compiled = getattr(_C, p.name)

    def again() -> list[np.ndarray]:
        return [backend.get(a) for a in p.call(compiled, p.arguments_on(backend))]

    for order in ("random",) if is_half(p.dtype) else ("backward", "random"):
        with emu.order(order, seed=zlib.crc32(p.case.name.encode())):
            assert_same_bits(again(), first, f"threads in {order} order")
    elements = sum(a.size for v in p.bound.arguments.values() for a in arrays_in(v))
    if elements <= CHECKED_ELEMENTS and (not is_half(p.dtype) or p.case.algo in CHECKED_HALVES):
        with emu.checked():
            assert_same_bits(again(), first, "checked")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Rows of `test_primitive`: a case on every backend and dtype that has its algorithm."""
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", devices(metafunc.config))
    if metafunc.function is not test_primitive:
        return
    rows = [
        pytest.param(
            primitive, case, backend, dtype, id=f"{backend}-{primitive}-{case.name}-{name}"
        )
        for primitive, cases in sorted(CASES.items())
        for case in cases
        for backend in backends(metafunc.config)
        if case.devices or backend.device == "cpu"
        for name, dtype in backend.dtypes.items()
        if case.algo in backend.algorithms and (case.halves if is_half(dtype) else case.floats)
    ]
    metafunc.parametrize(("primitive", "case", "backend", "dtype"), rows, indirect=["backend"])


def test_primitive(primitive: str, case: Case, backend: Backend, dtype: Any) -> None:
    p = problem(primitive, case, dtype)
    if backend.device == "cpu":
        check_cpu(p, backend)
    else:
        check_device(p, backend)


@pytest.mark.skipif(
    not {"avx2", "avx512"} <= set(_C.available_isas()), reason="this CPU does not have both"
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize(("primitive", "case"), CPU_CASES)
def test_avx2_and_avx512_give_the_same_bits(primitive: str, case: Case, dtype: type) -> None:
    p = problem(primitive, case, dtype)
    _C.set_isa("avx2")
    avx2 = p.call(getattr(_C, primitive), p.arguments())
    _C.set_isa("avx512")
    avx512 = p.call(getattr(_C, primitive), p.arguments())
    assert_same_bits(avx512, avx2, "avx2 and avx512 differ")


def test_what_devices_lack_they_say(device: str) -> None:
    """A kernel of the CPU alone is an explicit null elsewhere."""
    for primitive, cases in CASES.items():
        p = problem(primitive, cases[0], np.float32)
        if not cases[0].devices:
            with pytest.raises(ValueError, match=f"there is no {device} kernel"):
                p.call(getattr(_C, primitive), p.arguments_on(Backend(device)))


def compiled_signature(primitive: str) -> inspect.Signature:
    """pybind11 writes it as the first line of the docstring."""
    first_line = getattr(_C, primitive).__doc__.splitlines()[0]
    function = ast.parse(f"def {first_line}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    a = function.args
    positional = [None] * (len(a.args) - len(a.defaults)) + list(a.defaults)
    parameters = [
        inspect.Parameter(
            arg.arg, kind, default=ast.literal_eval(default) if default else inspect.Parameter.empty
        )
        for kind, args, defaults in (
            (inspect.Parameter.POSITIONAL_OR_KEYWORD, a.args, positional),
            (inspect.Parameter.KEYWORD_ONLY, a.kwonlyargs, a.kw_defaults),
        )
        for arg, default in zip(args, defaults, strict=True)
    ]
    return inspect.Signature(parameters)


@pytest.mark.parametrize("primitive", reference.__all__)
def test_signature_is_the_references(primitive: str) -> None:
    expected = inspect.signature(getattr(reference, primitive))
    parameters = [p.replace(annotation=p.empty) for p in expected.parameters.values()]
    assert compiled_signature(primitive) == inspect.Signature(parameters)


def test_reference_and_compiled_have_the_same_primitives() -> None:
    directions = ("_forward", "_step")
    compiled = {n for n in dir(_C) if n.endswith(directions) or "_backward" in n}
    assert compiled == set(reference.__all__)


def test_every_primitive_has_a_case() -> None:
    assert set(CASES) == set(reference.__all__)


def test_case_names_are_unique() -> None:
    for primitive, cases in CASES.items():
        names = [case.name for case in cases]
        assert len(set(names)) == len(names), primitive
