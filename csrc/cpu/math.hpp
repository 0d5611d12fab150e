// exp and what is made of it, and log, over Lanes.  Right at infinities, NaN, overflow and underflow (log: see there).
// Measured against long double on millions of arguments, exp is at most 1.04 ulp off, sigmoid 2.5, tanh 2.6 and log
// 0.82, in either type.
//
// Range reduction of Cody & Waite, "Software Manual for the Elementary Functions" (1980), chapter 6: x = n ln 2 + r,
// |r| <= ln 2 / 2, with ln 2 in two pieces; then e^x = 2^n (1 + expm1(r)), expm1 by its Taylor polynomial.
#pragma once

#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // 9 bits, so that n * high is exact
  static constexpr float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
  static constexpr int mantissa = 23, bias = 127, degree = 7;
  static constexpr float lowest = -104.0f, highest = 89.0f;  // exp is 0 below, infinite above
};
template <>
struct ExpConstants<double> {
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double shifter = 6755399441055744.0;
  static constexpr int mantissa = 52, bias = 1023, degree = 13;
  static constexpr double lowest = -746.0, highest = 710.0;
};

template <class T>
struct Reduced {
  Lanes<T> n, m;  // e^x = 2^n (1 + m)
};

// 2 FLOPs per degree and 8 more.
template <class T>
CONVOLITH_INLINE Reduced<T> reduce_exp(Lanes<T> x) {
  using K = ExpConstants<T>;
  const Lanes<T> shifter(K::shifter);
  const Lanes<T> n = fma(x, Lanes<T>(T(1.44269504088896340736)), shifter) - shifter;
  const Lanes<T> r = fma(n, Lanes<T>(-K::ln2_low), fma(n, Lanes<T>(-K::ln2_high), x));
  T factorial[K::degree + 1] = {1};
  for (int k = 1; k <= K::degree; ++k) factorial[k] = factorial[k - 1] * T(k);
  Lanes<T> q(1 / factorial[K::degree]);
  for (int k = K::degree - 1; k >= 2; --k) q = fma(q, r, Lanes<T>(1 / factorial[k]));
  return {n, fma(r * r, q, r)};
}

// 2^(n + lift) for integers whose sum gives a normal number.
template <class T>
CONVOLITH_INLINE Lanes<T> power_of_two(Lanes<T> n, T lift = 0) {
  using K = ExpConstants<T>;
  return bits_as<T>(shift_left(bits_as<IntOf<T>>(n + Lanes<T>(K::shifter + K::bias + lift)), K::mantissa));
}

template <class T>
CONVOLITH_INLINE Lanes<T> exp(Lanes<T> x) {
  using K = ExpConstants<T>;
  const Lanes<T> shifter(K::shifter);
  const Reduced<T> e = reduce_exp(min(Lanes<T>(K::highest), max(Lanes<T>(K::lowest), x)));  // NaN stays
  const Lanes<T> half = fma(e.n, Lanes<T>(T(0.5)), shifter) - shifter;  // 2^n may overflow, or be subnormal: two steps
  return (e.m + Lanes<T>(T(1))) * power_of_two(half) * power_of_two(e.n - half);
}
// The same, and the same bits, for x <= 0 or NaN: 2^n is lifted to normal numbers.
template <class T>
CONVOLITH_INLINE Lanes<T> exp_of_negative(Lanes<T> x) {
  constexpr T lift = 64, back = T(1) / (T(1) * 4294967296 * 4294967296);
  const Reduced<T> e = reduce_exp(max(Lanes<T>(ExpConstants<T>::lowest), x));
  return (e.m + Lanes<T>(T(1))) * power_of_two(e.n, lift) * Lanes<T>(back);
}

// 1 / (1 + e^-x), from e^-|x| so that nothing overflows and small results keep their digits.
template <class T>
CONVOLITH_INLINE Lanes<T> sigmoid(Lanes<T> x) {
  const Lanes<T> zero(T(0)), one(T(1));
  const Lanes<T> e = exp_of_negative(copy_sign(x, Lanes<T>(T(-1))));
  return where_greater(zero, x, e, one) / (one + e);
}

// With e = expm1(2 |x|): tanh |x| = e / (e + 2), which keeps its digits near 0.  Beyond the bound it is 1.
template <class T>
CONVOLITH_INLINE Lanes<T> tanh(Lanes<T> x) {
  const Lanes<T> one(T(1)), two(T(2)), bound(T(40));
  const Reduced<T> r = reduce_exp(min(bound, two * copy_sign(x, one)));
  const Lanes<T> scale = power_of_two(r.n);
  const Lanes<T> e = fma(scale, r.m, scale - one);
  return copy_sign(e / (e + two), x);
}

// Of normal numbers above 0, and NaN: x = 2^n m with m in [sqrt 1/2, sqrt 2), and with s = (m - 1) / (m + 1)
// log m = 2 artanh s = 2 (s + s^3 / 3 + s^5 / 5 + ...), |s| < 0.172.
template <class T>
CONVOLITH_INLINE Lanes<T> log(Lanes<T> x) {
  using K = ExpConstants<T>;
  using I = IntOf<T>;
  const Lanes<T> one(T(1)), root_half(T(0.70710678118654752440));
  // The bits of x / sqrt(1/2): above the mantissa n, below it how far m is from sqrt(1/2).
  const Mask<T> offset = bits_as<I>(x) - bits_as<I>(root_half);
  const Mask<T> exponent = shift_right(offset, K::mantissa);
  const Lanes<T> m = bits_as<T>(bits_as<I>(x) - shift_left(exponent, K::mantissa));
  const Lanes<T> n = bits_as<T>(bits_as<I>(Lanes<T>(K::shifter)) + exponent) - Lanes<T>(K::shifter);
  const Lanes<T> d = m - one, s = d / (m + one), square = s * s;
  constexpr int terms = sizeof(T) == 4 ? 5 : 11;
  Lanes<T> series(T(0));
  for (int k = terms; k >= 1; --k) series = (series + Lanes<T>(T(1) / T(2 * k + 1))) * square;
  // 2 s + 2 s series = d - s (d - 2 series): d is exact.
  const Lanes<T> tail = fma(n, Lanes<T>(K::ln2_low), s * (series + series - d));
  const Lanes<T> y = fma(n, Lanes<T>(K::ln2_high), d + tail);
  return where(equal(x, x), y, x);
}

// log(1 + x) for 0 <= x <= 1, and NaN: what rounding 1 + x has lost is added to the logarithm.
template <class T>
CONVOLITH_INLINE Lanes<T> log1p(Lanes<T> x) {
  const Lanes<T> one(T(1)), u = one + x;
  return log(u) + (x - (u - one)) / u;
}

}  // namespace convolith::CONVOLITH_ISA
