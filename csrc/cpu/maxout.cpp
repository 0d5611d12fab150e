// Maxout: the largest of some neighbouring channels (Goodfellow et al. 2013).  Forward reads x and writes y, backward
// reads x and dy and finds the largest again, which costs less than to read where it was.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// v where it is larger or NaN, else best: the first of several that are as large, and NaN before any number.
template <class T>
CONVOLITH_INLINE Lanes<T> larger(Lanes<T> best, Lanes<T> v) {
  return where(equal(v, v), where_greater(v, best, v, best), v);
}
template <class T>
CONVOLITH_INLINE T larger(T best, T v) {
  return v > best || v != v ? v : best;
}
// Whether v is `best`, which is NaN if any v is.
template <class T>
CONVOLITH_INLINE Mask<T> is_best(Lanes<T> v, Lanes<T> best) {
  return equal(v, best) | (equal(v, v) ^ Mask<T>(IntOf<T>(-1)));
}

// Rows: (n, k), each of `pieces` rows of x and one of y.
template <class F>
CONVOLITH_INLINE void for_rows(const Maxout& p, const F& f) {
  const std::int64_t grain = max_of<std::int64_t>(1, elementwise_grain / (p.pieces * max_of<std::int64_t>(1, p.L)));
  parallel_ranges(p.N * p.K, grain, f);
}

// Where rows have one element, of rows [begin, end).
template <class T>
CONVOLITH_INLINE void forward_single(std::int64_t pieces, std::int64_t begin, std::int64_t end, const T* x, T* y) {
  for (std::int64_t row = begin; row < end; ++row) {
    const T* from = x + row * pieces;
    T best = from[0];
    for (std::int64_t i = 1; i < pieces; ++i) best = larger(best, from[i]);
    y[row] = best;
  }
}
template <class T>
CONVOLITH_INLINE void backward_single(std::int64_t pieces, std::int64_t begin, std::int64_t end, const T* dy,
                                      const T* x, T* dx) {
  for (std::int64_t row = begin; row < end; ++row) {
    const T* from = x + row * pieces;
    std::int64_t first = 0;
    for (std::int64_t i = 1; i < pieces; ++i)
      if (from[first] == from[first] && (from[i] > from[first] || from[i] != from[i])) first = i;
    for (std::int64_t i = 0; i < pieces; ++i) dx[row * pieces + i] = i == first ? dy[row] : T(0);
  }
}

// The largest of n lanes of `pieces` rows of L, the first of them at x; those of the next output are fetched.
template <class T, class Number>
CONVOLITH_INLINE Lanes<T> largest(const Maxout& p, const T* x, Number n) {
  Lanes<T> best = Lanes<T>::load(x, n);
  fetch(x + p.pieces * p.L);
  for (std::int64_t i = 1; i < p.pieces; ++i) {
    best = larger(best, Lanes<T>::load(x + i * p.L, n));
    fetch(x + (p.pieces + i) * p.L);
  }
  return best;
}

}  // namespace

// x (N, K * pieces, L), y (N, K, L)
template <class T>
void maxout_forward(const Maxout& p, const T* x, T* y) {
  const Output<T> out(y, p.N * p.K * p.L);
  for_rows(p, [&](std::int64_t begin, std::int64_t end) {
    if (p.L == 1) return forward_single(p.pieces, begin, end, x, y);
    for (std::int64_t row = begin; row < end; ++row) {
      const T* from = x + row * (p.pieces - 1) * p.L;  // of y's indices
      out.fill(row * p.L, (row + 1) * p.L,
               [=](std::int64_t i, auto n) CONVOLITH_INLINED { return largest(p, from + i, n); });
    }
  });
}
INSTANTIATE(maxout_forward)

// dy (N, K, L), x, dx (N, K * pieces, L): dy goes to the first channel that is the largest.
template <class T>
void maxout_backward(const Maxout& p, const T* dy, const T* x, T* dx) {
  for_rows(p, [&](std::int64_t begin, std::int64_t end) {
    if (p.L == 1) return backward_single(p.pieces, begin, end, dy, x, dx);
    for (std::int64_t row = begin; row < end; ++row)
      for_lanes<T>(0, p.L, [&](std::int64_t l, auto n) CONVOLITH_INLINED {
        const std::int64_t at = row * p.pieces * p.L + l;
        const Lanes<T> best = largest(p, x + at, n);
        const Lanes<T> g = Lanes<T>::load(dy + row * p.L + l, n);
        Mask<T> open(IntOf<T>(-1));  // of which lanes the largest is still to come
        for (std::int64_t i = 0; i < p.pieces; ++i) {
          const Mask<T> here = open & is_best(Lanes<T>::load(x + at + i * p.L, n), best);
          where(here, g, Lanes<T>(T(0))).store(dx + at + i * p.L, n);
          open = open ^ here;
        }
      });
  });
}
INSTANTIATE(maxout_backward)

}  // namespace convolith::CONVOLITH_ISA
