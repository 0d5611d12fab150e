"""What this installation is: versions, instruction sets, threads, optional parts."""

from __future__ import annotations

import importlib.util

import numpy as np

from convolith import _C, cuda

# What is optional: module, what it is for, how to get it.
_OPTIONAL = (
    ("matplotlib", "pictures", 'pip install "convolith[plot]"'),
    ("PIL", "convolith predict", "pip install pillow"),
    ("onnx", "convolith export", 'pip install "convolith[onnx]"'),
    ("tensorboardX", "train.TensorBoard", 'pip install "convolith[tensorboard]"'),
)


def config() -> dict[str, str]:
    """The configuration as names and values, in the order in which `show_config` prints them."""
    import convolith

    threads = _C.get_num_threads()
    build = {name.replace("_", " "): value for name, value in _C.build_info().items()}
    del build["version"]
    rows = {
        "convolith": convolith.__version__,
        "ISA": f"{_C.isa()} (available: {', '.join(_C.available_isas())})",
        "threads": f"{threads} (CONVOLITH_NUM_THREADS or set_num_threads changes it)",
        "last-level cache": f"{_C.last_level_cache() / 2**20:.0f} MiB",
        "algorithms": "exact ones only" if _C.exact_only() else "all (CONVOLITH_EXACT=1 or exact)",
        "devices": ", ".join(_C.devices()),
        "GPU": cuda.why_not() or "ready",
        **build,
        "NumPy": np.__version__,
    }
    for module, purpose, remedy in _OPTIONAL:
        present = importlib.util.find_spec(module) is not None
        rows[module] = "available" if present else f"missing, needed for {purpose}: {remedy}"
    return rows


def show_config() -> None:
    """Print the version, the ISA that serves, threads, compiler, and what is optional."""
    rows = config()
    width = max(map(len, rows))
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows.items()))
