// Reductions over a whole array, whatever its shape: pieces of a fixed size, whose results are combined in order.
#pragma once

#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// Of lanes, vectors and scalars.
struct Add {
  template <class V>
  CONVOLITH_INLINE V operator()(V a, V b) const {
    return a + b;
  }
};
struct Larger {  // NaN where one is
  template <class V>
  CONVOLITH_INLINE V operator()(V a, V b) const {
    return (a > b) | (a != a) ? a : b;
  }
  template <class T>
  CONVOLITH_INLINE Lanes<T> operator()(Lanes<T> a, Lanes<T> b) const {
    for (int i = 0; i < Lanes<T>::registers; ++i) a.v[i] = (*this)(a.v[i], b.v[i]);
    return a;
  }
};

// total[k], 0 at first, combined with what f(i, n, total) makes of `total` for n lanes at a time.
template <class T, int K, class F, class Combine>
CONVOLITH_INLINE void reduce_all(std::int64_t n, const F& f, const Combine& combine, T (&total)[K]) {
  const std::int64_t pieces = ceil_div(n, elementwise_grain);
  const Scratch<T> parts(max_of<std::int64_t>(1, pieces * K));
  parallel_ranges(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    Lanes<T> part[K];
    for (auto& lanes : part) lanes = Lanes<T>(T(0));
    for_lanes<T>(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED { f(i, n, part); });
    for (int k = 0; k < K; ++k) parts.get()[begin / elementwise_grain * K + k] = reduce(part[k], combine);
  });
  for (int k = 0; k < K; ++k) {
    total[k] = T(0);
    for (std::int64_t piece = 0; piece < pieces; ++piece) total[k] = combine(total[k], parts.get()[piece * K + k]);
  }
}

}  // namespace convolith::CONVOLITH_ISA
