"""Pictures show what the reference computes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from convolith import reference
from convolith.reference.elementwise import ACTIVATIONS
from convolith.viz import activation_functions
from tolerance import rounding, tolerance

pytest.importorskip("matplotlib")


def test_every_activation_has_a_panel() -> None:
    figure = activation_functions()
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert titles == ACTIVATIONS


def test_lines_are_function_and_derivative(tmp_path: Path) -> None:
    names = ["softsign", "gelu", "elu"]
    figure = activation_functions(names, tmp_path / "some.png")
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")
    for axes, name in zip(figure.axes, names, strict=False):
        function, derivative = (line.get_xydata() for line in axes.lines[2:])
        x = function[:, 0]
        assert (x[0], x[-1]) == (-7, 7)
        slopes = getattr(reference, f"{name}_backward")(np.ones_like(x), x)
        expected = (getattr(reference, f"{name}_forward")(x), slopes)
        for line, values in zip((function, derivative), expected, strict=True):
            np.testing.assert_array_equal(line[:, 0], x)
            allowed = tolerance(rounding(np.float64), 1, 1 + np.abs(values))
            assert np.all(np.abs(line[:, 1] - values) <= allowed)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="activation_functions: got 'rely', expected some of relu"):
        activation_functions(["relu", "rely"])
    with pytest.raises(ValueError, match="activation_functions: got no name"):
        activation_functions([])


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"activation functions need matplotlib: pip install"):
        activation_functions(["relu"])
