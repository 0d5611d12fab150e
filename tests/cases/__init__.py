"""The table: primitive -> named cases, one file per family.

A row is a problem; the primitives that share it (forward, each gradient) are its columns. Sizes are
mostly odd: whatever is no multiple of a vector, a tile or a block goes through every tail.
"""

# Each adds its rows.
from cases import (  # noqa: F401
    activation,
    arithmetic,
    augment,
    batch_norm,
    clip,
    conv2d,
    conv_transpose2d,
    dropout,
    group_norm,
    linear,
    local_response_norm,
    loss,
    optimizer,
    patches,
    pool2d,
    resample,
    scale,
    shape,
    softmax,
)
from cases.table import CASES, Case

__all__ = ["CASES", "Case"]
