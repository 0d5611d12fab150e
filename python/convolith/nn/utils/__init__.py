"""What is done to the parameters of a module beside the steps of an optimizer."""

from convolith.nn.utils.max_norm import max_norm_

__all__ = ["max_norm_"]
