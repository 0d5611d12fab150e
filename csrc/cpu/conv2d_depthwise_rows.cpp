// Depthwise forward and input gradient, 3x3 and 5x5.  Vectors hold positions of an output row, and each cell of the
// filter is one FMA. A block of output rows shares what it reads: 3x3 at stride 1 meets 27 vectors for 7 rows, 63 FMAs.
#include "conv2d_depthwise.hpp"
#include "conv2d_depthwise_view.hpp"
#include "epilogue.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// y (rows, Q), a vector from column q on of each of `rows` rows; x: the rows that they meet, w (R, S)
template <int size, int stride, int rows, class V, class T, class View, class Masks>
CONVOLITH_INLINE void filter_rows(const View& view, const T* const (&x)[(rows - 1) * stride + size], std::int64_t q,
                                  const Masks& masks, const T* w, T bias, T* y, std::int64_t Q, bool more) {
  V sums[rows] = {};
#pragma GCC unroll 32
  for (int i = 0; i < (rows - 1) * stride + size; ++i) {
    V v[size];
    view.load(x[i], q, masks, v);
#pragma GCC unroll 8
    for (int s = 0; s < size; ++s)
#pragma GCC unroll 8
      for (int b = 0; b < rows; ++b) {
        const int r = i - b * stride;
        if (r >= 0 && r < size) sums[b] += w[r * size + s] * v[s];
      }
  }
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b) view.store(y + b * Q + q, sums[b] + bias, Q - q, b + 1 < rows || more);
}

// x (N, C, H, W), w (C, R, S), bias (C) or null, y (N, C, P, Q)
template <int size, int stride, class View, class T>
void filter_planes(const Conv2d& p, const T* x, const T* w, const T* bias, const Epilogue<T>& epilogue, T* y) {
  constexpr int block = 7;  // images are 7 * 2^n high more often than not
  const View view(p.H, p.W, -p.pad_top, -p.pad_left, p.Q);
  const std::int64_t images = p.N * p.C;
  // Large planes: the rows of the next block are fetched with this one, a share of them with each vector.
  constexpr std::int64_t large = 8192;
  const std::int64_t share = p.H * p.W > large ? ceil_div(block * stride * p.W, view.blocks) : 0;
  parallel_for(images, p.P * view.blocks * (size * size + 2), [&](std::int64_t image, int thread) {
    const std::int64_t c = image % p.C, P = p.P, Q = p.Q;
    const T *plane = view.plane(x, image, images, thread), *filter = w + c * size * size;
    const T add = bias ? bias[c] : T(0);
    T* to = y + image * P * Q;
    for_row_blocks<block>(P, [&](std::int64_t i, auto height) CONVOLITH_INLINED {
      const T* rows[(height.value - 1) * stride + size];
      view.rows(plane, i, rows);
      const T* next = x + image * p.H * p.W + (i + block) * stride * p.W;
      for (std::int64_t j = 0; j < view.blocks; ++j, next += share) {
        for (std::int64_t f = 0; f < share; f += Lanes<T>::count) fetch(next + f);
        filter_rows<size, stride, height.value, typename View::Vector>(view, rows, view.start(j), view.masks(j), filter,
                                                                       add, to + i * Q, Q, i + height.value < P);
      }
    });
    epilogue.finish(y, image * P * Q, P * Q);
  });
}

template <int size, int stride, class T>
void filter_by_width(const Conv2d& p, const T* x, const T* w, const T* bias, const Epilogue<T>& epilogue, T* y) {
  with_view<T, size, stride, -(size / 2), true>(p.W, -p.pad_left, p.Q, [&](auto view) {
    filter_planes<size, stride, typename decltype(view)::type>(p, x, w, bias, epilogue, y);
  });
}

