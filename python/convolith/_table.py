"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """A line for each row; `sides` has a letter for each column: l, or r for numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    columns = list(zip(widths, sides, strict=True))
    return [
        "  ".join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, (width, side) in zip(row, columns, strict=True)
        ).rstrip()
        for row in rows
    ]
