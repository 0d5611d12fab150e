// Every primitive as an operator: check -> allocate -> call the table.  Names and argument order are Python's.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "../array.hpp"
#include "arguments.hpp"

namespace convolith::ops {

// device.cpp: a copy of x, of any shape, on 'cpu', 'emu' or 'cuda'
Array to_device(const Array& x, const Text& device, const Flag& non_blocking);
Array to_pinned(const Array& x, const Text& device);  // a copy on the CPU, which copies to the device need not wait for
Array cast(const Array& x, const Text& dtype);        // of a device, to 'float32', 'float16' or 'bfloat16'
Array full(const ShapeArg& shape, const Real& value, const Text& dtype, const Text& device);  // 'emu' or 'cuda'
void assign(const Array& x, const Array& values);  // writes to x, which is on a device

// conv2d.cpp: x (N, C, H, W), w (K, C/G, R, S), bias (K), residual and y (N, K, P, Q)
struct Conv2dOptions {
  const PairArg& stride;
  const PaddingArg& padding;
  const PairArg& dilation;
  const Int& groups;
  const Text& padding_mode;
  const Text& algo;
};
struct Conv2dReport {
  std::string algo, reason;
  std::int64_t flops, bytes;
};
Conv2dReport conv2d_plan(const Text& direction, const ShapeArg& input_shape, const ShapeArg& weight_shape,
                         const Conv2dOptions& options, const Text& dtype, const Text& device);
Array conv2d_forward(const Array& x, const Array& w, const MaybeArray& bias, const Conv2dOptions& options,
                     const MaybeArray& residual, const Text& activation, const MaybeArray& prepared,
                     const MaybeTarget& out);
MaybeArray conv2d_prepare_weight(const Array& w, const ShapeArg& input_shape, const Conv2dOptions& options);
Array conv2d_backward_input(const Array& dy, const Array& w, const ShapeArg& input_shape, const Conv2dOptions& options,
                            const MaybeTarget& out);
Array conv2d_backward_weight(const Array& dy, const Array& x, const ShapeArg& weight_shape,
                             const Conv2dOptions& options, const MaybeTarget& out);
Array conv2d_backward_bias(const Array& dy, const MaybeTarget& out);

// linear.cpp: x (..., I), w (O, I), bias (O), y (..., O)
Array linear_forward(const Array& x, const Array& w, const MaybeArray& bias, const MaybeTarget& out);
Array linear_backward_input(const Array& dy, const Array& w, const MaybeTarget& out);
Array linear_backward_weight(const Array& dy, const Array& x, const MaybeTarget& out);
Array linear_backward_bias(const Array& dy, const MaybeTarget& out);

// activation.cpp: element-wise, any shape
Array relu_forward(const Array& x, const MaybeTarget& out);
Array relu_backward(const Array& dy, const Array& y, const MaybeTarget& out);
Array leaky_relu_forward(const Array& x, const Real& negative_slope, const MaybeTarget& out);
Array leaky_relu_backward(const Array& dy, const Array& x, const Real& negative_slope, const MaybeTarget& out);
Array sigmoid_forward(const Array& x, const MaybeTarget& out);
Array sigmoid_backward(const Array& dy, const Array& y, const MaybeTarget& out);
Array tanh_forward(const Array& x, const MaybeTarget& out);
Array tanh_backward(const Array& dy, const Array& y, const MaybeTarget& out);

// arithmetic.cpp: a and b broadcast to y, and either may be a number; sums over axes `dim`, or all
Array add_forward(const Operand& a, const Operand& b, const MaybeTarget& out);
Array add_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out);
Array subtract_forward(const Operand& a, const Operand& b, const MaybeTarget& out);
Array subtract_backward_b(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out);
Array multiply_forward(const Operand& a, const Operand& b, const MaybeTarget& out);
Array multiply_backward(const Array& dy, const Operand& other, const ShapeArg& input_shape, const MaybeTarget& out);
Array divide_forward(const Operand& a, const Operand& b, const MaybeTarget& out);
Array divide_backward_a(const Array& dy, const Operand& b, const ShapeArg& input_shape, const MaybeTarget& out);
Array divide_backward_b(const Array& dy, const Array& y, const Array& b, const MaybeTarget& out);
Array power_forward(const Array& x, const Real& exponent, const MaybeTarget& out);
Array power_backward(const Array& dy, const Array& x, const Real& exponent, const MaybeTarget& out);
Array sum_forward(const Array& x, const std::optional<DimsArg>& dim, const Flag& keepdim, const MaybeTarget& out);
Array sum_backward(const Array& dy, const ShapeArg& input_shape, const std::optional<DimsArg>& dim, const Flag& keepdim,
                   const MaybeTarget& out);
Array mean_forward(const Array& x, const std::optional<DimsArg>& dim, const Flag& keepdim, const MaybeTarget& out);
Array mean_backward(const Array& dy, const ShapeArg& input_shape, const std::optional<DimsArg>& dim,
                    const Flag& keepdim, const MaybeTarget& out);
Array transpose(const Array& x, const Int& dim0, const Int& dim1);  // a copy of x, which is on a device

