// The algorithms of a convolution on a GPU, which conv2d.cu chooses from.  None of them meets a padding mode but zeros:
// borders of other kinds are written out first.
#pragma once

#include "launch.hpp"

namespace convolith::CONVOLITH_DEVICE {

// x (N, H, W, C), w (K, R, S, C/G), bias (K) or null, residual and y (N, P, Q, K), the former may be null
#define ALGORITHM(name)                                                                                   \
  template <class T>                                                                                      \
  void conv2d_##name##_forward(const Conv2d& p, const T* x, const T* w, const T* prepared, const T* bias, \
                               const T* residual, T* y);                                                  \
  template <class T>                                                                                      \
  void conv2d_##name##_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);                   \
  template <class T>                                                                                      \
  void conv2d_##name##_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw);
ALGORITHM(direct)
ALGORITHM(depthwise)
ALGORITHM(tensor)
ALGORITHM(wgmma)
#undef ALGORITHM

// What p lacks for an algorithm, null where it fits.
const char* conv2d_depthwise_needs(const Conv2d& p);
template <class T>
const char* conv2d_tensor_needs(const Conv2d& p);
template <class T>
const char* conv2d_wgmma_needs(const Conv2d& p, Direction direction);

// One axis of a convolution, or of its input gradient, as a gather.
struct Axis {
  int outputs, first, every;        // output i lies at first + i * every
  int inputs, start, stride, step;  // its tap j reads position start + i * stride + j * step; beyond `inputs` lie zeros
  int taps, tap, next;              // tap j is row (column) tap + j * next of the filter
};

template <class... I>
constexpr Axis make_axis(I... values) {
  return {static_cast<int>(values)...};
}
inline Axis vertical(const Conv2d& p) {
  return make_axis(p.P, 0, 1, p.H, -p.pad_top, p.stride_h, p.dilation_h, p.R, 0, 1);
}
inline Axis horizontal(const Conv2d& p) {
  return make_axis(p.Q, 0, 1, p.W, -p.pad_left, p.stride_w, p.dilation_w, p.S, 0, 1);
}

// The gradient of the positions residue, residue + stride, ... of the input: those that meet the same taps, so that
// they gather as a convolution of stride 1 does.
__host__ __device__ inline Axis transposed(const Axis& a, int residue) {
  const int reach = residue - a.start;  // output p = (reach - tap * step) / stride reads `residue` with `tap`
  int tap = 0, next = 1;
  while (tap < a.taps && (reach - tap * a.step) % a.stride != 0) ++tap;
  while (next * a.step % a.stride != 0) ++next;
  const int taps = tap < a.taps ? (a.taps - 1 - tap) / next + 1 : 0, last = tap + (taps - 1) * next;
  return {ceil_div(a.inputs - residue, a.stride),
          residue,
          a.stride,
          a.outputs,
          (reach - last * a.step) / a.stride,
          1,
          next * a.step / a.stride,
          taps,
          last,
          -next};
}
// How many residues there are.
__host__ __device__ inline int residues(const Axis& a) {
  return a.stride < a.inputs ? a.stride : a.inputs;
}

// A convolution as a product of matrices, in `splits` parts.  Per group: forward reads `channels` and writes `filters`,
// the input gradient reads filters and writes channels, and calls these what it does with them.
struct Product {
  int N, G, splits, channels, filters;
  Axis v, h;  // of the forward pass
};
inline Product product(const Conv2d& p, std::int64_t splits, std::int64_t channels, std::int64_t filters) {
  return {static_cast<int>(p.N),
          static_cast<int>(p.G),
          static_cast<int>(splits),
          static_cast<int>(channels),
          static_cast<int>(filters),
          vertical(p),
          horizontal(p)};
}

// Walks over (a, b, c) of extents (any, B, C), c fastest, `by` at a time.
template <int by>
struct Counter {
  int a, b, c, B, C, by_a, by_b, by_c;

  __device__ Counter(std::int64_t first, int extent, int C) : B(extent > 0 ? extent : 1), C(C) {
    a = static_cast<int>(first / C / B), b = static_cast<int>(first / C % B), c = static_cast<int>(first % C);
    by_a = by / C / B, by_b = by / C % B, by_c = by % C;
  }

  __device__ void advance() {
    a += by_a, b += by_b, c += by_c;
    if (c >= C) c -= C, ++b;
    if (b >= B) b -= B, ++a;
  }
};

}  // namespace convolith::CONVOLITH_DEVICE
