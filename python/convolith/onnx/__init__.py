"""ONNX: networks written to files that other runtimes read."""

from convolith.onnx.export import export

__all__ = ["export"]
