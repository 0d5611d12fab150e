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
// x (N, C, H, W), w (C, K/G, R, S), bias (K), y (N, K, P, Q)
Array conv_transpose2d_forward(const Array& x, const Array& w, const MaybeArray& bias, const Conv2dOptions& options,
                               const PairArg& output_padding, const MaybeTarget& out);

// patches.cpp: x (N, C, H, W) to windows (N, C R S, L) and back; a linear map w (L, O, I) of x (N, I, L), bias (O, L)
struct PatchOptions {
  const PairArg& dilation;
  const PaddingArg& padding;
  const PairArg& stride;
};
Array unfold_forward(const Array& x, const PairArg& kernel_size, const PatchOptions& options, const MaybeTarget& out);
Array fold_forward(const Array& x, const PairArg& output_size, const PairArg& kernel_size, const PatchOptions& options,
                   const MaybeTarget& out);
Array local_linear_forward(const Array& x, const Array& w, const MaybeArray& bias, const MaybeTarget& out);
Array local_linear_backward_input(const Array& dy, const Array& w, const MaybeTarget& out);
Array local_linear_backward_weight(const Array& dy, const Array& x, const MaybeTarget& out);
Array local_linear_backward_bias(const Array& dy, const MaybeTarget& out);

// linear.cpp: x (..., I), w (O, I), bias (O), y (..., O)
Array linear_forward(const Array& x, const Array& w, const MaybeArray& bias, const MaybeTarget& out);
Array linear_backward_input(const Array& dy, const Array& w, const MaybeTarget& out);
Array linear_backward_weight(const Array& dy, const Array& x, const MaybeTarget& out);
Array linear_backward_bias(const Array& dy, const MaybeTarget& out);

// prelu.cpp: x (N, C, *) and weight (C), or x of any shape and weight (1); maxout.cpp: x (N, K * pieces, *), y (N, K,
// *). The other activations are in activation.hpp.
Array prelu_forward(const Array& x, const Array& weight, const MaybeTarget& out);
Arrays prelu_backward(const Array& dy, const Array& x, const Array& weight, const MaybeTargets& out);
Array maxout_forward(const Array& x, const Int& pieces, const MaybeTarget& out);
Array maxout_backward(const Array& dy, const Array& x, const Int& pieces, const MaybeTarget& out);

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
Array max_unpool2d_forward(const Array& x, const Array& indices, const ShapeArg& output_shape, const MaybeTarget& out);
Array max_unpool2d_backward(const Array& dy, const Array& indices, const MaybeTarget& out);
Array lp_pool2d_forward(const Array& x, const Real& norm_type, const PairArg& kernel_size,
                        const std::optional<PairArg>& stride, const Flag& ceil_mode, const MaybeTarget& out);
Array lp_pool2d_backward(const Array& dy, const Array& x, const Array& y, const Real& norm_type,
                         const PairArg& kernel_size, const std::optional<PairArg>& stride, const Flag& ceil_mode,
                         const MaybeTarget& out);

// resample.cpp: x (N, C, H, W), y (N, C, P, Q)
struct InterpolateOptions {
  const std::optional<PairArg>& size;
  const std::optional<RealPairArg>& scale_factor;
  const Text& mode;
  const Flag& align_corners;
};
Array pad2d_forward(const Array& x, const PaddingArg& padding, const Text& mode, const Real& value,
                    const MaybeTarget& out);
Array pad2d_backward(const Array& dy, const ShapeArg& input_shape, const PaddingArg& padding, const Text& mode,
                     const MaybeTarget& out);
