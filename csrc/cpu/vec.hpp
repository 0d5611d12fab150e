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

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifndef CONVOLITH_ISA
#error "cpu/ is compiled once per instruction set, with -DCONVOLITH_ISA=name -DCONVOLITH_VECTOR_BYTES=bytes"
#endif

namespace convolith::CONVOLITH_ISA {

constexpr std::int64_t vector_bytes = CONVOLITH_VECTOR_BYTES;

template <class T, int bytes>
struct VectorType {
  typedef T type __attribute__((vector_size(bytes)));
};
template <class T>
using Vec = typename VectorType<T, CONVOLITH_VECTOR_BYTES>::type;

template <class T>
constexpr std::int64_t width = vector_bytes / static_cast<std::int64_t>(sizeof(T));

#define CONVOLITH_INLINE inline __attribute__((always_inline))
#define CONVOLITH_INLINED __attribute__((always_inline))  // the same for a lambda, after its parameters

template <class T>
CONVOLITH_INLINE T min_of(T a, T b) {
  return b < a ? b : a;
}
template <class T>
CONVOLITH_INLINE T max_of(T a, T b) {
  return a < b ? b : a;
}
CONVOLITH_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}
CONVOLITH_INLINE std::int64_t round_up(std::int64_t a, std::int64_t b) {
  return ceil_div(a, b) * b;
}

// A number that a function can take as an argument and use at compile time: argument.value.
template <auto n>
struct Number {
  static constexpr auto value = n;
};

// The integers of T's size.  A comparison of vectors of T gives a vector of signed ones: -1 where it holds, else 0.
template <std::size_t bytes>
struct IntType;
template <>
struct IntType<4> {
  using type = std::int32_t;
  using unsigned_type = std::uint32_t;
};
template <>
struct IntType<8> {
  using type = std::int64_t;
  using unsigned_type = std::uint64_t;
};
template <class T>
using IntOf = typename IntType<sizeof(T)>::type;
template <class T>
using UnsignedOf = typename IntType<sizeof(T)>::unsigned_type;  // may overflow

