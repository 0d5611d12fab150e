"""The specification: every primitive in plain NumPy, float64 inside, slow and obvious.

Names, arguments and defaults are those of `convolith.primitives`; results are float64 and
indices int64. Nothing is checked here beyond what NumPy checks: errors are the compiled
side's.
"""

from convolith.reference.activation import (
    elu_backward,
    elu_forward,
    hardsigmoid_backward,
    hardsigmoid_forward,
    hardswish_backward,
    hardswish_forward,
    hardtanh_backward,
    hardtanh_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    relu6_backward,
    relu6_forward,
    relu_backward,
    relu_forward,
    selu_backward,
    selu_forward,
    step_backward,
    step_forward,
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
from convolith.reference.maxout import (
    maxout_backward,
    maxout_forward,
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
from convolith.reference.prelu import (
    prelu_backward,
    prelu_forward,
)
from convolith.reference.scale import (
    scale_forward,
)
from convolith.reference.shape import (
    add_forward,
    concat_backward,
    concat_forward,
    flatten_backward,
    flatten_forward,
)
from convolith.reference.smooth_activation import (
    gelu_backward,
    gelu_forward,
    logsigmoid_backward,
    logsigmoid_forward,
    mish_backward,
    mish_forward,
    sigmoid_backward,
    sigmoid_forward,
    silu_backward,
    silu_forward,
    softplus_backward,
    softplus_forward,
    softsign_backward,
    softsign_forward,
    tanh_backward,
    tanh_forward,
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
    "dropout_backward",
    "dropout_forward",
    "elu_backward",
    "elu_forward",
    "flatten_backward",
    "flatten_forward",
    "gelu_backward",
    "gelu_forward",
    "global_avg_pool2d_backward",
    "global_avg_pool2d_forward",
    "global_max_pool2d_backward",
    "global_max_pool2d_forward",
    "hardsigmoid_backward",
    "hardsigmoid_forward",
    "hardswish_backward",
    "hardswish_forward",
    "hardtanh_backward",
    "hardtanh_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "linear_backward_bias",
    "linear_backward_input",
    "linear_backward_weight",
    "linear_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "logsigmoid_backward",
    "logsigmoid_forward",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "maxout_backward",
    "maxout_forward",
    "min_pool2d_backward",
    "min_pool2d_forward",
    "mish_backward",
    "mish_forward",
    "prelu_backward",
    "prelu_forward",
    "relu6_backward",
    "relu6_forward",
    "relu_backward",
    "relu_forward",
    "scale_forward",
    "selu_backward",
    "selu_forward",
    "sgd_step",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax_backward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_forward",
    "softplus_backward",
    "softplus_forward",
    "softsign_backward",
    "softsign_forward",
    "step_backward",
    "step_forward",
    "tanh_backward",
    "tanh_forward",
]
