// Average pooling: R S additions per output, and as many in all backward.
#include "pool2d_forward.hpp"

namespace convolith::CONVOLITH_DEVICE {

// x (N, H, W, C), y (N, P, Q, C)
template <class T>
void avg_pool2d_forward(const Pool2d& p, const T* x, T* y) {
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Average<T, V> average{in_channels<V>(y)};
    reduce_windows("avg_pool2d_forward", p.N, p.C / V, rows_of(p), columns_of(p), in_channels<V>(x), average);
  });
}
INSTANTIATE(avg_pool2d_forward)

// dy (N, P, Q, C), dx (N, H, W, C)
template <class T>
void avg_pool2d_backward(const Pool2d& p, const T* dy, T* dx) {
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const AverageGradient<T, V> gradient{in_channels<V>(dy)};
    gather("avg_pool2d_backward", p.N, p.C / V, rows_of(p), columns_of(p), gradient, in_channels<V>(dx));
  });
}
INSTANTIATE(avg_pool2d_backward)

}  // namespace convolith::CONVOLITH_DEVICE