// Of any vector type V of elements T: one register, half of one ...
template <class V, class T>
CONVOLITH_INLINE V load_vector(const T* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V, class T>
CONVOLITH_INLINE void store_vector(T* p, V v) {
  std::memcpy(p, &v, sizeof v);
}
// The first n elements of p, zeros behind them; one masked instruction where there is one.
template <class V, class T>
CONVOLITH_INLINE V load_vector(const T* p, std::int64_t n) {
  constexpr auto lanes = static_cast<IntOf<T>>(sizeof(V) / sizeof(T));
  if (n >= lanes) return load_vector<V>(p);
  alignas(64) T buffer[lanes];
  const auto end = static_cast<IntOf<T>>(n);
#pragma GCC unroll 1
  for (IntOf<T> i = 0; i < lanes; ++i) buffer[i] = i < end ? p[i] : T(0);
  return load_vector<V>(buffer);
}
template <class V, class T>
CONVOLITH_INLINE void store_vector(T* p, V v, std::int64_t n) {
  constexpr auto lanes = static_cast<IntOf<T>>(sizeof(V) / sizeof(T));
  if (n >= lanes) return store_vector(p, v);
  alignas(64) T buffer[lanes];
  store_vector(buffer, v);
  const auto end = static_cast<IntOf<T>>(n);
#pragma GCC unroll 1
  for (IntOf<T> i = 0; i < lanes; ++i)
    if (i < end) p[i] = buffer[i];
}

// The same of whole registers.
template <class T>
CONVOLITH_INLINE Vec<T> load(const T* p) {
  return load_vector<Vec<T>>(p);
}
template <class T>
CONVOLITH_INLINE void store(T* p, Vec<T> v) {
  store_vector(p, v);
}
template <class T>
CONVOLITH_INLINE Vec<T> load(const T* p, std::int64_t n) {
  return load_vector<Vec<T>>(p, n);
}
template <class T>
CONVOLITH_INLINE void store(T* p, Vec<T> v, std::int64_t n) {
  store_vector(p, v, n);
}

// Fetches the line of p to L2 and no further: the misses that L1 can have open would bound a stream at half of what
// memory gives.
CONVOLITH_INLINE void fetch(const void* p) {
  __builtin_prefetch(p, 0, 2);
}

// --- Lanes: 64 bytes, whatever the registers -----------------------------------------------------------------

struct Whole {};  // stands for "all lanes" where a number of lanes is asked for

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
    for (int i = 0; i < registers; ++i) std::memcpy(&a.v[i], p + i * width<T>, sizeof a.v[i]);
    return a;
  }
  CONVOLITH_INLINE void store(T* p) const {
    for (int i = 0; i < registers; ++i) std::memcpy(p + i * width<T>, &v[i], sizeof v[i]);
  }
  static CONVOLITH_INLINE Lanes load(const T* p, Whole, T = T(0)) { return load(p); }
  CONVOLITH_INLINE void store(T* p, Whole) const { store(p); }
  // Past the caches; p is a multiple of 64.
  CONVOLITH_INLINE void stream(T* p, Whole) const {
#ifdef __AVX__
    for (int i = 0; i < registers; ++i)
      asm("vmovntps %1, %0" : "=m"(*reinterpret_cast<Vec<T>*>(p + i * width<T>)) : "v"(v[i]));
#else
    store(p);
#endif
  }
  CONVOLITH_INLINE void stream(T* p, std::int64_t n) const { store(p, n); }
  // The first n < count elements, the rest `fill`.  Compilers make masked loads and stores of these two loops
  // unless they unroll them first.
  static CONVOLITH_INLINE Lanes load(const T* p, std::int64_t n, T fill = T(0)) {
    alignas(64) T buffer[count];
    const auto end = static_cast<IntOf<T>>(n);
#pragma GCC unroll 1
    for (IntOf<T> i = 0; i < count; ++i) buffer[i] = i < end ? p[i] : fill;
    return load(buffer);
  }
  CONVOLITH_INLINE void store(T* p, std::int64_t n) const {
    alignas(64) T buffer[count];
    store(buffer);
    const auto end = static_cast<IntOf<T>>(n);
#pragma GCC unroll 1
    for (IntOf<T> i = 0; i < count; ++i)
      if (i < end) p[i] = buffer[i];
  }

#define CONVOLITH_LANES_OPERATOR(op)                               \
  friend CONVOLITH_INLINE Lanes operator op(Lanes a, Lanes b) {    \
    for (int i = 0; i < registers; ++i) a.v[i] = a.v[i] op b.v[i]; \
    return a;                                                      \
  }
  CONVOLITH_LANES_OPERATOR(+)
  CONVOLITH_LANES_OPERATOR(-)
  CONVOLITH_LANES_OPERATOR(*)
  CONVOLITH_LANES_OPERATOR(/)
  CONVOLITH_LANES_OPERATOR(&)
  CONVOLITH_LANES_OPERATOR(|)
  CONVOLITH_LANES_OPERATOR(^)
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
// What a comparison gives: all bits of a lane set where it holds.
template <class T>
using Mask = Lanes<IntOf<T>>;

#define CONVOLITH_LANES_COMPARISON(name, expression)      \
  template <class T>                                      \
  CONVOLITH_INLINE Mask<T> name(Lanes<T> x, Lanes<T> y) { \
    Mask<T> m;                                            \
    for (int i = 0; i < Lanes<T>::registers; ++i) {       \
      const Vec<T> a = x.v[i], b = y.v[i];                \
      m.v[i] = expression;                                \
    }                                                     \
    return m;                                             \
  }
CONVOLITH_LANES_COMPARISON(equal, a == b)
CONVOLITH_LANES_COMPARISON(less_equal, a <= b)
CONVOLITH_LANES_COMPARISON(greater_or_nan, ~(a <= b))  // a > b, or either is NaN
#undef CONVOLITH_LANES_COMPARISON

