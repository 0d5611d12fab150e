// A linear map of its own at each position.  w, L I O elements, is the largest array by far: it is read or written
// once, or in forward and the input gradient once for so many images.
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

constexpr int images = 8;

// x (N, L, from), w (L, I, O), y (N, L, to), bias (to, L) or null: y = the sum of x w over w's other axis.  Position n
// stands for images n * 8, ..., which share what is read of w.
template <class T, bool transposed>
struct LocalMap {
  LocalLinear p;
  const T *x, *w, *bias;
  T* y;

  __device__ __forceinline__ void operator()(std::int64_t n, int, int l, std::int64_t to) const {
    const std::int64_t from_count = transposed ? p.O : p.I, to_count = transposed ? p.I : p.O, first = n * images;
    const T* weight = w + l * p.I * p.O + (transposed ? to * p.O : to);
    float total[images] = {};
    for (std::int64_t i = 0; i < from_count; ++i) {
      const auto v = static_cast<float>(weight[transposed ? i : i * p.O]);
#pragma unroll
      for (int b = 0; b < images; ++b)
        if (first + b < p.N) total[b] += v * static_cast<float>(x[((first + b) * p.L + l) * from_count + i]);
    }
    const float offset = bias ? static_cast<float>(bias[to * p.L + l]) : 0;
#pragma unroll
    for (int b = 0; b < images; ++b)
      if (first + b < p.N) y[((first + b) * p.L + l) * to_count + to] = static_cast<T>(total[b] + offset);
  }
};

// dy (N, L, O), x (N, L, I), dw (L, I, O)
template <class T>
struct WeightGradient {
  LocalLinear p;
  const T *dy, *x;
  T* dw;

  __device__ __forceinline__ void operator()(std::int64_t l, int, int i, std::int64_t o) const {
    float total = 0;
    for (std::int64_t n = 0; n < p.N; ++n)
      total += static_cast<float>(dy[(n * p.L + l) * p.O + o]) * static_cast<float>(x[(n * p.L + l) * p.I + i]);
    dw[(l * p.I + i) * p.O + o] = static_cast<T>(total);
  }
};

// dy (N, L, O), dbias (O, L)
template <class T>
struct LocalBiasGradient {
  LocalLinear p;
  const T* dy;
  T* dbias;

  __device__ __forceinline__ void operator()(std::int64_t, int, int l, std::int64_t o) const {
    float total = 0;
    for (std::int64_t n = 0; n < p.N; ++n) total += static_cast<float>(dy[(n * p.L + l) * p.O + o]);
    dbias[o * p.L + l] = static_cast<T>(total);
  }
};

}  // namespace

// x (N, L, I), w (L, I, O), bias (O, L) or null, y (N, L, O)
template <class T>
void local_linear_forward(const LocalLinear& p, const T* x, const T* w, const T* bias, T* y) {
  at_positions("local_linear_forward", ceil_div(p.N, images), 1, p.L, p.O, LocalMap<T, false>{p, x, w, bias, y});
}
INSTANTIATE(local_linear_forward)

// dy (N, L, O), w (L, I, O), dx (N, L, I)
template <class T>
void local_linear_backward_input(const LocalLinear& p, const T* dy, const T* w, T* dx) {
  at_positions("local_linear_backward_input", ceil_div(p.N, images), 1, p.L, p.I,
               LocalMap<T, true>{p, dy, w, nullptr, dx});
}
INSTANTIATE(local_linear_backward_input)

// dy (N, L, O), x (N, L, I), dw (L, I, O)
template <class T>
void local_linear_backward_weight(const LocalLinear& p, const T* dy, const T* x, T* dw) {
  at_positions("local_linear_backward_weight", p.L, 1, p.I, p.O, WeightGradient<T>{p, dy, x, dw});
}
INSTANTIATE(local_linear_backward_weight)

// dy (N, L, O), dbias (O, L)
template <class T>
void local_linear_backward_bias(const LocalLinear& p, const T* dy, T* dbias) {
  at_positions("local_linear_backward_bias", 1, 1, p.L, p.O, LocalBiasGradient<T>{p, dy, dbias});
}
INSTANTIATE(local_linear_backward_bias)

}  // namespace convolith::CONVOLITH_DEVICE