Array interpolate2d_forward(const Array& x, const InterpolateOptions& options, const MaybeTarget& out);
Array interpolate2d_backward(const Array& dy, const ShapeArg& input_shape, const InterpolateOptions& options,
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

// group_norm.cpp: forward gives (y, mean, invstd), backward (dx, dweight, dbias)
// x (*, normalized_shape), weight and bias of normalized_shape, mean and invstd (product of *)
Arrays layer_norm_forward(const Array& x, const ShapeArg& normalized_shape, const MaybeArray& weight,
                          const MaybeArray& bias, const Real& eps, const MaybeTargets& out);
Arrays layer_norm_backward(const Array& dy, const Array& x, const ShapeArg& normalized_shape, const MaybeArray& weight,
                           const Array& mean, const Array& invstd, const MaybeTargets& out);
// x (N, C, *), weight and bias (C), mean and invstd (N, groups)
Arrays group_norm_forward(const Array& x, const Int& num_groups, const MaybeArray& weight, const MaybeArray& bias,
                          const Real& eps, const MaybeTargets& out);
Arrays group_norm_backward(const Array& dy, const Array& x, const Int& num_groups, const MaybeArray& weight,
                           const Array& mean, const Array& invstd, const MaybeTargets& out);
// The same with a group for each channel, and running statistics (C), which are updated
Arrays instance_norm_forward(const Array& x, const MaybeArray& weight, const MaybeArray& bias,
                             const MaybeTarget& running_mean, const MaybeTarget& running_var, const Real& momentum,
                             const Real& eps, const MaybeTargets& out);
Arrays instance_norm_backward(const Array& dy, const Array& x, const MaybeArray& weight, const Array& mean,
                              const Array& invstd, const MaybeTargets& out);

// local_response_norm.cpp: x (N, C, *)
struct ResponseNormOptions {
  const Int& size;
  const Real &alpha, &beta, &k;
};
Array local_response_norm_forward(const Array& x, const ResponseNormOptions& options, const MaybeTarget& out);
Array local_response_norm_backward(const Array& dy, const Array& x, const ResponseNormOptions& options,
                                   const MaybeTarget& out);

// softmax.cpp: any shape, along axis dim
Array softmax_forward(const Array& x, const Int& dim, const MaybeTarget& out);
Array softmax_backward(const Array& dy, const Array& y, const Int& dim, const MaybeTarget& out);
Array log_softmax_forward(const Array& x, const Int& dim, const MaybeTarget& out);
Array log_softmax_backward(const Array& dy, const Array& y, const Int& dim, const MaybeTarget& out);

// class_loss.cpp: x and probs (N, C, *), target (N, *) labels, for cross entropy also (N, C, *) probabilities, weight
// (C); cross entropy's forward gives (loss, probs)
Arrays softmax_cross_entropy_forward(const Array& x, const Array& target, const MaybeArray& weight,
                                     const Text& reduction, const Int& ignore_index, const Real& label_smoothing,
                                     const MaybeTargets& out);
Array softmax_cross_entropy_backward(const Array& dloss, const Array& probs, const Array& target,
                                     const MaybeArray& weight, const Text& reduction, const Int& ignore_index,
                                     const Real& label_smoothing, const MaybeTarget& out);
Array nll_loss_forward(const Array& x, const Array& target, const MaybeArray& weight, const Text& reduction,
                       const Int& ignore_index, const MaybeTarget& out);
Array nll_loss_backward(const Array& dloss, const Array& x, const Array& target, const MaybeArray& weight,
                        const Text& reduction, const Int& ignore_index, const MaybeTarget& out);
Array multi_margin_loss_forward(const Array& x, const Array& target, const MaybeArray& weight, const Int& p,
                                const Real& margin, const Text& reduction, const MaybeTarget& out);
Array multi_margin_loss_backward(const Array& dloss, const Array& x, const Array& target, const MaybeArray& weight,
                                 const Int& p, const Real& margin, const Text& reduction, const MaybeTarget& out);

// loss.cpp: x and target of one shape, weights of any that broadcasts to it
Array clamped_log_forward(const Array& x, const Real& least, const MaybeTarget& out);
Array clamped_log_backward(const Array& dy, const Array& x, const Real& least, const MaybeTarget& out);
Array mse_loss_forward(const Array& x, const Array& target, const Text& reduction, const MaybeTarget& out);
Array mse_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                        const MaybeTarget& out);
Array rmse_loss_forward(const Array& x, const Array& target, const MaybeTarget& out);
Array rmse_loss_backward(const Array& dloss, const Array& loss, const Array& x, const Array& target,
                         const MaybeTarget& out);
Array l1_loss_forward(const Array& x, const Array& target, const Text& reduction, const MaybeTarget& out);
Array l1_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                       const MaybeTarget& out);
Array huber_loss_forward(const Array& x, const Array& target, const Text& reduction, const Real& delta,
                         const MaybeTarget& out);
Array huber_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                          const Real& delta, const MaybeTarget& out);
Array smooth_l1_loss_forward(const Array& x, const Array& target, const Text& reduction, const Real& beta,
                             const MaybeTarget& out);
Array smooth_l1_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                              const Real& beta, const MaybeTarget& out);
Array binary_cross_entropy_forward(const Array& x, const Array& target, const MaybeArray& weight, const Text& reduction,
                                   const MaybeTarget& out);
Array binary_cross_entropy_backward(const Array& dloss, const Array& x, const Array& target, const MaybeArray& weight,
                                    const Text& reduction, const MaybeTarget& out);
Array binary_cross_entropy_with_logits_forward(const Array& x, const Array& target, const MaybeArray& weight,
                                               const MaybeArray& pos_weight, const Text& reduction,
                                               const MaybeTarget& out);
Array binary_cross_entropy_with_logits_backward(const Array& dloss, const Array& x, const Array& target,
                                                const MaybeArray& weight, const MaybeArray& pos_weight,
                                                const Text& reduction, const MaybeTarget& out);
Array kl_div_forward(const Array& x, const Array& target, const Text& reduction, const Flag& log_target,
                     const MaybeTarget& out);
Array kl_div_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                      const Flag& log_target, const MaybeTarget& out);
Array hinge_loss_forward(const Array& x, const Array& target, const Text& reduction, const Flag& squared,
                         const MaybeTarget& out);
Array hinge_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                          const Flag& squared, const MaybeTarget& out);
Array hinge_embedding_loss_forward(const Array& x, const Array& target, const Text& reduction, const Real& margin,
                                   const MaybeTarget& out);
