"""onnx's own interface to what runs models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.backend import base

from convolith.device import devices
from convolith.onnx.graph import Graph
from convolith.onnx.load import load
from convolith.tensor import Tensor, no_grad

Arrays = tuple[npt.NDArray[Any], ...]


class Prepared(base.BackendRep):
    """A model that is ready to run, in evaluation mode.

    Attributes
    ----------
    graph : Graph
    """

    def __init__(self, model: onnx.ModelProto, device: str) -> None:
        self.graph: Graph = load(model).to(device)
        self._device = device
        types = (value.type.tensor_type.elem_type for value in model.graph.output)
        self._dtypes = [onnx.helper.tensor_dtype_to_np_dtype(t) if t else None for t in types]

    def run(self, inputs: Any, **kwargs: Any) -> Arrays:
        """The outputs, of the types that the model declares.

        Parameters
        ----------
        inputs : sequence of array, or array if there is one input

        Returns
        -------
        tuple of array
        """
        given = [inputs] if isinstance(inputs, np.ndarray) else inputs
        with no_grad():
            outputs = self.graph(*(self._moved(np.asarray(x)) for x in given))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        arrays = [np.asarray(y.numpy()) for y in outputs]
        return tuple(
            y if dtype is None else y.astype(dtype, copy=False)
            for y, dtype in zip(arrays, self._dtypes, strict=True)
        )

    def _moved(self, x: npt.NDArray[Any]) -> Any:
        return Tensor(x).to(self._device) if x.dtype == np.float32 else x


class Backend(base.Backend):
    """``Backend.prepare(model, device).run(inputs)``; devices are those of `convolith.devices`."""

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether `prepare` would take it."""
        try:
            load(model)
        except ValueError:
            return False
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> Prepared:
        """Check a model and bring it to a device.

        Raises
        ------
        ValueError
            As `load`.
        RuntimeError
            If there is no such device.
        """
        return Prepared(model, _name(device))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> Arrays:
        """``prepare(model, device).run(inputs)``."""
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> Arrays:
        """A model of one node, with the latest definitions or those of ``opset_version``."""
        given = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
        names = list(dict.fromkeys(name for name in node.input if name))
        describe = onnx.helper.make_tensor_value_info
        ends = [
            describe(name, onnx.helper.np_dtype_to_tensor_dtype(np.asarray(x).dtype), np.shape(x))
            for name, x in zip(names, given, strict=True)
        ]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], node.op_type, ends, outputs)
        latest = onnx.defs.onnx_opset_version()
        opset = onnx.helper.make_opsetid("", kwargs.get("opset_version", latest))
        model = onnx.helper.make_model(graph, opset_imports=[opset])
        return cls.run_model(onnx.shape_inference.infer_shapes(model), given, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether it is there."""
        return _name(device) in devices()


def _name(device: str) -> str:
    """'CUDA:0' in onnx's words is 'cuda' in ours."""
    return device.split(":")[0].lower()


prepare = Backend.prepare
