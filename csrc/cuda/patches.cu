// Convolution taken apart: unfold writes out what each window reads, R S times the image, which bounds it; fold adds
// windows up where they lie, and its reads, R S elements apart, come from L2.
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// x (N, H, W, C), y (N, P, Q, C R S)
template <class T>
struct Unfold {
  Pool2d p;
  const T* x;
  T* y;

  __device__ __forceinline__ void operator()(std::int64_t n, int i, int j, std::int64_t at) const {
    const auto size = static_cast<unsigned>(p.R * p.S), width = static_cast<unsigned>(p.S);
    const unsigned c = static_cast<unsigned>(at) / size, tap = static_cast<unsigned>(at) % size;
    const std::int64_t h = i * p.stride_h - p.pad_top + tap / width * p.dilation_h;
    const std::int64_t w = j * p.stride_w - p.pad_left + tap % width * p.dilation_w;
    const bool inside = h >= 0 && h < p.H && w >= 0 && w < p.W;
    y[((n * p.P + i) * p.Q + j) * p.C * size + at] = inside ? x[((n * p.H + h) * p.W + w) * p.C + c] : T(0.0f);
  }
};

// Calls f(tap, output) for the taps of an axis that meet position i.
template <class F>
__device__ __forceinline__ void for_taps(std::int64_t i, std::int64_t taps, std::int64_t outputs, std::int64_t stride,
                                         std::int64_t dilation, const F& f) {
#pragma unroll 1  // unrolled, loops within loops keep registers in memory
  for (int tap = 0; tap < taps; ++tap) {
    const auto reach = static_cast<int>(i - tap * dilation), step = static_cast<int>(stride);
    if (reach >= 0 && reach % step == 0 && reach / step < outputs) f(tap, reach / step);
  }
}

// x (N, P, Q, C R S), y (N, H, W, C)
template <class T>
struct Fold {
  Pool2d p;
  const T* x;
  T* y;

  __device__ __forceinline__ void operator()(std::int64_t n, int h, int w, std::int64_t c) const {
    float total = 0;
    for_taps(h + p.pad_top, p.R, p.P, p.stride_h, p.dilation_h, [&](int r, int i) {
      for_taps(w + p.pad_left, p.S, p.Q, p.stride_w, p.dilation_w, [&](int s, int j) {
        const std::int64_t position = (n * p.P + i) * p.Q + j;
        total += static_cast<float>(x[((position * p.C + c) * p.R + r) * p.S + s]);
      });
    });
    y[((n * p.H + h) * p.W + w) * p.C + c] = static_cast<T>(total);
  }
};

}  // namespace

// x (N, H, W, C), y (N, P, Q, C R S)
template <class T>
void unfold_forward(const Pool2d& p, const T* x, T* y) {
  at_positions("unfold_forward", p.N, p.P, p.Q, p.C * p.R * p.S, Unfold<T>{p, x, y});
}
INSTANTIATE(unfold_forward)

// x (N, P, Q, C R S), y (N, H, W, C)
template <class T>
void fold_forward(const Pool2d& p, const T* x, T* y) {
  at_positions("fold_forward", p.N, p.H, p.W, p.C, Fold<T>{p, x, y});
}
INSTANTIATE(fold_forward)

}  // namespace convolith::CONVOLITH_DEVICE
