// Pooling to a given size.  A single window, which is the whole plane, is one long row.
#include "pool2d_forward.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

bool one_row(const AdaptivePool2d& p) {
  return p.P == 1 && p.Q == 1 && p.H * p.W < 1 << 29;
}
Adaptive rows_of(const AdaptivePool2d& p) {
  return {one_row(p) ? 1 : p.H, p.P};
}
Adaptive columns_of(const AdaptivePool2d& p) {
  return {one_row(p) ? p.H * p.W : p.W, p.Q};
}

}  // namespace

// x (N, H, W, C), y (N, P, Q, C)
template <class T>
void adaptive_avg_pool2d_forward(const AdaptivePool2d& p, const T* x, T* y) {
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Average<T, V> average{in_channels<V>(y)};
    reduce_windows("adaptive_avg_pool2d_forward", p.N, p.C / V, rows_of(p), columns_of(p), in_channels<V>(x), average);
  });
}
INSTANTIATE(adaptive_avg_pool2d_forward)

// dy (N, P, Q, C), dx (N, H, W, C)
template <class T>
void adaptive_avg_pool2d_backward(const AdaptivePool2d& p, const T* dy, T* dx) {
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const AverageGradient<T, V> gradient{in_channels<V>(dy)};
    gather("adaptive_avg_pool2d_backward", p.N, p.C / V, rows_of(p), columns_of(p), gradient, in_channels<V>(dx));
  });
}
INSTANTIATE(adaptive_avg_pool2d_backward)

// x (N, H, W, C), y, indices (N, P, Q, C); backward is max_pool2d_backward
template <class T>
void adaptive_max_pool2d_forward(const AdaptivePool2d& p, const T* x, T* y, std::int64_t* indices) {
  by_width<float>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Extreme<T, V, false> maximum{in_channels<V>(y), in_channels<V>(indices)};
    reduce_windows("adaptive_max_pool2d_forward", p.N, p.C / V, rows_of(p), columns_of(p), in_channels<V>(x), maximum);
  });
}
INSTANTIATE(adaptive_max_pool2d_forward)

}  // namespace convolith::CONVOLITH_DEVICE
