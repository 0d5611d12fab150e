"""Invalid input: what is passed, which error comes, which words must be in it."""

# Each adds its rows.
from invalid import (  # noqa: F401
    activation,
    arithmetic,
    batch_norm,
    conv2d,
    dropout,
    linear,
    loss,
    optimizer,
    pool2d,
    scale,
    shape,
    softmax,
)
from invalid.table import I64, INVALID, Invalid, a

__all__ = ["I64", "INVALID", "Invalid", "a"]
