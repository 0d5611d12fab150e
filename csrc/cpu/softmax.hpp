// Softmax of one row, and of Lanes of columns side by side: what softmax.cpp and cross_entropy.cpp share.
// Stable: the maximum is subtracted first.  Per element one exp and two or three passes, all but the first in cache.
#pragma once

#include "math.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// log softmax(x)_i = x_i - max - log_sum
template <class T>
struct Normaliser {
  T max, sum;
  CONVOLITH_INLINE double log_sum() const { return __builtin_log(static_cast<double>(sum)); }
};

template <class T>
constexpr T minus_infinity = -static_cast<T>(__builtin_inf());

// x (L), y (L) or null: y = exp(x - max); returns max and the sum of y.
template <class T>
CONVOLITH_INLINE Normaliser<T> exp_row(std::int64_t L, const T* x, T* y) {
  constexpr std::int64_t ahead = 2048;
  Lanes<T> top(minus_infinity<T>), total(T(0));
  for_lanes<T>(0, L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
    top = max(Lanes<T>::load(x + i, n, minus_infinity<T>), top);
  });
  const T m = max(top);
  for_lanes<T>(
      0, L,
      [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        fetch(x + i + ahead);  // while there is no other traffic
        return exp_of_negative(Lanes<T>::load(x + i, n, minus_infinity<T>) - Lanes<T>(m));
      },
      [&](std::int64_t i, Lanes<T> e, auto n) CONVOLITH_INLINED {
        if (y) e.store(y + i, n);
        total += e;
      });
  return {m, sum(total)};
}

// The same for columns side by side, x (L, Lanes) and y (L, Lanes) or null: maxima and sums, lane by lane.
template <class T>
struct Normalisers {
  Lanes<T> max, sum;
  CONVOLITH_INLINE Lanes<T> log_sum() const { return log(sum); }
};

template <class T>
CONVOLITH_INLINE Normalisers<T> exp_columns(std::int64_t L, const T* x, T* y) {
  constexpr std::int64_t count = Lanes<T>::count;
  Lanes<T> top(minus_infinity<T>), total(T(0));
  for (std::int64_t i = 0; i < L * count; i += count) top = max(Lanes<T>::load(x + i), top);
  for (std::int64_t i = 0; i < L * count; i += count) {
    const Lanes<T> e = exp_of_negative(Lanes<T>::load(x + i) - top);
    if (y) e.store(y + i);
    total += e;
  }
  return {top, total};
}

// Calls f(to, i, n) for `width` columns of an array (L, inner) that begins at 0: n of them at i, which in the packed
// array are the Lanes at `to`.  Packed, Lanes of columns follow each other, each (L, Lanes) and a row apart: as many
// bytes as a cache way has would be between them where L is a power of two.
template <class T, class F>
CONVOLITH_INLINE void for_packed(std::int64_t L, std::int64_t inner, std::int64_t width, const F& f) {
  constexpr std::int64_t count = Lanes<T>::count;
  for (std::int64_t l = 0; l < L; ++l)
    for_lanes<T>(0, width,
                 [&](std::int64_t i, auto n) CONVOLITH_INLINED { f(i * (L + 1) + l * count, l * inner + i, n); });
}

// Splits (outer, L, inner) into independent distributions of some thousand elements per task.
// Calls row(offset, thread) for each row where inner == 1.  Else columns(offset, n, packed, other) for n <= Lanes
// columns at a time: `packed` (L, Lanes) holds those of x and is to hold the result, `other` (L, Lanes) those of `more`
// if there is one.  Arrays are read and written in pieces of rows, once; all passes are over the packed columns, in
// cache.
template <class T, class Row, class Columns>
CONVOLITH_INLINE void for_distributions(std::int64_t outer, std::int64_t L, std::int64_t inner, const T* x,
                                        const T* more, T* result, const Row& row, const Columns& columns) {
  constexpr std::int64_t grain = elementwise_grain / 4, count = Lanes<T>::count;
  if (inner == 1) {
    const std::int64_t rows = max_of<std::int64_t>(1, grain / L);
    parallel_for(ceil_div(outer, rows), [&](std::int64_t task, int thread) {
      for (std::int64_t i = task * rows; i < min_of(outer, (task + 1) * rows); ++i) row(i * L, thread);
    });
    return;
  }
  const std::int64_t wanted = min_of<std::int64_t>(max_of<std::int64_t>(4, 2 * grain / (L * count)), 32) * count;
  const std::int64_t width = min_of(wanted, round_up(inner, count)), strips = ceil_div(inner, width);
  const std::int64_t size = width * (L + 1), all = outer * strips;
  const std::int64_t strips_per_task = max_of<std::int64_t>(1, grain / size);
  const Scratch<T> scratch(2 * size * max_threads());
  parallel_for(ceil_div(all, strips_per_task), [&](std::int64_t task, int thread) {
    T *packed = scratch.get() + 2 * thread * size, *other = packed + size;
    for (std::int64_t s = task * strips_per_task; s < min_of(all, (task + 1) * strips_per_task); ++s) {
      const std::int64_t column = s % strips * width, n = min_of(width, inner - column);
      const std::int64_t at = s / strips * L * inner + column;
      const auto pack = [&](const T* from, T* to) CONVOLITH_INLINED {
        for_packed<T>(L, inner, n, [&](std::int64_t j, std::int64_t i, auto lanes) CONVOLITH_INLINED {
          Lanes<T>::load(from + at + i, lanes).store(to + j);
        });
      };
      pack(x, packed);
      if (more) pack(more, other);
      for (std::int64_t i = 0; i < n; i += count)
        columns(at + i, min_of(count, n - i), packed + i * (L + 1), other + i * (L + 1));
      for_packed<T>(L, inner, n, [&](std::int64_t j, std::int64_t i, auto lanes) CONVOLITH_INLINED {
        Lanes<T>::load(packed + j).store(result + at + i, lanes);
      });
    }
  });
}

}  // namespace convolith::CONVOLITH_ISA
