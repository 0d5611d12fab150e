// Dropout with a counter-based generator: what happens to element i depends on (seed, offset, i) alone, so forward
// and backward are the same function and nothing has to be kept.
#include "kernels.hpp"
#include "parallel.hpp"
#include "philox.hpp"

namespace convolith::CONVOLITH_ISA {

// x, y (n): y = x / (1 - p) where u >= p, else 0, with u = (word >> 8) * 2^-24; y may be x.
template <class T>
void dropout(const Dropout& p, const T* x, T* y) {
  const Lanes<T> threshold(static_cast<T>(__builtin_ceil(p.p * 16777216.0)));  // u >= p, both times 2^24: exact
  const Lanes<T> zero(T(0)), scale(static_cast<T>(p.p < 1 ? 1 / (1 - p.p) : 0));
  static_assert(elementwise_grain % philox_words == 0);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += philox_words) {
      T u[philox_words];
      philox_uniform(p.seed, p.offset, at, u);
      for_lanes<T>(at, min_of(end, at + philox_words), [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        const auto kept = less_equal(threshold, Lanes<T>::load(u + (i - at)));
        where(kept, Lanes<T>::load(x + i, n) * scale, zero).store(y + i, n);
      });
    }
  });
}
INSTANTIATE(dropout)

}  // namespace convolith::CONVOLITH_ISA
