// Power-average pooling: R S powers per output, and as many in all backward.
#include "positions.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

// v^e; the powers that norms 1 and 2 need without a function call.
__device__ __forceinline__ float power(float v, float e) {
  if (e == 0) return 1;
  if (e == 1) return v;
  if (e == 2) return v * v;
  if (e == 0.5f) return sqrtf(v);
  if (e == -1) return 1 / v;
  return powf(v, e);
}

struct Windows {
  Sliding rows, columns;
  float norm, taps;

  explicit Windows(const LpPool2d& p)
      : rows(rows_of(p.windows)),
        columns(columns_of(p.windows)),
        norm(static_cast<float>(p.norm)),
        taps(static_cast<float>(p.windows.R * p.windows.S)) {}
  // What a sum over window (p, q), which may be cut off, is multiplied by.
  __device__ __forceinline__ float scale(int p, int q) const { return taps / (rows.extent(p) * columns.extent(q)); }
};

// x (N, H, W, C), y (N, P, Q, C)
template <class T, int V>
struct Norm {
  Windows of;
  std::int64_t C;
  const Vector<T, V>* x;
  Vector<T, V>* y;

  __device__ __forceinline__ void operator()(std::int64_t n, int p, int q, std::int64_t c) const {
    const Sliding &rows = of.rows, &columns = of.columns;
    const int top = rows.window_of(p).begin, bottom = min(top + rows.window, rows.in);
    const int left = columns.window_of(q).begin, right = min(left + columns.window, columns.in);
    Vector<float, V> sum{};
    for (int h = top; h < bottom; ++h) {
      for (int w = left; w < right; ++w) {
        const Vector<T, V> v = x[((n * rows.in + h) * columns.in + w) * C + c];
#pragma unroll
        for (int j = 0; j < V; ++j) sum.v[j] += power(static_cast<float>(v.v[j]), of.norm);
      }
    }
    const float scale = of.scale(p, q);
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j) out.v[j] = static_cast<T>(power(sum.v[j] * scale, 1 / of.norm));
    y[((n * rows.out + p) * columns.out + q) * C + c] = out;
  }
};

// dy, y (N, P, Q, C), x, dx (N, H, W, C): x^(norm - 1) times the sum of dy / y^(norm - 1), nothing where y is 0
template <class T, int V>
struct NormGradient {
  Windows of;
  std::int64_t C;
  const Vector<T, V>*dy, *x, *y;
  Vector<T, V>* dx;

  __device__ __forceinline__ void operator()(std::int64_t n, int h, int w, std::int64_t c) const {
    const Span down = of.rows.outputs_of(h), across = of.columns.outputs_of(w);
    Vector<float, V> sum{};
    for (int p = down.begin; p < down.begin + down.count; ++p) {
      for (int q = across.begin; q < across.begin + across.count; ++q) {
        const std::int64_t at = ((n * of.rows.out + p) * of.columns.out + q) * C + c;
        const Vector<T, V> gradient = dy[at], norm = y[at];
        const float scale = of.scale(p, q);
#pragma unroll
        for (int j = 0; j < V; ++j) {
          const auto v = static_cast<float>(norm.v[j]);
          if (v != 0) sum.v[j] += static_cast<float>(gradient.v[j]) * scale * power(v, 1 - of.norm);
        }
      }
    }
    const std::int64_t at = ((n * of.rows.in + h) * of.columns.in + w) * C + c;
    const Vector<T, V> v = x[at];
    Vector<T, V> out;
#pragma unroll
    for (int j = 0; j < V; ++j)
      out.v[j] = static_cast<T>(sum.v[j] == 0 ? 0 : sum.v[j] * power(static_cast<float>(v.v[j]), of.norm - 1));
    dx[at] = out;
  }
};

}  // namespace

// x (N, H, W, C), y (N, P, Q, C)
template <class T>
void lp_pool2d_forward(const LpPool2d& p, const T* x, T* y) {
  const Pool2d& w = p.windows;
  by_width<T>(w.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const Norm<T, V> norm{Windows(p), w.C / V, in_channels<V>(x), in_channels<V>(y)};
    at_positions("lp_pool2d_forward", w.N, w.P, w.Q, w.C / V, norm);
  });
}
INSTANTIATE(lp_pool2d_forward)

// dy, y (N, P, Q, C), x, dx (N, H, W, C)
template <class T>
void lp_pool2d_backward(const LpPool2d& p, const T* dy, const T* x, const T* y, T* dx) {
  const Pool2d& w = p.windows;
  by_width<T>(w.C, [&](auto width) {
    constexpr int V = decltype(width)::value;
    const NormGradient<T, V> gradient{Windows(p),        w.C / V,           in_channels<V>(dy),
                                      in_channels<V>(x), in_channels<V>(y), in_channels<V>(dx)};
    at_positions("lp_pool2d_backward", w.N, w.H, w.W, w.C / V, gradient);
  });
}
INSTANTIATE(lp_pool2d_backward)

}  // namespace convolith::CONVOLITH_DEVICE
