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

// v[first], v[first + 2], ... of the two vectors a, b.
template <class T, int first, int... I>
CONVOLITH_INLINE Vec<T> alternate(Vec<T> a, Vec<T> b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + first)...);
}
template <class T>
using AllLanes = typename CountTo<static_cast<int>(width<T>)>::type;

// Column s of the windows whose first elements are x, x + step, ...: one element of each.
template <class W, class T>
CONVOLITH_INLINE Vec<T> tap(const T* x, std::int64_t s) {
  if constexpr (W::step == 1) return load(x + s);
  const T* pair = x + s / 2 * 2;
  const Vec<T> a = load(pair), b = load(pair + width<T>);
  return s % 2 == 0 ? alternate<T, 0>(a, b, AllLanes<T>{}) : alternate<T, 1>(a, b, AllLanes<T>{});
}

// to (rows, columns) = an image (H, W) with padding around it or a part of it: `copy(h, n, to)` writes the first n
// elements of its row h.
template <class T, class F>
CONVOLITH_INLINE void pad_plane(std::int64_t H, std::int64_t W, std::int64_t top, std::int64_t left, std::int64_t rows,
                                std::int64_t columns, T fill, T* to, const F& copy) {
  const std::int64_t n = min_of(W, columns - left);
  for (std::int64_t i = 0; i < rows; ++i, to += columns) {
    const bool inside = i >= top && i < top + H;
    if (inside) copy(i - top, n, to + left);
    for (std::int64_t j = 0; j < (inside ? left : columns); ++j) to[j] = fill;
    for (std::int64_t j = left + n; inside && j < columns; ++j) to[j] = fill;
  }
}

// The part of each image plane that the windows meet: in x, or a copy where it is padded or vectors would read past
// the end of x.
template <class T>
struct Field {
  const T* x;
  std::int64_t pitch;
};
template <class T>
struct Fields {
  const Pool2d& p;
  std::int64_t rows, columns, reach;
  bool padded;

  explicit CONVOLITH_INLINE Fields(const Pool2d& p)
      : p(p),
        rows((p.P - 1) * p.stride_h + p.R),
        columns((p.Q - 1) * p.stride_w + p.S),
        reach(round_up(p.Q, width<T>) * p.stride_w + p.S),
        padded(p.pad_top > 0 || p.pad_left > 0 || rows > p.H || columns > p.W) {}
  CONVOLITH_INLINE std::int64_t size() const { return rows * columns + reach; }

  // x (N C, H, W)
  CONVOLITH_INLINE Field<T> of(const T* x, std::int64_t plane, T fill, T* copy) const {
    const T* from = x + plane * p.H * p.W;
    if (!padded && plane * p.H * p.W + (rows - 1) * p.W + reach <= p.N * p.C * p.H * p.W) return {from, p.W};
    pad_plane(p.H, p.W, p.pad_top, p.pad_left, rows, columns, fill, copy,
              [&](std::int64_t h, std::int64_t n, T* to) CONVOLITH_INLINED {
                map_vectors(from + h * p.W, n, to, [](auto v) CONVOLITH_INLINED { return v; });
              });
    return {copy, columns};
  }
};

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

}  // namespace convolith::CONVOLITH_ISA
