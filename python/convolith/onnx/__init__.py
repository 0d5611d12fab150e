"""ONNX: networks of other libraries, read and run.

`load` makes a module of an ONNX file; `Backend` and `prepare` are onnx's own interface to that.
"""

try:
    import onnx  # noqa: F401
except ImportError as error:
    raise ImportError("convolith.onnx needs onnx: pip install onnx") from error

from convolith.onnx.backend import Backend, prepare
from convolith.onnx.graph import Graph
from convolith.onnx.load import load

__all__ = ["Backend", "Graph", "load", "prepare"]
