// Depthwise forward and input gradient: channels in vectors, and which of the two forms serves.
#include "conv2d_depthwise.hpp"

#include "epilogue.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// y (column, channel) for `columns` outputs of a row; x (row, column, channel), w (R, S, channel)
template <int size, int stride, int columns, class T>
CONVOLITH_INLINE void filter_columns(const T* x, std::int64_t pitch, const T* w, T* y) {
  Vec<T> sums[columns] = {};
#pragma GCC unroll 3
  for (int r = 0; r < size; ++r) {
    Vec<T> weight[size];
#pragma GCC unroll 8
    for (int s = 0; s < size; ++s) weight[s] = load(w + (r * size + s) * width<T>);
#pragma GCC unroll 32
    for (int j = 0; j < (columns - 1) * stride + size; ++j) {
      Vec<T> v = load(x + (r * pitch + j) * width<T>);
      keep(v);
#pragma GCC unroll 8
      for (int c = 0; c < columns; ++c) {
        const int s = j - c * stride;
        if (s >= 0 && s < size) sums[c] += weight[s] * v;
      }
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < columns; ++c) store(y + c * width<T>, sums[c]);
}

// x (N, C, H, W), w (C, R, S), bias (C) or null, y (N, C, P, Q)
template <int size, int stride, class T>
void filter_all(const Conv2d& p, const T* x, const T* w, const T* bias, const Epilogue<T>& epilogue, T* y) {
  constexpr int columns = 7;  // images are 7 * 2^n wide more often than not
  const Bands bands(p.H, p.W, -p.pad_top, -p.pad_left, p.P, (p.Q - 1) * stride + size, stride, size);
  const std::int64_t groups = ceil_div(p.C, width<T>), plane = p.P * p.Q;
  Scratch<std::int64_t> at(bands.size);
  bands.plan<T>(at.get());

  const std::int64_t copy_size = bands.size * width<T>, sums_size = bands.rows * p.Q * width<T>;
  const std::int64_t buffer_size = copy_size + sums_size + filters_size<T>;
  const ZeroedScratch<T> buffers(buffer_size);
  parallel_for(p.N * groups * bands.count, bands.rows * p.Q * (size * size + 10), [&](std::int64_t task, int thread) {
    T* copy = buffers.of(thread);   // (row, column, channel)
    T* sums = copy + copy_size;     // (position, channel)
    T* filters = sums + sums_size;  // (cell, channel)
    const std::int64_t n = task / (groups * bands.count), c0 = task / bands.count % groups * width<T>;
    const std::int64_t p0 = task % bands.count * bands.rows, rows = min_of(bands.rows, p.P - p0);
    const std::int64_t channels = min_of(width<T>, p.C - c0), start = (n * p.C + c0) * plane + p0 * p.Q;
    transpose_filters(p, w, c0, filters);
    bands.copy_in(planes_of(p, x, p.H * p.W, n, c0), at.get(), p0, rows, copy);
    for (std::int64_t i = 0; i < rows; ++i) {
      const T* from = copy + i * stride * bands.pitch * width<T>;
      T* to = sums + i * p.Q * width<T>;
      for_tiles<columns>(
          p.Q,
          [&](std::int64_t j) CONVOLITH_INLINED {
            filter_columns<size, stride, columns>(from + j * stride * width<T>, bands.pitch, filters,
                                                  to + j * width<T>);
          },
          [&](std::int64_t j) CONVOLITH_INLINED {
            filter_columns<size, stride, 1>(from + j * stride * width<T>, bands.pitch, filters, to + j * width<T>);
          });
    }
    store_transposed(sums, width<T>, rows * p.Q, channels, bias ? bias + c0 : nullptr, y + start, plane);
    for (std::int64_t c = 0; c < channels; ++c) epilogue.finish(y, start + c * plane, rows * p.Q);
  });
}

template <class T>
void filter_by_size(const Conv2d& p, const T* x, const T* w, const T* bias, const Epilogue<T>& epilogue, T* y) {
  const bool dense = p.stride_h == 1;
  const auto filter = p.R == 3   ? dense ? filter_all<3, 1, T> : filter_all<3, 2, T>
                      : p.R == 5 ? dense ? filter_all<5, 1, T> : filter_all<5, 2, T>
                      : dense    ? filter_all<7, 1, T>
                                 : filter_all<7, 2, T>;
  filter(p, x, w, bias, epilogue, y);
}

// Pairs of columns of row 2 u + e of dx (column, channel); dy from row u on, (row, column, channel), w (R, S, channel)
template <int size, int odd_h, int odd_w, int pairs, class T>
CONVOLITH_INLINE void spread_columns(const T* dy, std::int64_t pitch, const T* w, int e, T* dx) {
  using Vertical = Parity<size, odd_h>;
  using Horizontal = Parity<size, odd_w>;
  Vec<T> sums[2 * pairs] = {};
  for (int i = 0; i < Vertical::span; ++i) {
    const int r = Vertical::cell(e, i);
    if (r < 0 || r >= size) continue;
    Vec<T> weight[size];
#pragma GCC unroll 8
    for (int s = 0; s < size; ++s) weight[s] = load(w + (r * size + s) * width<T>);
#pragma GCC unroll 16
    for (int j = 0; j < pairs - 1 + Horizontal::span; ++j) {
      Vec<T> v = load(dy + (i * pitch + j) * width<T>);
      keep(v);
#pragma GCC unroll 16
      for (int t = 0; t < 2 * pairs; ++t) {
        const int s = Horizontal::cell(t % 2, j - t / 2);
        if (s >= 0 && s < size) sums[t] += weight[s] * v;
      }
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < 2 * pairs; ++t) store(dx + t * width<T>, sums[t]);
}

// dy (N, C, P, Q), w (C, R, S), dx (N, C, H, W)
template <int size, int odd_h, int odd_w, class T>
void spread_all(const Conv2d& p, const T* dy, const T* w, T* dx) {
  constexpr int pairs = vector_bytes == 64 ? 7 : 4;
  using Vertical = Parity<size, odd_h>;
  using Horizontal = Parity<size, odd_w>;
  const std::int64_t U = ceil_div(p.H, std::int64_t{2}), V = ceil_div(p.W, std::int64_t{2});
  const std::int64_t top = p.pad_top / 2 - Vertical::lead, left = p.pad_left / 2 - Horizontal::lead;
  const Bands bands(p.P, p.Q, top, left, U, V - 1 + Horizontal::span, 1, Vertical::span);
  const std::int64_t groups = ceil_div(p.C, width<T>), plane = p.H * p.W;
  Scratch<std::int64_t> at(bands.size);
  bands.plan<T>(at.get());

  // A row of an odd width is computed one too wide, the next row then overwrites that.
  const std::int64_t copy_size = bands.size * width<T>, sums_size = (2 * bands.rows * p.W + 1) * width<T>;
  const std::int64_t buffer_size = copy_size + sums_size + filters_size<T>;
  const ZeroedScratch<T> buffers(buffer_size);
  parallel_for(p.N * groups * bands.count, bands.rows * V * (size * size + 25), [&](std::int64_t task, int thread) {
    T* copy = buffers.of(thread);   // (row, column, channel)
    T* sums = copy + copy_size;     // (position, channel)
    T* filters = sums + sums_size;  // (cell, channel)
    const std::int64_t n = task / (groups * bands.count), c0 = task / bands.count % groups * width<T>;
    const std::int64_t u0 = task % bands.count * bands.rows, rows = min_of(2 * bands.rows, p.H - 2 * u0);
    transpose_filters(p, w, c0, filters);
    bands.copy_in(planes_of(p, dy, p.P * p.Q, n, c0), at.get(), u0, ceil_div(rows, std::int64_t{2}), copy);
    for (std::int64_t i = 0; i < rows; ++i) {
      const T* from = copy + i / 2 * bands.pitch * width<T>;
      T* to = sums + i * p.W * width<T>;
      const int e = static_cast<int>(i % 2);
      for_tiles<pairs>(
          V,
          [&](std::int64_t j) CONVOLITH_INLINED {
            spread_columns<size, odd_h, odd_w, pairs>(from + j * width<T>, bands.pitch, filters, e,
                                                      to + 2 * j * width<T>);
          },
          [&](std::int64_t j) CONVOLITH_INLINED {
            spread_columns<size, odd_h, odd_w, 1>(from + j * width<T>, bands.pitch, filters, e, to + 2 * j * width<T>);
          });
    }
    const std::int64_t channels = min_of(width<T>, p.C - c0);
    store_transposed<T>(sums, width<T>, rows * p.W, channels, nullptr, dx + (n * p.C + c0) * plane + 2 * u0 * p.W,
                        plane);
  });
}

template <int size, class T>
void spread_by_parity(const Conv2d& p, const T* dy, const T* w, T* dx) {
  with_parities(p, [&](auto h, auto v) { spread_all<size, h.value, v.value>(p, dy, w, dx); });
}

}  // namespace

template <class T>
void depthwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y) {
  if (vectors_hold_positions(p))
    depthwise_rows_forward(p, x, w, bias, residual, y);
  else
    filter_by_size<T>(p, x, w, bias, {residual, p.activation}, y);
}
INSTANTIATE(depthwise_forward)