Array hinge_embedding_loss_backward(const Array& dloss, const Array& x, const Array& target, const Text& reduction,
                                    const Real& margin, const MaybeTarget& out);

// dropout.cpp: any shape
Array dropout_forward(const Array& x, const Real& p, const Unsigned& seed, const Unsigned& offset,
                      const MaybeTarget& out);
Array dropout_backward(const Array& dy, const Real& p, const Unsigned& seed, const Unsigned& offset,
                       const MaybeTarget& out);
Array alpha_dropout_forward(const Array& x, const Real& p, const Unsigned& seed, const Unsigned& offset,
                            const MaybeTarget& out);
Array alpha_dropout_backward(const Array& dy, const Real& p, const Unsigned& seed, const Unsigned& offset,
                             const MaybeTarget& out);
Array dropout_slices_forward(const Array& x, const Real& p, const Int& axes, const Unsigned& seed,
                             const Unsigned& offset, const MaybeTarget& out);
Array dropout_slices_backward(const Array& dy, const Real& p, const Int& axes, const Unsigned& seed,
                              const Unsigned& offset, const MaybeTarget& out);

// shape.cpp: any shape
Array flatten_forward(const Array& x, const Int& start_dim, const Int& end_dim, const MaybeTarget& out);
Array flatten_backward(const Array& dy, const ShapeArg& input_shape, const MaybeTarget& out);
Array concat_forward(const Arrays& xs, const Int& dim, const MaybeTarget& out);
Arrays concat_backward(const Array& dy, const IntsArg& sizes, const Int& dim, const MaybeTargets& out);

// scale.cpp: x and y of any shape, factor and found_inf scalars
Array scale_forward(const Array& x, const Array& factor, const MaybeTarget& found_inf, const MaybeTarget& out);

// clip.cpp: the norm of all xs together, which are of any shapes; x between -limit and limit
Array total_norm_forward(const Arrays& xs, const Real& p, const MaybeTarget& out);
Array clip_forward(const Array& x, const Real& limit, const MaybeTarget& out);

// optimizer.cpp: in place on everything but grad, all of param's shape; what all of them take is in Python the last
struct StepOptions {
  const Real &lr, &weight_decay, &l1;
  const Flag& maximize;
};
void sgd_step(const StepOptions& options, const Target& param, const Array& grad, const MaybeTarget& velocity,
              const Real& momentum, const Real& dampening, const Flag& nesterov, const Flag& first);
void lars_step(const StepOptions& options, const Target& param, const Array& grad, const MaybeTarget& velocity,
               const Real& momentum, const Real& trust_coefficient);
void adam_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
               const Target& exp_avg_sq, const MaybeTarget& max_exp_avg_sq, const StepArg& step, const Real& beta1,
               const Real& beta2, const Real& eps, const Flag& decoupled_weight_decay);
void nadam_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
                const Target& exp_avg_sq, const Int& step, const Real& mu, const Real& mu_next, const Real& mu_product,
                const Real& beta1, const Real& beta2, const Real& eps, const Flag& decoupled_weight_decay);
void adamax_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
                 const Target& exp_inf, const Int& step, const Real& beta1, const Real& beta2, const Real& eps);
void lamb_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
               const Target& exp_avg_sq, const Int& step, const Real& beta1, const Real& beta2, const Real& eps);
void adagrad_step(const StepOptions& options, const Target& param, const Array& grad, const Target& state_sum,
                  const Int& step, const Real& lr_decay, const Real& eps);
void adadelta_step(const StepOptions& options, const Target& param, const Array& grad, const Target& square_avg,
                   const Target& acc_delta, const Real& rho, const Real& eps);
void rmsprop_step(const StepOptions& options, const Target& param, const Array& grad, const Target& square_avg,
                  const MaybeTarget& grad_avg, const MaybeTarget& momentum_buffer, const Real& alpha, const Real& eps,
                  const Real& momentum);
void ema_step(const Target& average, const Array& param, const Real& decay);

// augment.cpp: images x (N, C, H, W) of the CPU; those that are cropped or normalised may be uint8
Array crop_flip_forward(const Array& x, const Array& offsets, const Array& flips, const PairArg& size,
                        const Text& padding_mode, const Real& fill, const MaybeTarget& out);
Array warp_images_forward(const Array& x, const Array& matrices, const MaybeArray& displacement,
                          const Text& interpolation, const Real& fill, const MaybeTarget& out);
Array blur_images_forward(const Array& x, const Array& weights, const Text& padding_mode, const MaybeTarget& out);
Array color_jitter_forward(const Array& x, const Array& factors, const Array& order, const Real& peak,
                           const MaybeTarget& out);
Array normalize_images_forward(const Array& x, const Array& mean, const Array& std, const MaybeTarget& out);
Array standardize_images_forward(const Array& x, const MaybeTarget& out);
Array mix_images_forward(const Array& x, const Array& partners, const Array& weights, const MaybeTarget& out);
Array uniform(const Array& streams, const Int& count, const Unsigned& seed);  // (N, count) float32

}  // namespace convolith::ops
