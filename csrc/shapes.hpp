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

struct LeakyRelu {
  std::int64_t n;
  double negative_slope;
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

// x (outer, L, inner): a distribution along the middle axis.
struct Softmax {
  std::int64_t outer, L, inner;
};

// Logits x (N, C, L), one target per (n, l).
struct CrossEntropy {
  std::int64_t N, C, L;
  Reduction reduction;
  std::int64_t ignore_index;
  double label_smoothing;
};

// y (N, O) = x (N, I) w (O, I)^T.
struct Linear {
  std::int64_t N, I, O;
};

// Sum of dy (N, K, L) over N and L into (K).
struct BiasSum {
  std::int64_t N, K, L;
};

// Element i of x (n / (C L), C, L), counted row by row, is kept where uniform(seed, offset, i) >= p.  C and L matter
// where channels lie last in memory.
struct Dropout {
  std::int64_t n, C, L;
  double p;
  std::uint64_t seed, offset;
};

// Copies `rows` rows of `width` elements between arrays of the given row pitches: one piece of a concat.
struct CopyRows {
  std::int64_t rows, width, from_pitch, to_pitch;
};

struct SgdStep {
  std::int64_t n;
  double lr, momentum, dampening, weight_decay;
  bool nesterov, first;
};

struct AdamStep {
  std::int64_t n, step;
  double lr, beta1, beta2, eps, weight_decay;
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
