// Packing for convolution: rows of an image, padded and split into phase planes, so that every filter cell sees its
// inputs at a constant offset.
//
// Along one axis, output p and filter cell r meet at padded row p * stride + r * dilation.  With
// r * dilation = shift * stride + phase that is row p + shift of the phase plane that holds the padded rows
// phase, phase + stride, ...: in a plane of row pitch `pitch`, cell (r, s) reads position p * pitch + q at
// (p + shift_r) * pitch + q + shift_s, always the same distance away.  Positions run on across row ends; the few
// columns between Q and the pitch are computed and thrown away.
#pragma once

#include "../shapes.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {

CONVOLITH_INLINE std::int64_t gcd(std::int64_t a, std::int64_t b) {
  while (b != 0) {
    const std::int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// One axis of a convolution: `cells` filter cells, `dilation` apart, every `stride`.
struct Axis {
  std::int64_t cells, stride, dilation;
  std::int64_t period;  // cells r and r + period share a phase
  std::int64_t phases;  // phases in use

  Axis(std::int64_t cells, std::int64_t stride, std::int64_t dilation)
      : cells(cells),
        stride(stride),
        dilation(dilation),
        period(stride / gcd(dilation, stride)),
        phases(min_of(cells, period)) {}
  CONVOLITH_INLINE std::int64_t phase_of(std::int64_t cell) const { return cell % period; }
  CONVOLITH_INLINE std::int64_t first(std::int64_t phase) const { return phase * dilation % stride; }
  CONVOLITH_INLINE std::int64_t shift(std::int64_t cell) const { return cell * dilation / stride; }
  CONVOLITH_INLINE std::int64_t reach() const { return shift(cells - 1); }  // the largest shift
};

// The element of an axis of `size` that stands at i, which may lie in the padding; -1 for a zero.  Past the padding,
// where only thrown-away positions read, anything in range will do.
CONVOLITH_INLINE std::int64_t source(std::int64_t i, std::int64_t size, PaddingMode mode) {
  if (i >= 0 && i < size) return i;
  std::int64_t from = -1;
  if (mode == PaddingMode::reflect) from = i < 0 ? -i : 2 * (size - 1) - i;
  if (mode == PaddingMode::replicate) from = i < 0 ? 0 : size - 1;
  if (mode == PaddingMode::circular) from = i < 0 ? i + size : i - size;
  return from < size ? max_of<std::int64_t>(from, -1) : -1;
}

// Where the columns of a packed row come from: column j is source column from[j], or zero where that is -1;
// [begin, end) is a run with from[j + 1] = from[j] + stride.
struct Columns {
  std::int64_t* from;
  std::int64_t count, begin, end, stride;
};

// The columns start, start + stride, ... of the unpadded axis, `count` of them.
CONVOLITH_INLINE Columns plan_columns(std::int64_t* from, std::int64_t count, std::int64_t start, std::int64_t stride,
                                      std::int64_t size, PaddingMode mode) {
  Columns columns{from, count, 0, 0, stride};
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t i = start + j * stride;
    from[j] = source(i, size, mode);
    if (i < 0) columns.begin = j + 1;
    if (i < size) columns.end = j + 1;
  }
  columns.begin = min_of(columns.begin, columns.end);
  return columns;
}

// to[j] = from[j] for j < n; to and from do not overlap.  Rows of images are short: calling memcpy for each costs more
// than copying them.  The last vector may overlap the one before.
template <class V, class T>
CONVOLITH_INLINE void copy_run(const T* from, std::int64_t n, T* to) {
  constexpr auto count = static_cast<std::int64_t>(sizeof(V) / sizeof(T));
  std::int64_t j = 0;
  for (; j + count <= n; j += count) store_vector(to + j, load_vector<V>(from + j));
  if (j == n) return;
  if (n > count) return store_vector(to + n - count, load_vector<V>(from + n - count));
  for (; j < n; ++j) to[j] = from[j];
}
template <class T>
CONVOLITH_INLINE void copy_pieces(const T* from, std::int64_t n, T* to) {
  copy_run<typename VectorType<T, 16>::type>(from, n, to);
}
template <class T>
CONVOLITH_INLINE void copy_vectors(const T* from, std::int64_t n, T* to) {
  if (n < width<T>) return copy_pieces(from, n, to);
  copy_run<Vec<T>>(from, n, to);
}

template <class T>
CONVOLITH_INLINE void fill_zero(T* out, std::int64_t count) {
  for (std::int64_t j = 0; j < count; ++j) out[j] = T(0);
}

// to[j] = from[2 * j] for j < n
template <class T>
CONVOLITH_INLINE void copy_even(const T* from, std::int64_t n, T* to) {
  using Piece = typename VectorType<T, 16>::type;
  constexpr std::int64_t piece = 16 / sizeof(T);
  const auto even = [&](auto zero, std::int64_t j) CONVOLITH_INLINED {
    using V = decltype(zero);
    constexpr std::int64_t count = sizeof(V) / sizeof(T);
    // The second vector starts one early, the last one must not read past the last element.
    const V low = load_vector<V>(from + 2 * j), high = load_vector<V>(from + 2 * j + count - 1);
    store_vector(to + j, even_and_odd<T>(low, high));
  };
  std::int64_t j = 0;
  for (; j + width<T> <= n; j += width<T>) even(Vec<T>{}, j);
  for (; j + piece <= n; j += piece) even(Piece{}, j);
  if (j < n && n >= piece) return even(Piece{}, n - piece);
  for (; j < n; ++j) to[j] = from[2 * j];
}

// to[j] = even[j / 2] or odd[j / 2] for j < n
template <class T>
CONVOLITH_INLINE void copy_zipped(const T* even, const T* odd, std::int64_t n, T* to) {
  std::int64_t j = 0;
  const auto put = [&](auto low) CONVOLITH_INLINED {
    using V = decltype(low);
    constexpr std::int64_t count = sizeof(V) / sizeof(T);
    for (; j + 2 * count <= n; j += 2 * count) {
      const V a = load_vector<V>(even + j / 2), b = load_vector<V>(odd + j / 2);
      store_vector(to + j, zip<T, false>(a, b));
      store_vector(to + j + count, zip<T, true>(a, b));
    }
  };
  put(Vec<T>{});
  put(typename VectorType<T, 16>::type{});
  for (; j < n; ++j) to[j] = j % 2 == 0 ? even[j / 2] : odd[j / 2];
}

// to[j] = from[j * stride] for j < n
template <class T>
CONVOLITH_INLINE void copy_every(std::int64_t stride, const T* from, std::int64_t n, T* to) {
  if (stride == 1)
    copy_vectors(from, n, to);
  else if (stride == 2)
    copy_even(from, n, to);
  else
    for (std::int64_t j = 0; j < n; ++j) to[j] = from[stride * j];
}

// out (columns.count) = row at those columns
template <class T>
CONVOLITH_INLINE void pack_row(const T* row, const Columns& columns, T* out) {
  const std::int64_t run = columns.end - columns.begin;
  for (std::int64_t j = 0; j < columns.begin; ++j) out[j] = columns.from[j] < 0 ? T(0) : row[columns.from[j]];
  if (run > 0) {
    const T* inside = row + columns.from[columns.begin];
    T* to = out + columns.begin;
    copy_every(columns.stride, inside, run, to);
  }
  for (std::int64_t j = columns.end; j < columns.count; ++j) out[j] = columns.from[j] < 0 ? T(0) : row[columns.from[j]];
}

// Rows [row, row + rows) of planes x (channels, H, W) with their padding, to out (channels, rows, columns.count),
// channels `plane` apart.
template <class T>
CONVOLITH_INLINE void copy_rows(const T* x, std::int64_t channels, std::int64_t H, std::int64_t W,
                                const Columns& columns, PaddingMode mode, std::int64_t row, std::int64_t rows, T* out,
                                std::int64_t plane) {
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t h = source(row + i, H, mode);
      T* to = out + c * plane + i * columns.count;
      if (h < 0)
        fill_zero(to, columns.count);
      else
        pack_row(x + (c * H + h) * W, columns, to);
    }
}

