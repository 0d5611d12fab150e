"""How Sphinx builds these pages: ``pip install '.[docs]' && sphinx-build -W docs build/docs``."""

import re
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


def _escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text: (N, C, *) begins no emphasis, |x| is no substitution."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split("(`[^`]*`)", line)  # code stays as it is
            parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
            lines[i] = "".join(parts)


def _draw(app: Any) -> None:
    import pictures

    pictures.draw(Path(app.srcdir) / "_pictures")


def setup(app: Any) -> None:
    """Pictures are drawn before the pages are read."""
    app.connect("autodoc-process-docstring", _escape, priority=400)  # before numpydoc's
    app.connect("builder-inited", _draw)
