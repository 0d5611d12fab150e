"""The table: primitive -> named cases, one file per family.

A row is a problem; the primitives that share it (forward, each gradient) are its columns. Sizes are
mostly odd: whatever is no multiple of a vector, a tile or a block goes through every tail.
"""

# Each adds its rows.
from cases import (  # noqa: F401
    activation,
    arithmetic,
    batch_norm,
    conv2d,
    dropout,
    linear,
    optimizer,
    pool2d,
    scale,
    shape,
    softmax,
)
from cases.table import CASES, Case

__all__ = ["CASES", "Case"]
