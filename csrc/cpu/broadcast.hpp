// Walks over the axes of a Broadcast.
#pragma once

#include "../shapes.hpp"
#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

CONVOLITH_INLINE std::int64_t elements(const Broadcast& p, int first, int end) {
  std::int64_t n = 1;
  for (int i = first; i < end; ++i) n *= p.extent[i];
  return n;
}

// Goes through the positions of axes [first, end), the last axis fastest, and after the last position from the start
// again.
class Walk {
 public:
  std::int64_t a = 0, b = 0;  // where the position begins in a and b

  CONVOLITH_INLINE Walk(const Broadcast& p, int first, int end, std::int64_t position)
      : p_(p), first_(first), end_(end) {
    for (int i = end - 1; i >= first; --i) {
      index_[i] = position % p.extent[i];
      position /= p.extent[i];
      a += index_[i] * p.a[i];
      b += index_[i] * p.b[i];
    }
  }
  CONVOLITH_INLINE void next() {
    for (int i = end_ - 1; i >= first_; --i) {
      a += p_.a[i];
      b += p_.b[i];
      if (++index_[i] < p_.extent[i]) return;
      a -= p_.extent[i] * p_.a[i];
      b -= p_.extent[i] * p_.b[i];
      index_[i] = 0;
    }
  }

 private:
  const Broadcast& p_;
  int first_, end_;
  std::int64_t index_[16];
};

// n elements at i of a row that begins at `row`; with a step of 0 the row repeats one element.
template <int step, class T, class N>
CONVOLITH_INLINE Lanes<T> load_of_row(const T* row, std::int64_t i, N n) {
  if constexpr (step == 0)
    return Lanes<T>(*row);
  else
    return Lanes<T>::load(row + i, n);
}

}  // namespace convolith::CONVOLITH_ISA