// pool2d.cpp: x (N, C, H, W), y and indices (N, C, P, Q)
Arrays max_pool2d_forward(const Array& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
                          const PaddingArg& padding, const PairArg& dilation, const Flag& ceil_mode,
                          const MaybeTargets& out);
Array max_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape, const MaybeTarget& out);
Arrays min_pool2d_forward(const Array& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
                          const PaddingArg& padding, const PairArg& dilation, const Flag& ceil_mode,
                          const MaybeTargets& out);
Array min_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape, const MaybeTarget& out);
Array avg_pool2d_forward(const Array& x, const PairArg& kernel_size, const std::optional<PairArg>& stride,
                         const PaddingArg& padding, const Flag& ceil_mode, const Flag& count_include_pad,
                         const std::optional<Int>& divisor_override, const MaybeTarget& out);
Array avg_pool2d_backward(const Array& dy, const ShapeArg& input_shape, const PairArg& kernel_size,
                          const std::optional<PairArg>& stride, const PaddingArg& padding, const Flag& ceil_mode,
                          const Flag& count_include_pad, const std::optional<Int>& divisor_override,
                          const MaybeTarget& out);
Array adaptive_avg_pool2d_forward(const Array& x, const OutputSizeArg& output_size, const MaybeTarget& out);
Array adaptive_avg_pool2d_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out);
Arrays adaptive_max_pool2d_forward(const Array& x, const OutputSizeArg& output_size, const MaybeTargets& out);
Array adaptive_max_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape,
                                   const MaybeTarget& out);
Array global_avg_pool2d_forward(const Array& x, const MaybeTarget& out);
Array global_avg_pool2d_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out);
Arrays global_max_pool2d_forward(const Array& x, const MaybeTargets& out);
Array global_max_pool2d_backward(const Array& dy, const Array& indices, const ShapeArg& input_shape,
                                 const MaybeTarget& out);

// batch_norm.cpp: x (N, C, *), every vector (C); forward gives (y, mean, invstd), backward (dx, dweight, dbias) and
// where there is a y dresidual
Arrays batch_norm_forward(const Array& x, const MaybeArray& weight, const MaybeArray& bias,
                          const MaybeTarget& running_mean, const MaybeTarget& running_var, const MaybeArray& residual,
                          const Flag& training, const Real& momentum, const Real& eps, const Text& activation,
                          const MaybeTargets& out);
Arrays batch_norm_backward(const Array& dy, const Array& x, const MaybeArray& weight, const Array& mean,
                           const Array& invstd, const MaybeArray& bias, const MaybeArray& y, const Flag& training,
                           const Text& activation, const MaybeTargets& out);

// softmax.cpp: any shape, along axis dim
Array softmax_forward(const Array& x, const Int& dim, const MaybeTarget& out);
Array softmax_backward(const Array& dy, const Array& y, const Int& dim, const MaybeTarget& out);
Array log_softmax_forward(const Array& x, const Int& dim, const MaybeTarget& out);
Array log_softmax_backward(const Array& dy, const Array& y, const Int& dim, const MaybeTarget& out);

// loss.cpp: x and probs (N, C, *), target (N, *) labels or (N, C, *) probabilities; forward gives (loss, probs)
Arrays softmax_cross_entropy_forward(const Array& x, const Array& target, const Text& reduction,
                                     const Int& ignore_index, const Real& label_smoothing, const MaybeTargets& out);
Array softmax_cross_entropy_backward(const Array& dloss, const Array& probs, const Array& target, const Text& reduction,
                                     const Int& ignore_index, const Real& label_smoothing, const MaybeTarget& out);

// dropout.cpp: any shape
Array dropout_forward(const Array& x, const Real& p, const Unsigned& seed, const Unsigned& offset,
                      const MaybeTarget& out);
Array dropout_backward(const Array& dy, const Real& p, const Unsigned& seed, const Unsigned& offset,
                       const MaybeTarget& out);

// shape.cpp: any shape
Array flatten_forward(const Array& x, const Int& start_dim, const Int& end_dim, const MaybeTarget& out);
Array flatten_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out);
Array concat_forward(const Arrays& xs, const Int& dim, const MaybeTarget& out);
Arrays concat_backward(const Array& dy, const IntsArg& sizes, const Int& dim, const MaybeTargets& out);

// scale.cpp: x and y of any shape, factor and found_inf scalars
Array scale_forward(const Array& x, const Array& factor, const MaybeTarget& found_inf, const MaybeTarget& out);

// optimizer.cpp: in place on everything but grad, all of param's shape
void sgd_step(const Target& param, const Array& grad, const MaybeTarget& velocity, const Real& lr, const Real& momentum,
              const Real& dampening, const Real& weight_decay, const Flag& nesterov, const Flag& first);
void adam_step(const Target& param, const Array& grad, const Target& exp_avg, const Target& exp_avg_sq,
               const StepArg& step, const Real& lr, const Real& beta1, const Real& beta2, const Real& eps,
               const Real& weight_decay);

}  // namespace convolith::ops
