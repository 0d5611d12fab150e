"""What each function becomes: a table of small functions that append nodes.

An exporter has the arguments of the function's ``forward``, with the graph in the place of ctx and
a `Value` in that of every array; it returns the name of the first output, which may be that of an
input.
"""

from __future__ import annotations

from collections.abc import Callable

from convolith.amp import Scale
from convolith.nn.functional.class_loss import ClampedLog, CrossEntropy
from convolith.nn.functional.dropout import AlphaDropout, Dropout, DropoutSlices
from convolith.nn.functional.loss import Loss, RootMeanSquare, SymmetricLoss
from convolith.nn.functional.pooling import MaxUnpool2d
from convolith.onnx.exporters import (
    activation,
    arithmetic,
    convolution,
    normalization,
    patches,
    pooling,
    resample,
    shape,
)
from convolith.onnx.operators.numpys import Elementwise, Take
from convolith.tensor import Function

Exporter = Callable[..., str]

EXPORTERS: dict[type[Function], Exporter] = {
    **convolution.EXPORTERS,
    **pooling.EXPORTERS,
    **normalization.EXPORTERS,
    **activation.EXPORTERS,
    **arithmetic.EXPORTERS,
    **shape.EXPORTERS,
    **patches.EXPORTERS,
    **resample.EXPORTERS,
}

_LOSS = "losses belong to training"
_NUMPY = "NumPy computes it for a network that came from an ONNX file: use that file"
_RANDOM = "its numbers are random; in evaluation a layer leaves them out"

# What is not exported, and why.
REFUSED: dict[type[Function], str] = {
    Loss: _LOSS,
    SymmetricLoss: _LOSS,
    RootMeanSquare: _LOSS,
    CrossEntropy: _LOSS,
    ClampedLog: _LOSS,
    Scale: _LOSS,
    Dropout: _RANDOM,
    AlphaDropout: _RANDOM,
    DropoutSlices: _RANDOM,
    Elementwise: _NUMPY,
    Take: _NUMPY,
    MaxUnpool2d: "ONNX counts the indices of a maximum over the whole batch",
}
