// Pooling in registers: windows of a fixed size and stride, read from the rows of the image as they lie in memory.
// A vector of outputs reads and writes over the end of its row, into the next one, which is written after it.
#pragma once

#include "pack.hpp"
#include "parallel.hpp"
#include "transpose.hpp"

namespace convolith::CONVOLITH_ISA {

template <int R_, int S_, int step_>
struct Window {
  static constexpr int R = R_, S = S_, step = step_;
};

template <class W>
CONVOLITH_INLINE bool is_window(const Pool2d& p) {
  return p.R == W::R && p.S == W::S && p.stride_h == W::step && p.stride_w == W::step &&
         (p.dilation_h == 1 || W::R == 1) && (p.dilation_w == 1 || W::S == 1);
}

// Column s of the windows whose first elements are x, x + step, ...: one element of each.
template <class W, class T>
CONVOLITH_INLINE Vec<T> tap(const T* x, std::int64_t s) {
  if constexpr (W::step == 1) return load(x + s);
  const T* pair = x + s / 2 * 2;
  const Vec<T> a = load(pair), b = load(pair + width<T>);
  return s % 2 == 0 ? every_second<T, false>(a, b) : every_second<T, true>(a, b);
}

// to (rows, columns), rows `pitch` apart = an image (H, W) with padding around it or a part of it: `copy(h, n, to)`
// writes the first n elements of its row h.
template <class T, class F>
CONVOLITH_INLINE void pad_plane(std::int64_t H, std::int64_t W, std::int64_t top, std::int64_t left, std::int64_t rows,
                                std::int64_t columns, std::int64_t pitch, T fill, T* to, const F& copy) {
  const std::int64_t n = min_of(W, columns - left);
  for (std::int64_t i = 0; i < rows; ++i, to += pitch) {
    const bool inside = i >= top && i < top + H;
    if (inside) copy(i - top, n, to + left);
    for (std::int64_t j = 0; j < (inside ? left : columns); ++j) to[j] = fill;
    for (std::int64_t j = left + n; inside && j < columns; ++j) to[j] = fill;
  }
}

// The first n elements of v, or all where the rest may be overwritten.
template <class T>
CONVOLITH_INLINE void store_row(T* to, Vec<T> v, std::int64_t n, bool all) {
  if (n <= 0) return;
  if (all)
    store(to, v);
  else
    store(to, v, n);
}

// Calls f(plane, end, thread) for every image plane, end being that of the planes of one task; cost: of one plane.
template <class F>
CONVOLITH_INLINE void for_planes(const Pool2d& p, std::int64_t cost, const F& f) {
  const std::int64_t planes = p.N * p.C, grain = max_of<std::int64_t>(1, elementwise_grain / (p.H * p.W));
  parallel_for(ceil_div(planes, grain), grain * cost, [&](std::int64_t task, int thread) {
    const std::int64_t end = min_of(planes, (task + 1) * grain);
    for (std::int64_t i = task * grain; i < end; ++i) f(i, end, thread);
  });
}

// The rows of an image plane that some windows meet: in x, or a copy where x is padded or vectors would read past its
// end.
template <class T>
struct Field {
  const T* x;
  std::int64_t pitch;
  const T* next;  // the rows that come after them, W elements each: on their way meanwhile
  std::int64_t W;

  // The share of output row i, vector q: `step` rows, of each `step` vectors.
  template <int step>
  CONVOLITH_INLINE void fetch_next(std::int64_t i, std::int64_t q) const {
    for (int r = 0; r < step; ++r)
      for (int v = 0; v < step; ++v) fetch(next + (i * step + r) * W + q * step + v * width<T>);
  }
};
template <class T>
struct Fields {
  const Pool2d& p;
  std::int64_t columns, reach;  // of all windows; of the vectors of one row of them
  std::int64_t pitch;           // of copies: aligned vectors load twice as fast
  bool padded;
  std::int64_t chunk;  // output rows at a time, so that copies and results stay in cache

  explicit CONVOLITH_INLINE Fields(const Pool2d& p)
      : p(p),
        columns((p.Q - 1) * p.stride_w + p.S),
        reach(round_up(p.Q, width<T>) * p.stride_w + p.S),
        pitch(round_up(columns, Lanes<T>::count)),
        padded(p.pad_top > 0 || p.pad_left > 0 || rows(p.P) > p.H || columns > p.W),
        chunk(max_of<std::int64_t>(1, min_of(p.P, 4096 / (pitch * p.stride_h)))) {}
  CONVOLITH_INLINE std::int64_t rows(std::int64_t outputs) const { return (outputs - 1) * p.stride_h + p.R; }
  CONVOLITH_INLINE std::int64_t size() const { return rows(chunk) * pitch + round_up(reach, Lanes<T>::count); }

  // Output rows [first, first + outputs) of one plane of x (N C, H, W).
  CONVOLITH_INLINE Field<T> of(const T* x, std::int64_t plane, std::int64_t first, std::int64_t outputs, T fill,
                               T* copy) const {
    const std::int64_t top = first * p.stride_h, begin = (plane * p.H + top) * p.W;
    const T* next = x + begin + outputs * p.stride_h * p.W;
    if (!padded && begin + (rows(outputs) - 1) * p.W + reach <= p.N * p.C * p.H * p.W)
      return {x + begin, p.W, next, p.W};
    pad_plane(p.H, p.W, p.pad_top - top, p.pad_left, rows(outputs), columns, pitch, fill, copy,
              [&](std::int64_t h, std::int64_t n, T* to)
                  CONVOLITH_INLINED { copy_vectors(x + (plane * p.H + h) * p.W, n, to); });
    return {copy, pitch, next, p.W};
  }
};

// Calls f(field, plane, first output row, output rows, all, thread) for every plane; all: the rows may be written over
// their end, what follows them comes later in the same task.  cost: of a plane.
template <class T, class F>
CONVOLITH_INLINE void for_fields(const Fields<T>& fields, const T* x, T fill, std::int64_t cost, const F& f) {
  const Pool2d& p = fields.p;
  const Scratch<T> copies(fields.size() * max_threads());
  for_planes(p, cost, [&](std::int64_t plane, std::int64_t end, int thread) {
    for (std::int64_t first = 0; first < p.P; first += fields.chunk) {
      const std::int64_t rows = min_of(fields.chunk, p.P - first);
      const bool all = ((end - plane) * p.P - first - rows) * p.Q >= width<T>;
      f(fields.of(x, plane, first, rows, fill, copies.get() + thread * fields.size()), plane, first, rows, all, thread);
    }
  });
}

}  // namespace convolith::CONVOLITH_ISA
