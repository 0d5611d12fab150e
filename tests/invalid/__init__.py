"""Invalid input: what is passed, which error comes, which words must be in it."""

# Each adds its rows.
from invalid import (  # noqa: F401
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
from invalid.table import I64, INVALID, Invalid, a

__all__ = ["I64", "INVALID", "Invalid", "a"]
