"""The specification: every primitive in plain NumPy, float64 inside, slow and obvious.

Names, arguments and defaults are those of `convolith.primitives`; results are float64 and
indices int64. Nothing is checked here beyond what NumPy checks: errors are the compiled
side's.
"""

from convolith.reference.activation import (
    leaky_relu_backward,
    leaky_relu_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from convolith.reference.adaptive_pool2d import (
    adaptive_avg_pool2d_backward,
    adaptive_avg_pool2d_forward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool2d_forward,
    global_avg_pool2d_backward,
    global_avg_pool2d_forward,
    global_max_pool2d_backward,
    global_max_pool2d_forward,
)
from convolith.reference.arithmetic import (
    add_backward,
    add_forward,
    divide_backward_a,
    divide_backward_b,
    divide_forward,
    mean_backward,
    mean_forward,
    multiply_backward,
    multiply_forward,
    power_backward,
    power_forward,
    subtract_backward_b,
    subtract_forward,
    sum_backward,
    sum_forward,
)
from convolith.reference.batch_norm import (
    batch_norm_backward,
    batch_norm_forward,
)
from convolith.reference.conv2d import (
    conv2d_backward_bias,
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
)
from convolith.reference.dropout import (
    dropout_backward,
    dropout_forward,
)
from convolith.reference.linear import (
    linear_backward_bias,
    linear_backward_input,
    linear_backward_weight,
    linear_forward,
)
from convolith.reference.loss import (
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)
from convolith.reference.optimizer import (
    adam_step,
    sgd_step,
)
from convolith.reference.pool2d import (
    avg_pool2d_backward,
    avg_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
    min_pool2d_backward,
    min_pool2d_forward,
)
from convolith.reference.scale import (
    scale_forward,
)
from convolith.reference.shape import (
    concat_backward,
    concat_forward,
    flatten_backward,
    flatten_forward,
)
from convolith.reference.softmax import (
    log_softmax_backward,
    log_softmax_forward,
    softmax_backward,
    softmax_forward,
)

__all__ = [
    "adam_step",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool2d_forward",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool2d_forward",
    "add_backward",
    "add_forward",
    "avg_pool2d_backward",
    "avg_pool2d_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "concat_backward",
    "concat_forward",
    "conv2d_backward_bias",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_forward",
    "divide_backward_a",
    "divide_backward_b",
    "divide_forward",
    "dropout_backward",
    "dropout_forward",
    "flatten_backward",
    "flatten_forward",
    "global_avg_pool2d_backward",
    "global_avg_pool2d_forward",
    "global_max_pool2d_backward",
    "global_max_pool2d_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "linear_backward_bias",
    "linear_backward_input",
    "linear_backward_weight",
    "linear_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "mean_backward",
    "mean_forward",
    "min_pool2d_backward",
    "min_pool2d_forward",
    "multiply_backward",
    "multiply_forward",
    "power_backward",
    "power_forward",
    "relu_backward",
    "relu_forward",
    "scale_forward",
    "sgd_step",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax_backward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_forward",
    "subtract_backward_b",
    "subtract_forward",
    "sum_backward",
    "sum_forward",
    "tanh_backward",
    "tanh_forward",
]
