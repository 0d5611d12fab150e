// Softmax of one row, and of Lanes of columns side by side: what softmax.cpp and loss.cpp share.
// Stable: the maximum is subtracted first.  Per element one exp and two or three passes, the last ones in cache.
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
  Lanes<T> top(minus_infinity<T>), total(T(0));
  for_lanes<T>(0, L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
    top = max(Lanes<T>::load(x + i, n, minus_infinity<T>), top);
  });
  const T m = max(top);
  for_lanes<T>(0, L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
    const Lanes<T> e = exp(Lanes<T>::load(x + i, n, minus_infinity<T>) - Lanes<T>(m));
    if (y) e.store(y + i, n);
    total += e;
  });
  return {m, sum(total)};
}

// The same for n columns of x (L, inner) and y (L, inner): maxima and sums, lane by lane.
template <class T>
struct Normalisers {
  Lanes<T> max, sum;
  CONVOLITH_INLINE Lanes<T> log_sum() const {
    T lane[Lanes<T>::count];
    sum.store(lane);
    for (T& v : lane) v = static_cast<T>(__builtin_log(static_cast<double>(v)));
    return Lanes<T>::load(lane);
  }
};

template <class T, class Count>
CONVOLITH_INLINE Normalisers<T> exp_columns(std::int64_t L, std::int64_t inner, Count n, const T* x, T* y) {
  Lanes<T> top(minus_infinity<T>), total(T(0));
  for (std::int64_t l = 0; l < L; ++l) top = max(Lanes<T>::load(x + l * inner, n), top);
  for (std::int64_t l = 0; l < L; ++l) {
    const Lanes<T> e = exp(Lanes<T>::load(x + l * inner, n) - top);
    if (y) e.store(y + l * inner, n);
    total += e;
  }
  return {top, total};
}

// Splits (outer, L, inner) into independent distributions of some thousand elements per task.
// Calls row(offset) for each row where inner == 1, else columns(offset, n) for n columns at a time.
template <class T, class Row, class Columns>
CONVOLITH_INLINE void for_distributions(std::int64_t outer, std::int64_t L, std::int64_t inner, const Row& row,
                                        const Columns& columns) {
  constexpr std::int64_t grain = elementwise_grain / 4;
  if (inner == 1) {
    parallel_ranges(outer, max_of<std::int64_t>(1, grain / L), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) row(i * L);
    });
    return;
  }
  const std::int64_t strips = ceil_div(inner, Lanes<T>::count);
  parallel_ranges(outer * strips, max_of<std::int64_t>(1, grain / (L * Lanes<T>::count)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t task = begin; task < end; ++task) {
                      const std::int64_t column = task % strips * Lanes<T>::count;
                      const std::int64_t offset = task / strips * L * inner + column;
                      if (column + Lanes<T>::count <= inner)
                        columns(offset, Whole{});
                      else
                        columns(offset, inner - column);
                    }
                  });
}

}  // namespace convolith::CONVOLITH_ISA
