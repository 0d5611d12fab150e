// One plain struct per problem, and the only place where an output size is computed.
//
// Letters, everywhere: N batch, C input channels, H W input size, K output channels, R S kernel size,
// P Q output size, G groups.  Structs hold data only: kernels of every instruction set include this file,
// so it must not give them a shared inline function to emit (HACKING.md, "One source, several ISAs").
#pragma once

#include <cstdint>

namespace convolith {

enum class PaddingMode : std::uint8_t { zeros, reflect, replicate, circular };
enum class Activation : std::uint8_t { identity, relu };
enum class Reduction : std::uint8_t { none, mean, sum };
enum class Direction : std::uint8_t { forward, backward_input, backward_weight };

// How a convolution is computed; algorithms.hpp has the names.  `automatic` is a request: kernels are told which one.
// `tensor_core` is whichever of the two that follow it, by their instructions, serves.
enum class Algorithm : std::uint8_t { automatic, direct, gemm, depthwise, winograd, tensor_core, mma, wgmma };

// y[i] = f(x[i]) for i < n, and whatever else walks over n independent elements.
struct Map {
  std::int64_t n;
};

// The same of an activation, whose parameters are a and b in the order of activations.inc.
struct ActivationMap {
  std::int64_t n;
  double a, b;
};

// x (N, C, L) with a slope for each of C channels; C is 1 where one slope serves all.
struct Prelu {
  std::int64_t N, C, L;
};

// x (N, K * pieces, L) to y (N, K, L): the largest of `pieces` neighbouring channels.
struct Maxout {
  std::int64_t N, K, L, pieces;
};

struct Power {
  std::int64_t n;
  double exponent;
};

// y = f(a, b), or sums of f(a, b): how the arrays step along axes of the given extents, by 0 where one is repeated.
// Axes are in the order of memory, and neighbours are joined where every array steps evenly from one to the other.
// Those from `kept` on are summed over: y has none of them.
struct Broadcast {
  int rank, kept;
  std::int64_t extent[16], a[16], b[16], y[16];
  double number;  // stands for an operand that is null; of sums a factor
};

// Correlation of x (N, C, H, W) with w (K, C/G, R, S) into y (N, K, P, Q), which ends with `activation`.
struct Conv2d {
  std::int64_t N, C, H, W, K, R, S, P, Q, G;
  std::int64_t stride_h, stride_w, dilation_h, dilation_w;
  std::int64_t pad_top, pad_bottom, pad_left, pad_right;
  PaddingMode padding_mode;
  Activation activation;
  Algorithm algorithm;
  bool prepared;  // the filter comes transformed already
};

// What serves a Conv2d, and why.  `automatic` where the algorithm asked for cannot; `reason` then says what it needs.
// `detail` ends the reason.  `prepared` times K C/G elements hold a filter that is transformed once for many calls, 0
// where nothing is to be.
struct Conv2dPlan {
  Algorithm algorithm;
  const char* reason;
  std::int64_t prepared;
  const char* detail = "";
};

// Windows of R x S over x (N, C, H, W) into y (N, C, P, Q).
struct Pool2d {
  std::int64_t N, C, H, W, R, S, P, Q;
  std::int64_t stride_h, stride_w, dilation_h, dilation_w;
  std::int64_t pad_top, pad_bottom, pad_left, pad_right;
  bool count_include_pad;
  std::int64_t divisor_override;  // 0: none
};

// The same windows: of each the sum of x^norm, to the power of 1 / norm.
struct LpPool2d {
  Pool2d windows;
  double norm;
};

// x (N, C, H, W) with `top` more rows before it and so on, fewer where negative, which only `zeros` allows; what that
// mode adds is `value`.
struct Pad2d {
  std::int64_t N, C, H, W;
  std::int64_t top, bottom, left, right;
  PaddingMode mode;
  double value;
};

// Where the outputs of an axis are read: output o at (o + offset) * in / out - offset.
struct Ratio {
  double in, out, offset;
};
// x (N, C, H, W) into y (N, C, P, Q): the nearest position to the left, or `linear` between two.
struct Interpolate2d {
  std::int64_t N, C, H, W, P, Q;
  Ratio rows, columns;
  bool linear;
};

// Windows [floor(i H / P), ceil((i + 1) H / P)) over x (N, C, H, W) into y (N, C, P, Q).
struct AdaptivePool2d {
  std::int64_t N, C, H, W, P, Q;
};

// x (N, C, L): statistics over N and L for each of C channels.
struct BatchNorm {
  std::int64_t N, C, L;
  Activation activation;
  bool training;
  double momentum, eps;
};

// x (N, C, L) in N G rows, each C / G channels one after the other, with statistics of its own.  Of instance norm
// momentum is the weight of the new value in running statistics.
struct GroupNorm {
  std::int64_t N, C, L, G;
  double eps, momentum;
};

// x (N, C, L): windows of channels [c - before, c + after], as far as there are any.  alpha is that of one element.
struct ResponseNorm {
  std::int64_t N, C, L, before, after;
  double alpha, beta, k;
};

// x (outer, L, inner): a distribution along the middle axis.
struct Softmax {
  std::int64_t outer, L, inner;
};

// Logits x (N, C, L), or their logarithmic softmax, one target per (n, l).
struct CrossEntropy {
  std::int64_t N, C, L;
  Reduction reduction;
  std::int64_t ignore_index;
  double label_smoothing;
};

// Scores x (N, C), a label per row: the sum over the other classes of max(0, margin - x_label + x_c)^p, divided by C.
struct MultiMarginLoss {
  std::int64_t N, C;
  Reduction reduction;
  std::int64_t p;  // 1 or 2
  double margin;
};

// Losses of one number and its target.
enum class Pointwise : std::uint8_t {
  squared,
  absolute,
  huber,
  smooth_l1,
  binary_cross_entropy,
  binary_cross_entropy_with_logits,
  kl_div,
  kl_div_log_target,
  hinge,
  squared_hinge,
  hinge_embedding
};

// Of n numbers and a target each: their losses, or one value, the sum of them divided by `divisor`, or the root of
// that.
struct PointwiseLoss {
  std::int64_t n;
  Pointwise kind;
  double parameter;  // huber's delta, smooth_l1's beta, hinge_embedding's margin
  bool reduced, root;
  double divisor;
};

// y[i] = log(max(x[i], least)) for i < n.
struct ClampedLog {
  std::int64_t n;
  double least;
};

// y (N, O) = x (N, I) w (O, I)^T.
struct Linear {
  std::int64_t N, I, O;
};

// y (N, O, L) = x (N, I, L) w (L, O, I)^T at each of L positions.
struct LocalLinear {
  std::int64_t N, I, O, L;
};

// Sum of dy (N, K, L) over N and L into (K); or a bias (K) added to y (N, K, L).
struct BiasSum {
  std::int64_t N, K, L;
};

// Element i of x (n / (C L), C, L), counted row by row, is kept where uniform(seed, offset, i) >= p, as scale x +
// shift; else `dropped` takes its place.  C and L matter where channels lie last in memory.  Of slices, which are
// dropped as one, i counts those of L elements.
struct Dropout {
  std::int64_t n, C, L;
  double p;
  std::uint64_t seed, offset;
  double scale, shift, dropped;
};

// Copies `rows` rows of `width` elements between arrays of the given row pitches: one piece of a concat.
struct CopyRows {
  std::int64_t rows, width, from_pitch, to_pitch;
};

// y = (sum |x[i]|^p)^(1 / root) for i < n and p 1 or 2; the largest |x[i]| for an infinite p.
struct TotalNorm {
  std::int64_t n;
  double p, root;
};

// y[i] = x[i], but limit where it is larger and -limit where it is smaller.
struct Clip {
  std::int64_t n;
  double limit;
};

// What optimizers do to an element beside their own formula: it gets g = +-grad + weight_decay w + l1 sign(w), minus
// with `maximize`.  A decoupled decay multiplies w by 1 - lr weight_decay and leaves g alone.
struct Descent {
  std::int64_t n;
  double lr, weight_decay, l1;
  bool maximize, decoupled;
};

struct SgdStep : Descent {
  double momentum, dampening;
  bool nesterov, first;
};

struct LarsStep : Descent {
  double momentum, trust_coefficient;
};

struct AdamStep : Descent {
  std::int64_t step;
  double beta1, beta2, eps;
};

struct NAdamStep : AdamStep {
  double mu, mu_next, mu_product;
};

struct AdagradStep : Descent {
  double eps;
};

struct AdadeltaStep : Descent {
  double rho, eps;
};

struct RMSpropStep : Descent {
  double alpha, eps, momentum;
};

struct EmaStep {
  std::int64_t n;
  double decay;
};

// N images of C channels of L pixels.
struct Images {
  std::int64_t N, C, L;
};

// Windows of x (N, C, H, W) into y (N, C, P, Q), each with offsets and flips of its own; elements of 1, 4 or 8 bytes.
struct CropFlip {
  std::int64_t N, C, H, W, P, Q;
  PaddingMode padding_mode;
  double fill;  // instead of zeros
  std::int64_t item_size;
};

// x (N, C, H, W), read anew at other positions; `fill` outside.
struct Warp {
  std::int64_t N, C, H, W;
  bool bilinear;
  double fill;
};

// Correlation of each of N planes (H, W) with the same R weights along either axis; R is odd.
struct Blur {
  std::int64_t N, H, W, R;
  PaddingMode padding_mode;
};

// N images of C = 1 or 3 channels of L pixels, 0 black and `peak` white.
struct ColorJitter {
  std::int64_t N, C, L;
  double peak;
};

// y (N, L): the first L numbers of each of N streams.
struct Uniform {
  std::int64_t N, L;
  std::uint64_t seed;
};

// Output extent of a sliding window; ceil_mode drops a window that would start in the far padding.
// May be zero or negative where the window does not fit: ops/ reports that.
constexpr std::int64_t window_outputs(std::int64_t in, std::int64_t window, std::int64_t stride, std::int64_t dilation,
                                      std::int64_t pad_begin, std::int64_t pad_end, bool ceil_mode = false) {
  const std::int64_t span = dilation * (window - 1) + 1;
  const std::int64_t slack = in + pad_begin + pad_end - span;
  if (slack < 0) return 0;
  std::int64_t out = slack / stride + 1;
  if (ceil_mode && slack % stride != 0 && out * stride < in + pad_begin) ++out;
  return out;
}

// Total padding for 'same': out = ceil(in / stride), the odd cell goes to the end (TensorFlow's SAME).
constexpr std::int64_t same_padding(std::int64_t in, std::int64_t window, std::int64_t stride, std::int64_t dilation) {
  const std::int64_t out = (in + stride - 1) / stride;
  const std::int64_t total = (out - 1) * stride + dilation * (window - 1) + 1 - in;
  return total > 0 ? total : 0;
}

}  // namespace convolith
