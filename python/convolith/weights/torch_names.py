"""What stands for the names in a PyTorch checkpoint."""

from __future__ import annotations

import pickle
from typing import Any

from convolith._pickles import Call, Note, numpy_names, set_items
from convolith.weights.tensors import DTYPES, DType, Storage, Tensor

_KINDS = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "ComplexDouble": "complex128",
    "ComplexFloat": "complex64",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}

# Plain data that goes along with weights, of which nothing is kept.
_TYPES = "bool bytearray complex dict float frozenset int list set slice str tuple"
_PATHS = "Path PosixPath PurePosixPath PureWindowsPath WindowsPath"
_PASSED_OVER = {
    "argparse": "Namespace",
    "builtins": _TYPES,
    "__builtin__": _TYPES,
    "collections": "Counter deque",
    "datetime": "date datetime time timedelta timezone",
    "numpy.core.multiarray": "scalar",
    "numpy._core.multiarray": "scalar",
    "pathlib": _PATHS,
    "pathlib._local": _PATHS,
    "torch": "Tensor device",
    "torch.nn.parameter": "Parameter",
    "types": "SimpleNamespace",
}


def torch_names() -> dict[str, Any]:
    """The table of names that `convolith._pickles.load` takes, for one pickle."""
    names: dict[str, Any] = numpy_names()
    for module, words in _PASSED_OVER.items():
        names |= {f"{module}.{word}": Call(Note) for word in words.split()}
    names |= {f"torch.{name}": DType(name) for name in DTYPES}
    for kind, dtype in _KINDS.items():
        for module in ("torch", "torch.cuda"):
            names |= {f"{module}.{kind}{what}": DType(dtype) for what in ("Storage", "Tensor")}
    for storage in ("UntypedStorage", "_UntypedStorage"):
        names[f"torch.storage.{storage}"] = DType()
    return names | {
        "collections.OrderedDict": Call(_dict),
        "collections.defaultdict": Call(_default_dict),
        "torch.Size": Call(_size),
        "torch._utils._rebuild_tensor": Call(Tensor),
        "torch._utils._rebuild_tensor_v2": Call(_tensor_v2),
        "torch._utils._rebuild_tensor_v3": Call(_tensor_v3),
        "torch._utils._rebuild_parameter": Call(_parameter),
        "torch._utils._rebuild_parameter_with_state": Call(_parameter),
        "torch._tensor._rebuild_from_type_v2": Call(_with_attributes),
    }


def _dict(pairs: Any = ()) -> dict[Any, Any]:
    """A dict of pairs, as Python 2 pickled them; they are taken out of their list."""
    result: dict[Any, Any] = {}
    set_items(result, pairs)
    if type(pairs) is list:
        pairs.clear()
    elif pairs:
        raise pickle.UnpicklingError("pairs that are no list")
    return result


def _default_dict(*factory: Any) -> dict[Any, Any]:
    return {}


def _size(size: Any) -> Any:
    return size


def _tensor_v2(
    storage: Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: Any,
    hooks: Any,
    metadata: Any = None,
) -> Tensor:
    if isinstance(metadata, dict) and True in (metadata.get("conj"), metadata.get("neg")):
        raise pickle.UnpicklingError("a tensor that is conjugate or negative when it is read")
    return Tensor(storage, offset, shape, strides)


def _tensor_v3(
    storage: Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: Any,
    hooks: Any,
    dtype: DType,
    metadata: Any = None,
) -> Tensor:
    return Tensor(storage, offset, shape, strides, dtype)


def _parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Any:
    return data


def _with_attributes(call: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """A tensor of a subclass, or with attributes: the tensor alone."""
    if type(call) is not Call or type(arguments) is not tuple:
        raise pickle.UnpicklingError("a tensor that is made by nothing known")
    return call.make(*arguments)
