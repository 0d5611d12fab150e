"""What is done to gradients and parameters beside the steps of an optimizer."""

from convolith.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_
from convolith.nn.utils.max_norm import max_norm_

__all__ = ["clip_grad_norm_", "clip_grad_value_", "max_norm_"]
