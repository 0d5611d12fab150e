"""Every operation that is no convolution, by name and direction."""

from operations import elementwise, linear, normalization, optimizer, pooling, softmax
from operations.operand import Arrays, Op

OPS: dict[str, Op] = {
    **elementwise.OPS,
    **normalization.OPS,
    **pooling.OPS,
    **softmax.OPS,
    **optimizer.OPS,
    **linear.OPS,
}

__all__ = ["OPS", "Arrays", "Op"]
