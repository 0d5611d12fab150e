// Depthwise convolution: a filter sees one channel, so there is nothing to share between channels.  There are two
// forms.
//
// Vectors hold channels: a vector's worth of planes is transposed into a copy with its padding, then every tap is one
// FMA, whatever the width of the image and the stride.  Per vector of outputs, R S FMAs and, for each element moved in
// or out, a quarter of the shuffles that transpose a square: 3x3 at stride 1 takes 9 cycles for the FMAs at one a
// cycle, and as many for the way in and out.
//
// Vectors hold positions of a row (conv2d_depthwise_rows.cpp): nothing is copied, but the filter and a block of rows
// want registers.
#pragma once

#include "kernels.hpp"
#include "pack.hpp"
#include "parallel.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {

// What these kernels serve: the layers that networks have.  All others are grouped convolutions like any other.
CONVOLITH_INLINE bool is_depthwise(const Conv2d& p) {
  return p.G > 1 && p.C == p.G && p.K == p.G && p.R == p.S && (p.R == 3 || p.R == 5 || p.R == 7) &&
         p.stride_h == p.stride_w && p.stride_h <= 2 && p.dilation_h == 1 && p.dilation_w == 1 && p.pad_top < p.R &&
         p.pad_left < p.S && p.padding_mode == PaddingMode::zeros;
}

// The same arguments as conv2d_forward ...
template <class T>
void depthwise_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y);
template <class T>
void depthwise_backward_input(const Conv2d& p, const T* dy, const T* w, T* dx);
template <class T>
void depthwise_backward_weight(const Conv2d& p, const T* dy, const T* x, T* dw);

// The forward, and the input gradient at stride 2, with positions in vectors.
template <class T>
void depthwise_rows_forward(const Conv2d& p, const T* x, const T* w, const T* bias, const T* residual, T* y);
template <class T>
void depthwise_rows_spread(const Conv2d& p, const T* dy, const T* w, T* dx);

// Whether that is the faster form.  With 16 registers the filter stays in them for 3x3 at stride 1 only.
CONVOLITH_INLINE bool vectors_hold_positions(const Conv2d& p) {
  return vector_bytes == 64 ? p.R <= 5 : vector_bytes == 32 && p.R == 3 && p.stride_h == 1;
}

// At stride 2, dx[2 u + e] = the sum of w[s] dy[u + (e + pad - s) / 2] over the cells s of one parity, along either
// axis. With pad = 2 h + odd, u finds its first element at u + h - lead, cell s stands (e + odd - s) / 2 + lead
// further.
template <int size, int odd>
struct Parity {
  static constexpr int lead = (size - 1 - odd) / 2, span = lead + (1 + odd) / 2 + 1;
  static constexpr int cell(int e, int at) { return e + odd + 2 * (lead - at); }  // what meets element `at`, if any
};

// Calls f with the parities of the padding, as Numbers.
template <class F>
CONVOLITH_INLINE void with_parities(const Conv2d& p, const F& f) {
  if (p.pad_top % 2) return p.pad_left % 2 ? f(Number<1>{}, Number<1>{}) : f(Number<1>{}, Number<0>{});
  return p.pad_left % 2 ? f(Number<0>{}, Number<1>{}) : f(Number<0>{}, Number<0>{});
}

// How planes are cut: bands of output rows whose padded inputs, and outputs, of a vector of channels fit L2.
struct Bands {
  std::int64_t H, W, top, left;  // of the planes that are read; where their copies start: 0 or less
  std::int64_t stride, span;     // of rows; input rows that an output row sees
  std::int64_t rows, count;      // output rows of a band; bands of a plane
  std::int64_t pitch, size;      // columns of a copy; of all its rows

  // P: output rows; columns: of the input that outputs see, from `left` on
  Bands(std::int64_t H, std::int64_t W, std::int64_t top, std::int64_t left, std::int64_t P, std::int64_t columns,
        std::int64_t stride, std::int64_t span)
      : H(H), W(W), top(top), left(left), stride(stride), span(span), pitch(max_of(columns, W - left)) {
    constexpr std::int64_t budget = 128 * 1024;
    const std::int64_t fitting = max_of<std::int64_t>(1, budget / (pitch * vector_bytes * stride));
    rows = ceil_div(P, ceil_div(P, fitting));
    count = ceil_div(P, rows);
    size = ((rows - 1) * stride + span) * pitch;
  }

  // Where each element of the rows stands in the copy, if the first row does in row 0; at (rows, W).
  template <class T>
  void plan(std::int64_t* at) const {
    for (std::int64_t f = 0; f < (size / pitch) * W; ++f) at[f] = (f / W * pitch + f % W - left) * width<T>;
  }

  // The inputs of output rows [p0, p0 + n): copy (row, column, channel), whose first and last columns are zero already.
  template <class T>
  CONVOLITH_INLINE void copy_in(const Stack<T>& planes, const std::int64_t* at, std::int64_t p0, std::int64_t n,
                                T* copy) const {
    const std::int64_t begin = top + p0 * stride, end = begin + (n - 1) * stride + span;
    const std::int64_t h0 = max_of<std::int64_t>(begin, 0), h1 = max_of(min_of(end, H), h0);
    const std::int64_t row = pitch * width<T>;
    if (begin < h0) fill_zero(copy, min_of(h0 - begin, end - begin) * row);
    if (h1 < end) fill_zero(copy + (h1 - begin) * row, (end - h1) * row);
    T* first = copy + (h0 - begin) * row;
    const std::int64_t elements = (h1 - h0) * W;
    for (std::int64_t f = 0; f < elements; f += width<T>) {
      Vec<T> v[width<T>];
      planes.fetch(h0 * W + f + 8 * Lanes<T>::count);
      planes.transposed(h0 * W + f, v);
      if (f + width<T> <= elements) {
#pragma GCC unroll 16
        for (int i = 0; i < width<T>; ++i) store(first + at[f + i], v[i]);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < width<T>; ++i)
          if (f + i < elements) store(first + at[f + i], v[i]);
      }
    }
  }
};

// Filters [c, c + width) of w (C, cells), transposed: out (cell, channel), with room for a vector of cells behind.
template <class T>
CONVOLITH_INLINE void transpose_filters(const Conv2d& p, const T* w, std::int64_t c, T* out) {
  const std::int64_t cells = p.R * p.S;
  const Stack<T> filters{w + c * cells, cells, min_of(width<T>, p.C - c), w + p.C * cells};
  for (std::int64_t t = 0; t < cells; t += width<T>) filters.transpose_to(t, out + t * width<T>, width<T>);
}
// Room for that, of the largest filter.
template <class T>
constexpr std::int64_t filters_size = (7 * 7 + width<T>)*width<T>;

// The planes of channels [c, c + width) of image n of x (N, C, plane).
template <class T>
CONVOLITH_INLINE Stack<T> planes_of(const Conv2d& p, const T* x, std::int64_t plane, std::int64_t n, std::int64_t c) {
  return {x + (n * p.C + c) * plane, plane, min_of(width<T>, p.C - c), x + p.N * p.C * plane};
}

// Calls tile(j) for `columns` columns at a time, or single(j) where there are fewer; the last tile overlaps the one
// before.
template <int columns, class Tile, class Single>
CONVOLITH_INLINE void for_tiles(std::int64_t n, const Tile& tile, const Single& single) {
  if (n < columns)
    for (std::int64_t j = 0; j < n; ++j) single(j);
  else
    for (std::int64_t j = 0; j < n; j += columns) tile(min_of(j, n - columns));
}

}  // namespace convolith::CONVOLITH_ISA
