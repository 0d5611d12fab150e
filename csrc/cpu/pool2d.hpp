// What max and average pooling share: an image plane, cut by the strides into phase planes.
//
// Phase (a, b) holds the padded rows a, a + stride_h, ... and of them the columns b, b + stride_w, ...  There every
// tap (r, s) of all windows is the same plane at a constant offset, so that one flat loop over Lanes of outputs serves
// any stride, dilation and padding, without borders; what it computes between two output rows is not used.
#pragma once

#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// `rows` output rows at a time, so that their phases stay in cache.
struct Phases {
  std::int64_t rows, pitch, plane;  // output rows; elements of a row and of a phase plane
  std::int64_t chunks, size;        // how often per image plane; elements of all phases

  template <class T>
  static CONVOLITH_INLINE Phases of(const Pool2d& p, T) {
    constexpr std::int64_t cached = 16384;
    Phases f;
    f.pitch = p.Q + (p.S - 1) * p.dilation_w / p.stride_w;
    f.rows = max_of<std::int64_t>(1, min_of(p.P, cached / (f.pitch * p.stride_h * p.stride_w)));
    // Vectors run over the end of the rows in use.
    f.plane = (f.rows + (p.R - 1) * p.dilation_h / p.stride_h) * f.pitch + 2 * Lanes<T>::count;
    f.chunks = ceil_div(p.P, f.rows);
    f.size = f.plane * p.stride_h * p.stride_w;
    return f;
  }
  // Where tap (r, s) of output 0 lies.
  CONVOLITH_INLINE std::int64_t tap(const Pool2d& p, std::int64_t r, std::int64_t s) const {
    const std::int64_t h = r * p.dilation_h, w = s * p.dilation_w;
    return (h % p.stride_h * p.stride_w + w % p.stride_w) * plane + h / p.stride_h * pitch + w / p.stride_w;
  }
};

// even[i] = from[2 i], odd[i] = from[2 i + 1], for Lanes of them; and back.  Compilers make shuffles of these loops
// unless they unroll them first.
template <class T>
CONVOLITH_INLINE void split(const T* __restrict from, T* __restrict even, T* __restrict odd) {
#pragma GCC unroll 1
  for (std::int64_t i = 0; i < Lanes<T>::count; ++i) {
    even[i] = from[2 * i];
    odd[i] = from[2 * i + 1];
  }
}
template <class T>
CONVOLITH_INLINE void interleave(const T* __restrict even, const T* __restrict odd, T* __restrict to) {
#pragma GCC unroll 1
  for (std::int64_t i = 0; i < Lanes<T>::count; ++i) {
    to[2 * i] = even[i];
    to[2 * i + 1] = odd[i];
  }
}

// One row x (W) into the phases b = 0 ... stride_w - 1 of its row, which begin at to + b * plane.  Reads up to `end`,
// the end of the image plane, and writes up to 2 * Lanes over the row's end.  fixed: stride_w, or 0 for any; divisions
// by it cost as much as the row where they are not shifts.
template <int fixed, class T>
CONVOLITH_INLINE void pack_row(const Pool2d& p, const Phases& f, const T* x, const T* end, T fill, T* to) {
  constexpr std::int64_t count = Lanes<T>::count;
  const std::int64_t step = fixed ? fixed : p.stride_w, left = p.pad_left;
  std::int64_t i = 0;  // groups of `step` columns of x that are done
  if (step == 1) {
    for (; i < min_of(p.W, f.pitch - left) && x + i + count <= end; i += count)
      Lanes<T>::load(x + i).store(to + left + i);
  } else if (step == 2) {
    T* even = to + left % 2 * f.plane + left / 2;
    T* odd = to + (left + 1) % 2 * f.plane + (left + 1) / 2;
    for (; i < min_of(p.W, 2 * f.pitch - left) / 2 && x + 2 * (i + count) <= end; i += count)
      split(x + 2 * i, even + i, odd + i);
  }
  for (std::int64_t b = 0; b < step; ++b) {
    T* row = to + b * f.plane;
    const std::int64_t first = min_of(f.pitch, ceil_div(max_of<std::int64_t>(0, left - b), step));
    const std::int64_t last = max_of(first, min_of(f.pitch, ceil_div(max_of<std::int64_t>(0, p.W + left - b), step)));
    for (std::int64_t j = 0; j < first; ++j) row[j] = fill;
    for (std::int64_t j = max_of(first, i); j < last; ++j) row[j] = x[j * step + b - left];
    for (std::int64_t j = last; j < f.pitch; ++j) row[j] = fill;
  }
}

// The rows that output rows [first, first + rows) need: x (H, W) into `to`.
template <class T>
CONVOLITH_INLINE void pack(const Pool2d& p, const Phases& f, const T* x, std::int64_t first, std::int64_t rows, T fill,
                           T* to) {
  const std::int64_t needed = rows + (p.R - 1) * p.dilation_h / p.stride_h;
  for (std::int64_t a = 0; a < p.stride_h; ++a) {
    for (std::int64_t i = 0; i < needed; ++i) {
      const std::int64_t h = (first + i) * p.stride_h + a - p.pad_top;
      T* row = to + a * p.stride_w * f.plane + i * f.pitch;
      if (h >= 0 && h < p.H) {
        const T *from = x + h * p.W, *end = x + p.H * p.W;
        if (p.stride_w == 1)
          pack_row<1>(p, f, from, end, fill, row);
        else if (p.stride_w == 2)
          pack_row<2>(p, f, from, end, fill, row);
        else
          pack_row<0>(p, f, from, end, fill, row);
      } else {
        for (std::int64_t b = 0; b < p.stride_w; ++b)
          for (std::int64_t j = 0; j < f.pitch; ++j) row[b * f.plane + j] = fill;
      }
    }
  }
}

// Calls f(plane, first output row, rows, thread) for every chunk of every image plane.
template <class F>
CONVOLITH_INLINE void for_chunks(const Pool2d& p, const Phases& phases, const F& f) {
  const std::int64_t all = p.N * p.C * phases.chunks;
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / phases.size);
  parallel_for(ceil_div(all, grain), [&](std::int64_t task, int thread) {
    for (std::int64_t i = task * grain; i < min_of(all, (task + 1) * grain); ++i) {
      const std::int64_t first = i % phases.chunks * phases.rows;
      f(i / phases.chunks, first, min_of(phases.rows, p.P - first), thread);
    }
  });
}

}  // namespace convolith::CONVOLITH_ISA