// Row 2 u + e of dx, two vectors from column 2 v on; dy: the rows that it meets, w (R, S)
template <int size, int odd_h, int odd_w, int e, class V, class T, class View, class Masks>
CONVOLITH_INLINE void spread_row(const View& view, const T* const (&dy)[Parity<size, odd_h>::span], std::int64_t v,
                                 const Masks& masks, const T* w, T* dx, std::int64_t W, bool more) {
  using Vertical = Parity<size, odd_h>;
  using Horizontal = Parity<size, odd_w>;
  V sums[2] = {};
#pragma GCC unroll 8
  for (int i = 0; i < Vertical::span; ++i) {
    const int r = Vertical::cell(e, i);
    if (r < 0 || r >= size) continue;
    V g[Horizontal::span];
    view.load(dy[i], v, masks, g);
#pragma GCC unroll 8
    for (int j = 0; j < Horizontal::span; ++j)
#pragma GCC unroll 2
      for (int odd = 0; odd < 2; ++odd) {
        const int s = Horizontal::cell(odd, j);
        if (s >= 0 && s < size) sums[odd] += w[r * size + s] * g[j];
      }
  }
  constexpr std::int64_t lanes = View::lanes;
  const std::int64_t left = W - 2 * v;
  view.store(dx + 2 * v, zip<T, false>(sums[0], sums[1]), left, more);
  if (left > lanes) view.store(dx + 2 * v + lanes, zip<T, true>(sums[0], sums[1]), left - lanes, more);
}

// dy (N, C, P, Q), w (C, R, S), dx (N, C, H, W)
template <int size, int odd_h, int odd_w, class View, class T>
void spread_planes(const Conv2d& p, const T* dy, const T* w, T* dx) {
  using Vertical = Parity<size, odd_h>;
  using Horizontal = Parity<size, odd_w>;
  using V = typename View::Vector;
  const View view(p.P, p.Q, p.pad_top / 2 - Vertical::lead, p.pad_left / 2 - Horizontal::lead,
                  ceil_div(p.W, std::int64_t{2}));
  const std::int64_t images = p.N * p.C;
  parallel_for(images, p.H / 2 * view.blocks * (size * size + 12), [&](std::int64_t image, int thread) {
    const std::int64_t W = p.W;
    const T *plane = view.plane(dy, image, images, thread), *filter = w + image % p.C * size * size;
    T* to = dx + image * p.H * W;
    const auto spread = [&](const auto& rows, std::int64_t h, auto e) CONVOLITH_INLINED {
      for (std::int64_t j = 0; j < view.blocks; ++j)
        spread_row<size, odd_h, odd_w, e.value, V>(view, rows, view.start(j), view.masks(j), filter, to + h * W, W,
                                                   h + 1 < p.H);
    };
    for (std::int64_t u = 0; 2 * u < p.H; ++u) {
      const T* rows[Vertical::span];
      view.rows(plane, u, rows);
      spread(rows, 2 * u, Number<0>{});
      if (2 * u + 1 < p.H) spread(rows, 2 * u + 1, Number<1>{});
    }
  });
}

template <int size, int odd_h, int odd_w, class T>
void spread_by_width(const Conv2d& p, const T* dy, const T* w, T* dx) {
  using Horizontal = Parity<size, odd_w>;
  constexpr int centered = (size / 2 - odd_w) / 2 - Horizontal::lead;  // the left of padding size / 2
  with_view<T, Horizontal::span, 1, centered, false>(
      p.Q, p.pad_left / 2 - Horizontal::lead, ceil_div(p.W, std::int64_t{2}),
      [&](auto view) { spread_planes<size, odd_h, odd_w, typename decltype(view)::type>(p, dy, w, dx); });
}

template <int size, class T>
void spread_by_parity(const Conv2d& p, const T* dy, const T* w, T* dx) {
  with_parities(p, [&](auto h, auto v) { spread_by_width<size, h.value, v.value>(p, dy, w, dx); });
}

}  // namespace

template <class T>
void depthwise_rows_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  const bool dense = p.stride_h == 1;
  const auto filter = p.R == 3 ? dense ? filter_by_width<3, 1, T> : filter_by_width<3, 2, T>
                      : dense  ? filter_by_width<5, 1, T>
                               : filter_by_width<5, 2, T>;
  filter(p, x, w, bias, {residual, p.activation}, y);
}
INSTANTIATE(depthwise_rows_forward)

template <class T>
void depthwise_rows_spread(const Conv2d& p, const T* dy, const T* w, T* dx) {
  return p.R == 3 ? spread_by_parity<3>(p, dy, w, dx) : spread_by_parity<5>(p, dy, w, dx);
}
INSTANTIATE(depthwise_rows_spread)

}  // namespace convolith::CONVOLITH_ISA
