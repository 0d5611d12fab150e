"""The specification: every primitive in plain NumPy, float64 inside, slow and obvious.

Names, arguments and defaults are those of `convolith.primitives`; results are float64 and
indices int64. Nothing is checked here beyond what NumPy checks: errors are the compiled
side's.
"""

from convolith.reference.activation import (leaky_relu_backward, leaky_relu_forward, relu_backward, relu_forward, sigmoid_backward, sigmoid_forward, tanh_backward, tanh_forward)
from convolith.reference.adam import (adam_step, adamax_step, lamb_step, nadam_step)
from convolith.reference.adaptive_pool2d import (adaptive_avg_pool2d_backward, adaptive_avg_pool2d_forward, adaptive_max_pool2d_backward, adaptive_max_pool2d_forward, global_avg_pool2d_backward, global_avg_pool2d_forward, global_max_pool2d_backward, global_max_pool2d_forward)
from convolith.reference.batch_norm import (batch_norm_backward, batch_norm_forward)
from convolith.reference.binary_loss import (binary_cross_entropy_backward, binary_cross_entropy_forward, binary_cross_entropy_with_logits_backward, binary_cross_entropy_with_logits_forward, hinge_embedding_loss_backward, hinge_embedding_loss_forward, hinge_loss_backward, hinge_loss_forward)
from convolith.reference.class_loss import (clamped_log_backward, clamped_log_forward, kl_div_backward, kl_div_forward, multi_margin_loss_backward, multi_margin_loss_forward, nll_loss_backward, nll_loss_forward)
from convolith.reference.clip import (clip_forward, total_norm_forward)
from convolith.reference.conv2d import (conv2d_backward_bias, conv2d_backward_input, conv2d_backward_weight, conv2d_forward)
from convolith.reference.cross_entropy import (softmax_cross_entropy_backward, softmax_cross_entropy_forward)
from convolith.reference.dropout import (dropout_backward, dropout_forward)
from convolith.reference.linear import (linear_backward_bias, linear_backward_input, linear_backward_weight, linear_forward)
from convolith.reference.optimizer import (adadelta_step, adagrad_step, ema_step, lars_step, rmsprop_step, sgd_step)
from convolith.reference.pool2d import (avg_pool2d_backward, avg_pool2d_forward, max_pool2d_backward, max_pool2d_forward, min_pool2d_backward, min_pool2d_forward)
from convolith.reference.regression_loss import (huber_loss_backward, huber_loss_forward, l1_loss_backward, l1_loss_forward, mse_loss_backward, mse_loss_forward, rmse_loss_backward, rmse_loss_forward, smooth_l1_loss_backward, smooth_l1_loss_forward)
from convolith.reference.scale import (scale_forward)
from convolith.reference.shape import (add_forward, concat_backward, concat_forward, flatten_backward, flatten_forward)
from convolith.reference.softmax import (log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward)

__all__ = ["adadelta_step", "adagrad_step", "adam_step", "adamax_step", "adaptive_avg_pool2d_backward", "adaptive_avg_pool2d_forward", "adaptive_max_pool2d_backward", "adaptive_max_pool2d_forward", "add_forward", "avg_pool2d_backward", "avg_pool2d_forward", "batch_norm_backward", "batch_norm_forward", "binary_cross_entropy_backward", "binary_cross_entropy_forward", "binary_cross_entropy_with_logits_backward", "binary_cross_entropy_with_logits_forward", "clamped_log_backward", "clamped_log_forward", "clip_forward", "concat_backward", "concat_forward", "conv2d_backward_bias", "conv2d_backward_input", "conv2d_backward_weight", "conv2d_forward", "dropout_backward", "dropout_forward", "ema_step", "flatten_backward", "flatten_forward", "global_avg_pool2d_backward", "global_avg_pool2d_forward", "global_max_pool2d_backward", "global_max_pool2d_forward", "hinge_embedding_loss_backward", "hinge_embedding_loss_forward", "hinge_loss_backward", "hinge_loss_forward", "huber_loss_backward", "huber_loss_forward", "kl_div_backward", "kl_div_forward", "l1_loss_backward", "l1_loss_forward", "lamb_step", "lars_step", "leaky_relu_backward", "leaky_relu_forward", "linear_backward_bias", "linear_backward_input", "linear_backward_weight", "linear_forward", "log_softmax_backward", "log_softmax_forward", "max_pool2d_backward", "max_pool2d_forward", "min_pool2d_backward", "min_pool2d_forward", "mse_loss_backward", "mse_loss_forward", "multi_margin_loss_backward", "multi_margin_loss_forward", "nadam_step", "nll_loss_backward", "nll_loss_forward", "relu_backward", "relu_forward", "rmse_loss_backward", "rmse_loss_forward", "rmsprop_step", "scale_forward", "sgd_step", "sigmoid_backward", "sigmoid_forward", "smooth_l1_loss_backward", "smooth_l1_loss_forward", "softmax_backward", "softmax_cross_entropy_backward", "softmax_cross_entropy_forward", "softmax_forward", "tanh_backward", "tanh_forward", "total_norm_forward"]
