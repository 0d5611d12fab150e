// Padding, and the gradient that adds up the copies of each position: bound by memory.
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// The outputs that copy one position: up to three ranges.
struct Copies {
  int first[3], last[3];
};

// `in` positions, `before` and `after` more at the ends.
struct Border {
  int in, before, after;
  PaddingMode mode;

  // Where output o is read from, -1 for the value.
  __device__ __forceinline__ int source(int o) const {
    const int at = o - before;
    if (at >= 0 && at < in) return at;
    if (mode == PaddingMode::zeros) return -1;
    if (mode == PaddingMode::replicate) return at < 0 ? 0 : in - 1;        // a a | a b c | c c
    if (mode == PaddingMode::circular) return at < 0 ? at + in : at - in;  // b c | a b c | a b
    return at < 0 ? -at : 2 * (in - 1) - at;                               // c b | a b c | b a
  }
  __device__ __forceinline__ Copies copies_of(int i) const {
    const int out = in + before + after, at = i + before;
    if (mode == PaddingMode::zeros) return {{at, 0, 0}, {at >= 0 && at < out ? at : at - 1, -1, -1}};
    if (mode == PaddingMode::replicate) return {{i == 0 ? 0 : at, 0, 0}, {i == in - 1 ? out - 1 : at, -1, -1}};
    const bool circular = mode == PaddingMode::circular;
    int low = circular ? i - in : -i, high = circular ? i + in : 2 * (in - 1) - i;  // beyond the ends, if they exist
    const bool has_low = low < 0 && low >= -before, has_high = high >= in && high < in + after;
    low = has_low ? low + before : 0, high = has_high ? high + before : 0;
    return {{low, at, high}, {has_low ? low : -1, at, has_high ? high : -1}};
  }
};
Border rows_of(const Pad2d& p) {
  return {static_cast<int>(p.H), static_cast<int>(p.top), static_cast<int>(p.bottom), p.mode};
}
Border columns_of(const Pad2d& p) {
  return {static_cast<int>(p.W), static_cast<int>(p.left), static_cast<int>(p.right), p.mode};
}

// x (N, H, W, C), y (N, P, Q, C)
template <class T, int V>
struct Copy {
  Border rows, columns;
  std::int64_t C, P, Q;
  T value;
  const Vector<T, V>* x;
  Vector<T, V>* y;

  __device__ __forceinline__ void operator()(std::int64_t n, int p, int q, std::int64_t c) const {
    const int h = rows.source(p), w = columns.source(q);
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = value;
    if (h >= 0 && w >= 0) out = x[((n * rows.in + h) * columns.in + w) * C + c];
    y[((n * P + p) * Q + q) * C + c] = out;
  }
};

// dy (N, P, Q, C), dx (N, H, W, C)
template <class T, int V>
struct CopyGradient {
  Border rows, columns;
  std::int64_t C, P, Q;
  const Vector<T, V>* dy;
  Vector<T, V>* dx;

  __device__ __forceinline__ void operator()(std::int64_t n, int h, int w, std::int64_t c) const {
    const Copies down = rows.copies_of(h), across = columns.copies_of(w);
    Total<V> total;
    for (int i = 0; i < 3; ++i)
      for (int p = down.first[i]; p <= down.last[i]; ++p)
        for (int j = 0; j < 3; ++j)
          for (int q = across.first[j]; q <= across.last[j]; ++q) total.add(dy[((n * P + p) * Q + q) * C + c]);
    dx[((n * rows.in + h) * columns.in + w) * C + c] = total.as(T{});
  }
};

}  // namespace

// x (N, H, W, C), y (N, P, Q, C)
template <class T>
void pad2d_forward(const Pad2d& p, const T* x, T* y) {
  const std::int64_t P = p.H + p.top + p.bottom, Q = p.W + p.left + p.right;
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Copy<T, V> copy{
        rows_of(p),        columns_of(p),    p.C / V, P, Q, static_cast<T>(static_cast<float>(p.value)),
        in_channels<V>(x), in_channels<V>(y)};
    at_positions("pad2d_forward", p.N, P, Q, p.C / V, copy);
  });
}
INSTANTIATE(pad2d_forward)

// dy (N, P, Q, C), dx (N, H, W, C)
template <class T>
void pad2d_backward(const Pad2d& p, const T* dy, T* dx) {
  const std::int64_t P = p.H + p.top + p.bottom, Q = p.W + p.left + p.right;
  by_width<T>(p.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const CopyGradient<T, V> gradient{rows_of(p), columns_of(p), p.C / V, P, Q, in_channels<V>(dy), in_channels<V>(dx)};
    at_positions("pad2d_backward", p.N, p.H, p.W, p.C / V, gradient);
  });
}
INSTANTIATE(pad2d_backward)

}  // namespace convolith::CONVOLITH_DEVICE
