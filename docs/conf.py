"""How Sphinx builds these pages: ``pip install '.[docs]' && sphinx-build -W docs build/docs``."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

project = "convolith"
copyright = "convolith's authors, Apache-2.0"
release = version = version_of("convolith")

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
default_role = "code"

myst_enable_extensions = ["dollarmath", "amsmath"]
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository

autodoc_typehints = "none"  # the docstrings say more
autosummary_generate = True
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"convolith {release}"


def _escape_stars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A shape (N, C, *) begins no emphasis."""
    lines[:] = [line.replace(", *)", ", \\*)") for line in lines]


def _draw(app: Any) -> None:
    import pictures

    pictures.draw(Path(app.srcdir) / "_pictures")


def setup(app: Any) -> None:
    """Pictures are drawn before the pages are read."""
    app.connect("autodoc-process-docstring", _escape_stars)
    app.connect("builder-inited", _draw)
