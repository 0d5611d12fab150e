"""ONNX's operators in terms of `convolith.nn.functional`, each a function of its node and inputs.

Floats are tensors on the tape; integers and truth values are NumPy arrays, which shapes are
computed with. `OPERATORS` is the table.
"""

from convolith.onnx.operators import (  # noqa: F401  (each fills the table)
    activation,
    arithmetic,
    conv,
    linear,
    logic,
    normalization,
    pooling,
    reduction,
    resample,
    select,
    shape,
    sources,
)
from convolith.onnx.operators.table import OPERATORS, Node, Operator

__all__ = ["OPERATORS", "Node", "Operator"]