// m ? yes : no, lane by lane; U is of the mask's width.
template <class I, class U>
CONVOLITH_INLINE Lanes<U> where(Lanes<I> m, Lanes<U> yes, Lanes<U> no) {
  for (int i = 0; i < Lanes<U>::registers; ++i) yes.v[i] = m.v[i] ? yes.v[i] : no.v[i];
  return yes;
}
// The bits of one type of lanes as another.
template <class To, class From>
CONVOLITH_INLINE Lanes<To> bits_as(Lanes<From> a) {
  Lanes<To> b;
  for (int i = 0; i < Lanes<To>::registers; ++i) b.v[i] = (Vec<To>)a.v[i];
  return b;
}
template <class T>
CONVOLITH_INLINE Lanes<T> shift_left(Lanes<T> a, int bits) {
  for (auto& r : a.v) r = r << bits;
  return a;
}
template <class T>
CONVOLITH_INLINE Lanes<T> shift_right(Lanes<T> a, int bits) {
  for (auto& r : a.v) r = r >> bits;
  return a;
}
// |a| with the sign of b.
template <class T>
CONVOLITH_INLINE Lanes<T> copy_sign(Lanes<T> a, Lanes<T> b) {
  const Mask<T> sign = bits_as<IntOf<T>>(Lanes<T>(T(-0.0)));
  const Mask<T> magnitude = sign ^ Mask<T>(IntOf<T>(-1));
  return bits_as<T>((bits_as<IntOf<T>>(a) & magnitude) | (bits_as<IntOf<T>>(b) & sign));
}
template <class T>
CONVOLITH_INLINE Lanes<T> square_root(Lanes<T> a) {
  for (auto& r : a.v)
    for (std::int64_t i = 0; i < width<T>; ++i)
      r[i] = sizeof(T) == 4 ? T(__builtin_sqrtf(r[i])) : T(__builtin_sqrt(r[i]));
  return a;
}
#ifdef __AVX512F__
// a 2^n for whole numbers n, rounded once.
template <class T>
CONVOLITH_INLINE Lanes<T> scale_by_exponent(Lanes<T> a, Lanes<T> n) {
  if constexpr (sizeof(T) == 4)
    asm("vscalefps %2, %1, %0" : "=v"(a.v[0]) : "v"(a.v[0]), "v"(n.v[0]));
  else
    asm("vscalefpd %2, %1, %0" : "=v"(a.v[0]) : "v"(a.v[0]), "v"(n.v[0]));
  return a;
}
#endif
// a > b ? a : b and a < b ? a : b, lane by lane: b where either is NaN.  On x86 one instruction, which GCC does not
// find.
#ifdef __AVX__
#define CONVOLITH_LANES_EXTREME(name, instruction, compare)                          \
  template <class T>                                                                 \
  CONVOLITH_INLINE Lanes<T> name(Lanes<T> a, Lanes<T> b) {                           \
    for (int i = 0; i < Lanes<T>::registers; ++i) {                                  \
      if constexpr (sizeof(T) == 4)                                                  \
        asm(instruction "ps %2, %1, %0" : "=v"(a.v[i]) : "v"(a.v[i]), "vm"(b.v[i])); \
      else                                                                           \
        asm(instruction "pd %2, %1, %0" : "=v"(a.v[i]) : "v"(a.v[i]), "vm"(b.v[i])); \
    }                                                                                \
    return a;                                                                        \
  }
#else
#define CONVOLITH_LANES_EXTREME(name, instruction, compare)                                         \
  template <class T>                                                                                \
  CONVOLITH_INLINE Lanes<T> name(Lanes<T> a, Lanes<T> b) {                                          \
    for (int i = 0; i < Lanes<T>::registers; ++i) a.v[i] = a.v[i] compare b.v[i] ? a.v[i] : b.v[i]; \
    return a;                                                                                       \
  }
