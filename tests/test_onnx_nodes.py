"""onnx's own tests of single operators, for every operator that stands in our table."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

onnx = pytest.importorskip("onnx")
from onnx import AttributeProto, GraphProto, TensorProto, numpy_helper  # noqa: E402
from onnx.backend.test.loader import load_model_tests  # noqa: E402
from onnx.backend.test.runner import Runner  # noqa: E402

from convolith.onnx import Backend  # noqa: E402
from convolith.onnx.operators import OPERATORS  # noqa: E402

# What the cases ask for beyond what is supported; each is seen to fail.
EXCLUDED = {
    r"(averagepool|lppool|maxpool|convtranspose)_3d": "windows over volumes",
    r"cast(like)?_.*(FLOAT[48]E|INT[24](_|$))": "numbers of less than 16 bits, but int8 and uint8",
    r"training_dropout(?!.*zero_ratio)": "which elements are dropped is up to the generator",
    r"identity_(sequence|opt)": "values that are no tensors",
    r"equal_string": "text",
    r"lppool_2d_dilations": "norms of windows with gaps",
    r"maxpool_2d_uint8": "images of integers",
    r"not_\dd": "their models declare opset 1",
    r"resize_.*cubic": "cubic interpolation",
    r"resize_.*nearest": "nearest by other rules than asymmetric and floor",
    r"resize_tf_crop_and_resize": "regions",
    r"resize_.*antialias": "anti-aliasing",
    r"resize_.*half_pixel_symmetric": "another way to read positions",
    r"resize_downsample_sizes_linear_pytorch_half_pixel": "a single column, read at its border",
    r"resize_downsample_scales_linear_align_corners": "corners beyond the last whole column",
}


def operators(graph: GraphProto) -> Iterator[str]:
    """The operators of a graph and of those inside it."""
    for node in graph.node:
        yield node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from operators(attribute.g)


def cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx computes what it expects, infinities too
        found = load_model_tests(kind="node")
    found = [case for case in found if case.model is not None]  # older releases have them in files
    return [case for case in found if set(operators(case.model.graph)) <= set(OPERATORS)]


def excluded(case: Any) -> bool:
    return any(re.match(f"test_{pattern}", case.name) for pattern in EXCLUDED)


def run(case: Any) -> None:
    """As onnx's runner does; raises if an output is not what it should be."""
    prepared = Backend.prepare(case.model)
    for inputs, expected in case.data_sets:
        given, wanted = (
            [numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for v in values]
            for values in (inputs, expected)
        )
        Runner.assert_similar_outputs(wanted, prepared.run(given), case.rtol, case.atol)


CASES = cases()
if not CASES:
    pytest.skip("this onnx does not make its cases in memory", allow_module_level=True)


def name(case: Any) -> str:
    return str(case.name)


@pytest.mark.parametrize("case", [c for c in CASES if not excluded(c)], ids=name)
def test_node(case: Any) -> None:
    run(case)


@pytest.mark.parametrize("case", [c for c in CASES if excluded(c)], ids=name)
def test_what_is_excluded_fails(case: Any) -> None:
    with pytest.raises((ValueError, TypeError, AssertionError)):
        run(case)


@pytest.mark.parametrize("pattern", EXCLUDED)
def test_what_is_excluded_is_there(pattern: str) -> None:
    assert any(re.match(f"test_{pattern}", case.name) for case in CASES)


def test_most_operators_have_cases() -> None:
    tested = {op for case in CASES if not excluded(case) for op in operators(case.model.graph)}
    assert sorted(set(OPERATORS) - tested) == ["GlobalLpPool", "Not"]  # see test_onnx_load
