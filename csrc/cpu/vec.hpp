// Vectors.  Every kernel is written once over these two types and compiled once per instruction set:
//
//   Vec<T>    one machine register (16, 32 or 64 bytes): for micro-kernels, where the sum of an output
//             element does not depend on the vector width;
//   Lanes<T>  always 64 bytes, as many registers as that takes: for reductions and element-wise loops, so that
//             a sum over lanes is the same tree, hence the same bits, on AVX2 and on AVX-512.
//
// a * b + c contracts to a fused multiply-add wherever the instruction set has one (-ffp-contract=fast).
// Everything lives in namespace CONVOLITH_ISA: a function shared between instruction sets would be kept once by
// the linker, maybe the one that this CPU cannot run.  That is why std:: helpers are not used in cpu/.
#pragma once

#include <cstdint>
#include <cstring>

#ifndef CONVOLITH_ISA
#error "cpu/ is compiled once per instruction set, with -DCONVOLITH_ISA=name -DCONVOLITH_VECTOR_BYTES=bytes"
#endif

namespace convolith::CONVOLITH_ISA {

constexpr std::int64_t vector_bytes = CONVOLITH_VECTOR_BYTES;

template <class T>
struct VecType {
  typedef T type __attribute__((vector_size(CONVOLITH_VECTOR_BYTES)));
};
template <class T>
using Vec = typename VecType<T>::type;

template <class T>
constexpr std::int64_t width = vector_bytes / static_cast<std::int64_t>(sizeof(T));

#define CONVOLITH_INLINE inline __attribute__((always_inline))

template <class T>
CONVOLITH_INLINE T min_of(T a, T b) {
  return b < a ? b : a;
}
template <class T>
CONVOLITH_INLINE T max_of(T a, T b) {
  return a < b ? b : a;
}
CONVOLITH_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
CONVOLITH_INLINE std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

template <class T>
CONVOLITH_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
CONVOLITH_INLINE void store(T* p, Vec<T> v) {
  std::memcpy(p, &v, sizeof v);
}

// --- Lanes: 64 bytes, whatever the registers -----------------------------------------------------------------

template <class T>
struct Lanes {
  static constexpr int registers = 64 / CONVOLITH_VECTOR_BYTES;
  static constexpr std::int64_t count = 64 / static_cast<std::int64_t>(sizeof(T));
  Vec<T> v[registers];

  Lanes() = default;
  CONVOLITH_INLINE Lanes(T scalar) {
    for (auto& r : v) r = scalar - Vec<T>{};
  }

  static CONVOLITH_INLINE Lanes load(const T* p) {
    Lanes a;
    std::memcpy(&a, p, sizeof a);
    return a;
  }
  // The first n < count elements, the rest `fill`.
  static CONVOLITH_INLINE Lanes load(const T* p, std::int64_t n, T fill = T(0)) {
    alignas(64) T buffer[count];
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = i < n ? p[i] : fill;
    return load(buffer);
  }
  CONVOLITH_INLINE void store(T* p) const { std::memcpy(p, this, sizeof *this); }
  CONVOLITH_INLINE void store(T* p, std::int64_t n) const {
    alignas(64) T buffer[count];
    store(buffer);
    for (std::int64_t i = 0; i < n; ++i) p[i] = buffer[i];
  }

#define CONVOLITH_LANES_OPERATOR(op)                                    \
  friend CONVOLITH_INLINE Lanes operator op(Lanes a, Lanes b) {         \
    for (int i = 0; i < registers; ++i) a.v[i] = a.v[i] op b.v[i];      \
    return a;                                                           \
  }
  CONVOLITH_LANES_OPERATOR(+)
  CONVOLITH_LANES_OPERATOR(-)
  CONVOLITH_LANES_OPERATOR(*)
  CONVOLITH_LANES_OPERATOR(/)
#undef CONVOLITH_LANES_OPERATOR
  CONVOLITH_INLINE Lanes& operator+=(Lanes b) { return *this = *this + b; }
};

// a * b + c, fused where the instruction set can.
template <class T>
CONVOLITH_INLINE Lanes<T> fma(Lanes<T> a, Lanes<T> b, Lanes<T> c) {
  for (int i = 0; i < Lanes<T>::registers; ++i) c.v[i] = a.v[i] * b.v[i] + c.v[i];
  return c;
}
// a > b ? yes : no, lane by lane; false where either is NaN.
template <class T>
CONVOLITH_INLINE Lanes<T> where_greater(Lanes<T> a, Lanes<T> b, Lanes<T> yes, Lanes<T> no) {
  for (int i = 0; i < Lanes<T>::registers; ++i) yes.v[i] = a.v[i] > b.v[i] ? yes.v[i] : no.v[i];
  return yes;
}
// The sum over lanes by halving: (i, i + count/2), then (i, i + count/4) ...: one fixed tree.
template <class T>
CONVOLITH_INLINE T sum(Lanes<T> a) {
  alignas(64) T lane[Lanes<T>::count];
  a.store(lane);
  for (std::int64_t half = Lanes<T>::count / 2; half > 0; half /= 2)
    for (std::int64_t i = 0; i < half; ++i) lane[i] += lane[i + half];
  return lane[0];
}

}  // namespace convolith::CONVOLITH_ISA
