"""Checks of gradients: primitive -> functions, points and their backward, a file per family."""

# Each adds its own.
from gradients import (  # noqa: F401
    activation,
    arithmetic,
    conv2d,
    dropout,
    loss,
    norm,
    pool2d,
    shape,
)
from gradients.table import CHECKS, central_differences

__all__ = ["CHECKS", "central_differences"]