#endif
CONVOLITH_LANES_EXTREME(max, "vmax", >)
CONVOLITH_LANES_EXTREME(min, "vmin", <)
#undef CONVOLITH_LANES_EXTREME

// x, but 0 where x < 0; NaN stays NaN.
template <class T>
CONVOLITH_INLINE Lanes<T> relu(Lanes<T> x) {
  return max(Lanes<T>(T(0)), x);
}

// v, of which the compiler cannot tell where it came from.  GCC 12 keeps an accumulator in memory, and its loop waits
// for a store and a load at each step, if halves of that accumulator are read later.
template <class V>
CONVOLITH_INLINE V in_register(V v) {
#ifdef __x86_64__
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}

template <class T>
CONVOLITH_INLINE Lanes<T> in_register(Lanes<T> v) {
  for (auto& r : v.v) r = in_register(r);
  return v;
}

// Keeps a loaded vector in its register: GCC would rather load it again for each use, and loads may be what is
// scarce.
template <class V>
CONVOLITH_INLINE void keep(V& v) {
#if defined(__x86_64__)
  asm volatile("" : "+v"(v));
#elif defined(__aarch64__)
  asm volatile("" : "+w"(v));
#else
  (void)v;
#endif
}

// Over lanes by halving: (i, i + count/2), then (i, i + count/4) ...: one fixed tree.
template <class T, int bytes, class V, class F>
CONVOLITH_INLINE T halve(V v, const F& combine) {
  if constexpr (bytes == 2 * sizeof(T)) {
    return combine(v[0], v[1]);
  } else {
    typedef T Half __attribute__((vector_size(bytes / 2)));
    Half low, high;
    std::memcpy(&low, &v, sizeof low);
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
    return halve<T, bytes / 2>(combine(low, high), combine);
  }
}
template <class T, class F>
CONVOLITH_INLINE T reduce(Lanes<T> a, const F& combine) {
  for (int half = Lanes<T>::registers / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) a.v[i] = combine(a.v[i], a.v[i + half]);
  return halve<T, CONVOLITH_VECTOR_BYTES>(in_register(a.v[0]), combine);
}
template <class T>
CONVOLITH_INLINE T sum(Lanes<T> a) {
  return reduce(a, [](auto x, auto y) CONVOLITH_INLINED { return x + y; });
}
template <class T>
CONVOLITH_INLINE T max(Lanes<T> a) {
  return reduce(a, [](auto x, auto y) CONVOLITH_INLINED { return x > y ? x : y; });
}

// Whether a mask holds anywhere.
template <class I>
CONVOLITH_INLINE bool any(Lanes<I> m) {
  return reduce(m, [](auto x, auto y) CONVOLITH_INLINED { return x | y; }) != 0;
}

// Calls f(i, n) for n lanes at a time from `begin` to `end`, n being Whole but for the last ones.
template <class T, class F>
CONVOLITH_INLINE void for_lanes(std::int64_t begin, std::int64_t end, const F& f) {
  for (; begin + Lanes<T>::count <= end; begin += Lanes<T>::count) f(begin, Whole{});
  if (begin < end) f(begin, end - begin);
}
// Calls put(i, f(i, n), n) for the same; with one register each for four at a time, whose operations the compiler may
// mix.
template <class T, class F, class Put>
CONVOLITH_INLINE void for_lanes(std::int64_t begin, std::int64_t end, const F& f, const Put& put) {
  constexpr std::int64_t count = Lanes<T>::count, group = 4;
  for (; Lanes<T>::registers == 1 && begin + group * count <= end; begin += group * count) {
    Lanes<T> v[group];
#pragma GCC unroll 4
    for (int k = 0; k < group; ++k) v[k] = f(begin + k * count, Whole{});
#pragma GCC unroll 4
    for (int k = 0; k < group; ++k) put(begin + k * count, v[k], Whole{});
  }
  for_lanes<T>(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED { put(i, f(i, n), n); });
}

}  // namespace convolith::CONVOLITH_ISA
