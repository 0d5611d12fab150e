// Dropout with a counter-based generator: what happens to element i, or slice i, depends on (seed, offset, i) alone, so
// forward and backward are the same function and nothing has to be kept.
#include "kernels.hpp"
#include "parallel.hpp"
#include "philox.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// What becomes of x where it is kept.
template <class T>
struct Kept {
  Lanes<T> scale, shift;

  CONVOLITH_INLINE explicit Kept(const Dropout& p) : scale(static_cast<T>(p.scale)), shift(static_cast<T>(p.shift)) {}
  CONVOLITH_INLINE Lanes<T> of(Lanes<T> x) const { return fma(x, scale, shift); }
};

// u >= p is word >> 8 >= ceil(p 2^24), for u = (word >> 8) 2^-24.
double threshold_of(const Dropout& p) {
  return __builtin_ceil(p.p * 16777216.0);
}

}  // namespace

// x, y (n): y = scale x + shift where u >= p, else `dropped`; y may be x.
template <class T>
void dropout(const Dropout& p, const T* x, T* y) {
  const Lanes<T> threshold(static_cast<T>(threshold_of(p))), dropped(static_cast<T>(p.dropped));
  const Kept<T> result(p);
  static_assert(elementwise_grain % philox_words == 0);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += philox_words) {
      T u[philox_words];
      philox_uniform(p.seed, p.offset, at, u);
      for_lanes<T>(at, min_of(end, at + philox_words), [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        const auto kept = less_equal(threshold, Lanes<T>::load(u + (i - at)));
        where(kept, result.of(Lanes<T>::load(x + i, n)), dropped).store(y + i, n);
      });
    }
  });
}
INSTANTIATE(dropout)

// x, y (n / L, L): the same for slices of L elements, each with one word; y may be x.
template <class T>
void dropout_slices(const Dropout& p, const T* x, T* y) {
  const T threshold = static_cast<T>(threshold_of(p));
  const Lanes<T> dropped(static_cast<T>(p.dropped));
  const Kept<T> result(p);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    T u[philox_words];
    for (std::int64_t at = begin, drawn = -1; at < end;) {
      const std::int64_t slice = at / p.L, last = min_of(end, (slice + 1) * p.L), i = slice % philox_words;
      if (slice / philox_words != drawn) {
        drawn = slice / philox_words;
        philox_uniform(p.seed, p.offset, drawn * philox_words, u);
      }
      if (u[i] >= threshold)
        for_lanes<T>(at, last, [&](std::int64_t j, auto n) CONVOLITH_INLINED {
          result.of(Lanes<T>::load(x + j, n)).store(y + j, n);
        });
      else
        for_lanes<T>(at, last, [&](std::int64_t j, auto n) CONVOLITH_INLINED { dropped.store(y + j, n); });
      at = last;
    }
  });
}
INSTANTIATE(dropout_slices)

}  // namespace convolith::CONVOLITH_ISA
