"""A network as a graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from convolith import nn
from convolith.models.trace import Input, Step, trace
from convolith.train.files import write_atomically

_SOURCE = (".gv", ".dot")
_DRAWN = (".svg", ".png", ".pdf")
_LOOK = {"style": "rounded", "fontname": "sans-serif", "fontsize": "10"}


def architecture(model: nn.Module, input: Input, path: str | os.PathLike[str] | None = None) -> Any:
    """Draw what a network is made of: layers with the shape of their output, and what flows where.

    A function that joins layers, such as the sum behind a shortcut, is a node of its own.

    Parameters
    ----------
    model : Module
        Run once in evaluation mode, and left as it was.
    input : tuple of int, Tensor or array
        (N, C, H, W), or what has this shape.
    path : path, optional
        Where to write it: .gv is Graphviz's text; .svg, .png and .pdf need its program dot.

    Returns
    -------
    graphviz.Digraph
        A notebook shows it, and `source` is its text.

    Raises
    ------
    ValueError
        If the file is none of these, or the input does not fit.
    ImportError
        If the library graphviz is missing.
    RuntimeError
        If the program dot is missing.
    """
    graphviz = _graphviz()
    graph = graphviz.Digraph(node_attr=_LOOK, edge_attr={"arrowsize": "0.6"})
    steps = trace(model, input)
    numbers = {step: str(number) for number, step in enumerate(steps)}
    for step in steps:
        shape = "ellipse" if step.module is None else "box"
        graph.node(numbers[step], _label(step), shape=shape)
        for source in step.sources:
            graph.edge(numbers[source], numbers[step])
    if path is not None:
        write_atomically(path, _drawn(graphviz, graph, Path(path)))
    return graph


def _graphviz() -> Any:
    try:
        import graphviz
    except ImportError as error:
        raise ImportError('graphs need graphviz: pip install "convolith[graph]"') from error
    return graphviz


def _label(step: Step) -> str:
    shapes = ["x".join(map(str, shape)) for shape in step.outputs]
    return r"\n".join(filter(None, [step.kind, step.name, *shapes]))


def _drawn(graphviz: Any, graph: Any, path: Path) -> bytes:
    """What goes to the file."""
    suffix = path.suffix.lower()
    if suffix in _SOURCE:
        return str(graph.source).encode()
    if suffix not in _DRAWN:
        expected = ", ".join(_DRAWN + _SOURCE)
        raise ValueError(f"architecture: {path} ends in {suffix!r}, expected one of {expected}")
    try:
        return bytes(graph.pipe(format=suffix[1:]))
    except graphviz.ExecutableNotFound as error:
        raise RuntimeError(
            f"architecture: {suffix} needs the program dot: install Graphviz "
            f"(apt install graphviz), or write {path.with_suffix('.gv')}"
        ) from error