// Where tap t, one of (channels, R, S), sees position 0 of such a copy of rows `pitch` apart.
CONVOLITH_INLINE std::int64_t tap_offset(const Conv2d& p, std::int64_t t, std::int64_t plane, std::int64_t pitch) {
  return t / (p.R * p.S) * plane + t / p.S % p.R * p.dilation_h * pitch + t % p.S * p.dilation_w;
}

// Where every tap (c, r, s) sees position 0 of packed planes; offset (channels, R, S).
CONVOLITH_INLINE void plan_taps(const Conv2d& p, const Axis& vertical, const Axis& horizontal, std::int64_t channels,
                                std::int64_t pitch, std::int64_t plane, std::int64_t* offset) {
  for (std::int64_t t = 0; t < channels * p.R * p.S; ++t) {
    const std::int64_t c = t / (p.R * p.S), r = t / p.S % p.R, s = t % p.S;
    const std::int64_t at = (c * vertical.phases + vertical.phase_of(r)) * horizontal.phases + horizontal.phase_of(s);
    offset[t] = at * plane + vertical.shift(r) * pitch + horizontal.shift(s);
  }
}

// The columns of a row of every horizontal phase; from (phases, count), columns (phases).
CONVOLITH_INLINE void plan_phases(const Conv2d& p, const Axis& horizontal, std::int64_t count, std::int64_t* from,
                                  Columns* columns) {
  for (std::int64_t b = 0; b < horizontal.phases; ++b)
    columns[b] =
        plan_columns(from + b * count, count, horizontal.first(b) - p.pad_left, p.stride_w, p.W, p.padding_mode);
}

