// Depthwise input gradient.  With stride 2, rows and columns of dx are even or odd, and each of the four kinds meets
// its own cells of the filter: dx[2 u + e] = sum over s of one parity of w[s] dy[u + (e + pad - s) / 2].
#include "conv2d_depthwise.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// One axis: filter cells and parity of the padding.  Position u of a sheet of dy is where dx[2 u] and dx[2 u + 1]
// find their first element of dy; cell s stands (e + odd - s) / 2 + lead further.
template <int size, int odd>
struct Parity {
  static constexpr int lead = (size - 1 - odd) / 2, span = lead + (1 + odd) / 2 + 1;
  // The cell that element `at` of the span meets in dx[2 u + e]; may be none of the filter's.
  static constexpr int cell(int e, int at) { return e + odd + 2 * (lead - at); }
};

// sums[b][f][e]: row 2 b + f, columns of parity e, for one vector of positions of the sheet dy.
template <int size, int odd_h, int odd_w, int rows, class T>
CONVOLITH_INLINE void spread_rows(const T* dy, std::int64_t pitch, const Vec<T>* w, Vec<T> (*sums)[2][2]) {
  using Vertical = Parity<size, odd_h>;
  using Horizontal = Parity<size, odd_w>;
#pragma GCC unroll 8
  for (int i = 0; i < rows - 1 + Vertical::span; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Horizontal::span; ++j) {
      Vec<T> v = load(dy + i * pitch + j);
      keep(v);
#pragma GCC unroll 8
      for (int b = 0; b < rows; ++b)
#pragma GCC unroll 2
        for (int f = 0; f < 2; ++f)
#pragma GCC unroll 2
          for (int e = 0; e < 2; ++e) {
            const int r = Vertical::cell(f, i - b), s = Horizontal::cell(e, j);
            if (i >= b && r >= 0 && r < size && s >= 0 && s < size) sums[b][f][e] += w[r * size + s] * v;
          }
    }
}

// pair[0], pair[1] = even[0], odd[0], even[1], odd[1] ...
template <class T>
CONVOLITH_INLINE void interleave(Vec<T> even, Vec<T> odd, Vec<T>* pair) {
  T values[2 * width<T>];
  for (int i = 0; i < width<T>; ++i) {
    values[2 * i] = even[i];
    values[2 * i + 1] = odd[i];
  }
  pair[0] = load(values);
  pair[1] = load(values + width<T>);
}

// sheet: `rows` pairs of rows of dx, of which `height` exist; w (R, S)
template <int size, int odd_h, int odd_w, int block, class T>
void spread_sheet(const Sheet& f, std::int64_t rows, std::int64_t height, const T* sheet, const T* w,
                  const Rows<T>& out) {
  Vec<T> weights[size * size];
#pragma GCC unroll 64
  for (int t = 0; t < size * size; ++t) weights[t] = w[t] - Vec<T>{};
  const std::int64_t last = out.images == 1 && f.positions >= width<T> ? f.positions - width<T> : f.positions;
  for (std::int64_t i0 = 0; i0 < rows; i0 += block) {
    const std::int64_t i = min_of(i0, rows - block);
    for (std::int64_t j0 = 0; j0 < f.positions; j0 += width<T>) {
      const std::int64_t j = min_of(j0, last);
      Vec<T> sums[block][2][2] = {};
      spread_rows<size, odd_h, odd_w, block>(sheet + i * f.pitch + j, f.pitch, weights, sums);
      Vec<T> dx[2 * block][2];
#pragma GCC unroll 8
      for (int b = 0; b < 2 * block; ++b) interleave<T>(sums[b / 2][b % 2][0], sums[b / 2][b % 2][1], dx[b]);
      if (2 * (i + block) <= height)
        out.template put<2 * block, 2>(2 * i, 2 * j, dx[0]);
      else  // all but the last, of an odd number of rows
        out.template put<2 * block - 1, 2>(2 * i, 2 * j, dx[0]);
    }
  }
}

// dy (N, K, P, Q), w (K, R, S), dx (N, K, H, W); stride 2
template <int size, int odd_h, int odd_w, class T>
void spread_all(const Conv2d& p, const T* dy, const T* w, T* dx) {
  constexpr int block = 2;
  Conv2d pairs = p;  // dy as the input of a convolution with stride 1 into pairs of rows and columns
  pairs.C = p.K, pairs.H = p.P, pairs.W = p.Q, pairs.P = ceil_div(p.H, 2), pairs.Q = ceil_div(p.W, 2);
  pairs.R = Parity<size, odd_h>::span, pairs.S = Parity<size, odd_w>::span, pairs.stride_h = pairs.stride_w = 1;
  pairs.pad_top = (p.R - 1 - p.pad_top) / 2, pairs.pad_left = (p.S - 1 - p.pad_left) / 2;
  const Sheet f = Sheet::of(pairs, T{});
  for_sheets<1>(
      pairs, f, size * size, dy,
      [&](std::int64_t n0, std::int64_t k, std::int64_t p0, std::int64_t rows, const T* sheet) {
        const std::int64_t height = min_of(2 * rows, p.H - 2 * p0);
        T* to = dx + ((n0 * p.K + k) * p.H + 2 * p0) * p.W;
        const Rows<T> out{to,  to + height * p.W,      min_of(f.images, p.N - n0), 2 * f.step, p.K * p.H * p.W,
                          p.W, f.positions <= width<T>};
        const auto spread =
            rows >= block ? spread_sheet<size, odd_h, odd_w, block, T> : spread_sheet<size, odd_h, odd_w, 1, T>;
        spread(f, rows, height, sheet, w + k * size * size, out);
      });
}

template <int size, class T>
void spread_size(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (p.pad_top % 2)
    return p.pad_left % 2 ? spread_all<size, 1, 1>(p, dy, w, dx) : spread_all<size, 1, 0>(p, dy, w, dx);
  return p.pad_left % 2 ? spread_all<size, 0, 1>(p, dy, w, dx) : spread_all<size, 0, 0>(p, dy, w, dx);
}

}  // namespace

template <class T>
void depthwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (p.stride_h == 1) return depthwise_backward_input_dense(p, dy, w, dx);
  if (p.R == 3) return spread_size<3>(p, dy, w, dx);
  if (p.R == 5) return spread_size<5>(p, dy, w, dx);
  return spread_size<7>(p, dy, w, dx);
}
INSTANTIATE(depthwise_backward_input)

}  // namespace convolith::CONVOLITH_ISA
