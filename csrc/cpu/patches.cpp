// Convolution taken apart: unfold writes out what each window reads, R S times the image; fold adds windows up where
// they lie.  Bound by memory: rows are copied, or added, whole.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Calls f(row, h, w, first, last) for every row of y (R, S, P, Q): its outputs [first, last) meet x[h, w + q stride_w],
// all others, which are all where first = last, padding.
template <class F>
CONVOLITH_INLINE void for_rows(const Pool2d& p, const F& f) {
  for (std::int64_t r = 0; r < p.R; ++r) {
    for (std::int64_t s = 0; s < p.S; ++s) {
      const std::int64_t w = s * p.dilation_w - p.pad_left;
      const std::int64_t before = w < 0 ? ceil_div(-w, p.stride_w) : 0;
      const std::int64_t inside = w < p.W ? ceil_div(p.W - w, p.stride_w) : 0;
      const std::int64_t first = min_of(before, p.Q), last = max_of(first, min_of(inside, p.Q));
      for (std::int64_t i = 0; i < p.P; ++i) {
        const std::int64_t h = i * p.stride_h - p.pad_top + r * p.dilation_h, row = (r * p.S + s) * p.P + i;
        h >= 0 && h < p.H ? f(row, h, w, first, last) : f(row, h, w, 0, 0);
      }
    }
  }
}

}  // namespace

// x (N, C, H, W), y (N, C, R, S, P, Q)
template <class T>
void unfold_forward(const Pool2d& p, const T* x, T* y) {
  const std::int64_t taps = p.R * p.S * p.P * p.Q;
  parallel_for(p.N * p.C, taps / 4, [&](std::int64_t plane, int) {
    const T* image = x + plane * p.H * p.W;
    for_rows(p, [&](std::int64_t row, std::int64_t h, std::int64_t w, std::int64_t first, std::int64_t last) {
      const T* from = image + h * p.W + w;
      T* to = y + plane * taps + row * p.Q;
      std::memset(to, 0, static_cast<std::size_t>(first) * sizeof(T));
      if (p.stride_w == 1)
        std::memcpy(to + first, from + first, static_cast<std::size_t>(last - first) * sizeof(T));
      else
        for (std::int64_t q = first; q < last; ++q) to[q] = from[q * p.stride_w];
      std::memset(to + last, 0, static_cast<std::size_t>(p.Q - last) * sizeof(T));
    });
  });
}
INSTANTIATE(unfold_forward)

// x (N, C, R, S, P, Q), y (N, C, H, W).  Planes are independent.
template <class T>
void fold_forward(const Pool2d& p, const T* x, T* y) {
  const std::int64_t taps = p.R * p.S * p.P * p.Q;
  parallel_for(p.N * p.C, taps / 4, [&](std::int64_t plane, int) {
    T* image = y + plane * p.H * p.W;
    std::memset(image, 0, static_cast<std::size_t>(p.H * p.W) * sizeof(T));
    for_rows(p, [&](std::int64_t row, std::int64_t h, std::int64_t w, std::int64_t first, std::int64_t last) {
      const T* from = x + plane * taps + row * p.Q;
      T* to = image + h * p.W + w;
      if (p.stride_w == 1)
        for_lanes<T>(first, last, [&](std::int64_t q, auto n) CONVOLITH_INLINED {
          (Lanes<T>::load(to + q, n) + Lanes<T>::load(from + q, n)).store(to + q, n);
        });
      else
        for (std::int64_t q = first; q < last; ++q) to[q * p.stride_w] += from[q];
    });
  });
}
INSTANTIATE(fold_forward)

}  // namespace convolith::CONVOLITH_ISA