// Rows [p0, p0 + rows) of every phase plane of one channel.
//   x (H, W), columns (horizontal phases), planes (vertical phases, horizontal phases, plane)
template <class T>
CONVOLITH_INLINE void pack_channel(const Conv2d& p, const T* x, const Axis& vertical, const Axis& horizontal,
                                   const Columns* columns, std::int64_t p0, std::int64_t rows, std::int64_t pitch,
                                   std::int64_t plane, T* planes) {
  for (std::int64_t a = 0; a < vertical.phases; ++a)
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t h = source((p0 + i) * p.stride_h + vertical.first(a) - p.pad_top, p.H, p.padding_mode);
      for (std::int64_t b = 0; b < horizontal.phases; ++b) {
        T* to = planes + (a * horizontal.phases + b) * plane + i * pitch;
        if (h < 0)
          fill_zero(to, columns[b].count);
        else
          pack_row(x + h * p.W, columns[b], to);
      }
    }
}

// Distance between planes: whole cache lines, an odd number of them, or equal columns of all channels would fall into
// the same few sets of L1.
template <class T>
CONVOLITH_INLINE std::int64_t plane_pitch(std::int64_t elements) {
  constexpr std::int64_t line = Lanes<T>::count;
  return (ceil_div(elements, line) | 1) * line;
}

// Micro-kernels read whole blocks past the last position: room for that behind a packed buffer.
template <class T>
constexpr std::int64_t read_slack = 8 * Lanes<T>::count;

// A filter as large as the unpadded input: each output is one dot product over the whole image, a linear layer.
CONVOLITH_INLINE bool is_linear(const Conv2d& p) {
  return p.G == 1 && p.R == p.H && p.S == p.W && p.P == 1 && p.Q == 1 && p.pad_top == 0 && p.pad_left == 0 &&
         (p.dilation_h == 1 || p.R == 1) && (p.dilation_w == 1 || p.S == 1);
}
CONVOLITH_INLINE Linear as_linear(const Conv2d& p) {
  return {p.N, p.C * p.H * p.W, p.K};
}

}  // namespace convolith::CONVOLITH_ISA
