"""ONNX: networks of other libraries read and run, and ours written for other runtimes.

`load` makes a module of an ONNX file, and `export` a file of a module. `Backend` and `prepare` are
onnx's own interface to the former.
"""

try:
    import onnx  # noqa: F401
except ImportError as error:
    raise ImportError('ONNX files need onnx: pip install "convolith[onnx]"') from error

from convolith.onnx.backend import Backend, prepare
from convolith.onnx.export import export
from convolith.onnx.graph import Graph
from convolith.onnx.load import load

__all__ = ["Backend", "Graph", "export", "load", "prepare"]
