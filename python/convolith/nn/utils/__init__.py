"""What is done to gradients and parameters beside the steps of an optimizer."""

from convolith.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_
from convolith.nn.utils.evaluation import evaluating
from convolith.nn.utils.max_norm import max_norm_
from convolith.nn.utils.transfer import (
    find_head,
    freeze,
    parameter_groups,
    replace_head,
    unfreeze,
)

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "evaluating",
    "find_head",
    "freeze",
    "max_norm_",
    "parameter_groups",
    "replace_head",
    "unfreeze",
]
