"""Draws the pictures of these pages, by convolith itself."""

from __future__ import annotations

from pathlib import Path

from convolith import filters, viz


def draw(folder: Path) -> None:
    """Every picture, as SVG."""
    folder.mkdir(exist_ok=True)
    viz.activation_functions(path=folder / "activations.png")
    viz.filter_bank(filters.leung_malik_bank(), path=folder / "filters.png")
