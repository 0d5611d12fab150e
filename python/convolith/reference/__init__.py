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
from convolith.reference.conv_transpose2d import (
    conv_transpose2d_forward,
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
from convolith.reference.lp_pool2d import (
    lp_pool2d_backward,
    lp_pool2d_forward,
)
from convolith.reference.max_unpool2d import (
    max_unpool2d_backward,
    max_unpool2d_forward,
)
from convolith.reference.optimizer import (
    adam_step,
    sgd_step,
)
from convolith.reference.patches import (
    fold_forward,
    local_linear_backward_bias,
    local_linear_backward_input,
    local_linear_backward_weight,
    local_linear_forward,
    unfold_forward,
)
from convolith.reference.pool2d import (
    avg_pool2d_backward,
    avg_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
    min_pool2d_backward,
    min_pool2d_forward,
)
from convolith.reference.resample import (
    interpolate2d_backward,
    interpolate2d_forward,
    pad2d_backward,
    pad2d_forward,
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
    "conv_transpose2d_forward",
    "dropout_backward",
    "dropout_forward",
    "flatten_backward",
    "flatten_forward",
    "fold_forward",
    "global_avg_pool2d_backward",
    "global_avg_pool2d_forward",
    "global_max_pool2d_backward",
    "global_max_pool2d_forward",
    "interpolate2d_backward",
    "interpolate2d_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "linear_backward_bias",
    "linear_backward_input",
    "linear_backward_weight",
    "linear_forward",
    "local_linear_backward_bias",
    "local_linear_backward_input",
    "local_linear_backward_weight",
    "local_linear_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "lp_pool2d_backward",
    "lp_pool2d_forward",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "max_unpool2d_backward",
    "max_unpool2d_forward",
    "min_pool2d_backward",
    "min_pool2d_forward",
    "pad2d_backward",
    "pad2d_forward",
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
    "tanh_backward",
    "tanh_forward",
    "unfold_forward",
]
