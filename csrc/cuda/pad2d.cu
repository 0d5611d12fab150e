// Padding, and the gradient that adds up the copies of each position: bound by memory.
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// The outputs that copy one position: one in the border before it or -1, `count` in a row from `first` on, and one in
// the border behind or -1.
struct Copies {
  int before, first, count, behind;

  __device__ __forceinline__ int size() const { return count + (before >= 0) + (behind >= 0); }
  __device__ __forceinline__ int operator[](int i) const {
    if (before >= 0 && i-- == 0) return before;
    return i < count ? first + i : behind;
  }
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
    if (mode == PaddingMode::zeros) return {-1, at, at >= 0 && at < out, -1};
    if (mode == PaddingMode::replicate) {
      const int first = i == 0 ? 0 : at, end = i == in - 1 ? out : at + 1;
      return {-1, first, end - first, -1};
    }
    const bool circular = mode == PaddingMode::circular;
    const int low = circular ? i - in : -i, high = circular ? i + in : 2 * (in - 1) - i;
    return {low < 0 && low >= -before ? low + before : -1, at, 1, high >= in && high < in + after ? high + before : -1};
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
    for (int i = 0; i < down.size(); ++i)
      for (int j = 0; j < across.size(); ++j) total.add(dy[((n * P + down[i]) * Q + across[j]) * C + c]);
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
