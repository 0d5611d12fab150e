"""What the arguments of functions and layers may be."""

from __future__ import annotations

from typing import Literal

from convolith.device import Array

IntPair = int | tuple[int, int]
IntOrSingle = int | tuple[int]
RealPair = float | tuple[float, float]
Padding = int | tuple[int, int] | tuple[int, int, int, int]
ConvPadding = Padding | Literal["valid", "same"]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Activation = Literal["identity", "relu"]
Algo = Literal["auto", "direct", "gemm", "depthwise", "winograd", "tensor_core", "mma", "wgmma"]
OutputSize = int | tuple[int | None, int | None]
PadMode = Literal["constant", "reflect", "replicate", "circular"]
InterpolationMode = Literal["nearest", "bilinear"]
Reduction = Literal["mean", "sum", "none"]
BatchReduction = Literal["mean", "batchmean", "sum", "none"]
Gradients = tuple[Array | None, ...]