namespace {

// The input gradient at stride 1 is the forward with the filters turned around.
// dy (N, C, P, Q), w (C, R, S), dx (N, C, H, W)
template <class T>
void filter_turned(const Conv2d& p, const T* dy, const T* w, T* dx) {
  Conv2d turned = p;
  turned.H = p.P, turned.W = p.Q, turned.P = p.H, turned.Q = p.W;
  turned.activation = Activation::identity;
  turned.pad_top = p.R - 1 - p.pad_top, turned.pad_left = p.S - 1 - p.pad_left;
  const std::int64_t cells = p.R * p.S;
  const Scratch<T> flipped(p.C * cells);
  for (std::int64_t c = 0; c < p.C; ++c)
    for (std::int64_t t = 0; t < cells; ++t) flipped.get()[c * cells + t] = w[c * cells + cells - 1 - t];
  depthwise_forward<T>(turned, dy, flipped.get(), nullptr, nullptr, dx);
}

}  // namespace

template <class T>
void depthwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx) {
  if (p.stride_h == 1) return filter_turned(p, dy, w, dx);
  if (vectors_hold_positions(p)) return depthwise_rows_spread(p, dy, w, dx);
  if (p.R == 3) return spread_by_parity<3>(p, dy, w, dx);
  if (p.R == 5) return spread_by_parity<5>(p, dy, w, dx);
  return spread_by_parity<7>(p, dy, w, dx);
}
INSTANTIATE(depthwise_backward_input)

}  // namespace convolith::CONVOLITH_ISA
