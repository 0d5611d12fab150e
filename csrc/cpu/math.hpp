// exp and what is made of it, log, and the normal distribution, over Lanes.  Right at infinities, NaN, overflow and
// underflow (log: see there).
// Measured against long double on millions of arguments, exp is at most 1.1 ulp off, sigmoid 2.4, tanh 2.6 and log
// 0.9, in either type; relative to the result, expm1 1.1 epsilon, log1p 1.5 (1.7 where there is no fused multiply-add)
// and the normal probability 3.5; without that x^2 / 4 more, for rounding x^2.
//
// Range reduction of Cody & Waite, "Software Manual for the Elementary Functions" (1980), chapter 6: x = n ln 2 + r,
// |r| <= ln 2 / 2, with ln 2 in two pieces; then e^x = 2^n (1 + expm1(r)), expm1 by a polynomial.
#pragma once

#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // 9 bits, so that n * high is exact
  static constexpr float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float lowest = -104.0f, highest = 89.0f;  // exp is 0 below, infinite above
};
template <>
struct ExpConstants<double> {
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double shifter = 6755399441055744.0;
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double lowest = -746.0, highest = 710.0;
};

// c[0] + c[1] x + c[2] x^2 + ... by pairs, as Estrin (1960) does: log2 n steps that wait for each other, not n.
template <class T, int n>
CONVOLITH_INLINE Lanes<T> polynomial(const Lanes<T> (&c)[n], Lanes<T> x) {
  if constexpr (n == 1) {
    return c[0];
  } else {
    Lanes<T> pairs[(n + 1) / 2];
#pragma GCC unroll 16
    for (int i = 0; i < (n + 1) / 2; ++i) pairs[i] = 2 * i + 1 < n ? fma(c[2 * i + 1], x, c[2 * i]) : c[2 * i];
    return polynomial(pairs, x * x);
  }
}
template <class T, int n>
struct Coefficients {
  T c[n];
  CONVOLITH_INLINE Lanes<T> at(Lanes<T> x) const {
    Lanes<T> lanes[n];
#pragma GCC unroll 32
    for (int i = 0; i < n; ++i) lanes[i] = Lanes<T>(c[i]);
    return polynomial(lanes, x);
  }
};

// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, interpolated at Chebyshev's points: of e^r 1.0e-8 and 1.7e-17 off.
template <class T>
constexpr Coefficients<T, 1> exp_series{};
template <>
constexpr Coefficients<float, 5> exp_series<float>{{
    0.5f,
    0.16666576846f,
    0.041666554438f,
    0.0083632029716f,
    0.0013926213466f,
}};
template <>
constexpr Coefficients<double, 10> exp_series<double>{{
    0.500000000000000102621,
    0.166666666666666674559,
    0.0416666666666239915159,
    0.00833333333333005134637,
    0.00138888889172817933075,
    0.000198412698631059687484,
    2.48015211902177276508e-5,
    2.75572683786841928727e-6,
    2.76201387197339955688e-7,
    2.51004241570050667876e-8,
}};

template <class T>
struct Reduced {
  Lanes<T> n, m;  // e^x = 2^n (1 + m)
};

// x / ln 2 as a whole number.
template <class T>
CONVOLITH_INLINE Lanes<T> nearest_power(Lanes<T> x) {
  const Lanes<T> shifter(ExpConstants<T>::shifter);
  return fma(x, Lanes<T>(T(1.44269504088896340736)), shifter) - shifter;
}
// Of e^(a b), where the product is not rounded if there is a fused multiply-add.
template <class T>
CONVOLITH_INLINE Reduced<T> reduce_exp(Lanes<T> a, Lanes<T> b) {
  using K = ExpConstants<T>;
  const Lanes<T> same = in_register(a);  // or the compiler takes the product that is rounded for the one below
  const Lanes<T> n = nearest_power(same * b);
  const Lanes<T> exact = in_register(n * Lanes<T>(K::ln2_high));  // or it fuses this product and not a b
  const Lanes<T> r = fma(n, Lanes<T>(-K::ln2_low), fma(a, b, Lanes<T>(T(0)) - exact));
  return {n, fma(r * r, exp_series<T>.at(r), r)};
}
template <class T>
CONVOLITH_INLINE Reduced<T> reduce_exp(Lanes<T> x) {
  using K = ExpConstants<T>;
  const Lanes<T> n = nearest_power(x);
  const Lanes<T> r = fma(n, Lanes<T>(-K::ln2_low), fma(n, Lanes<T>(-K::ln2_high), x));
  return {n, fma(r * r, exp_series<T>.at(r), r)};
}

// 2^(n + lift) for integers whose sum gives a normal number.
template <class T>
CONVOLITH_INLINE Lanes<T> power_of_two(Lanes<T> n, T lift = 0) {
  using K = ExpConstants<T>;
  return bits_as<T>(shift_left(bits_as<IntOf<T>>(n + Lanes<T>(K::shifter + K::bias + lift)), K::mantissa));
}

// a 2^n, rounded once where it is subnormal, and infinite where it is too large.
template <class T>
CONVOLITH_INLINE Lanes<T> scale(Lanes<T> a, Lanes<T> n) {
#ifdef __AVX512F__
  return scale_by_exponent(a, n);
#else
  const Lanes<T> shifter(ExpConstants<T>::shifter);
  const Lanes<T> half = fma(n, Lanes<T>(T(0.5)), shifter) - shifter;  // two steps, whose powers are normal numbers
  return a * power_of_two(half) * power_of_two(n - half);
#endif
}
// The same for n <= 0: by a power that is lifted to normal numbers.
template <class T>
CONVOLITH_INLINE Lanes<T> scale_down(Lanes<T> a, Lanes<T> n) {
#ifdef __AVX512F__
  return scale_by_exponent(a, n);
#else
  constexpr T lift = 64, back = T(1) / (T(1) * 4294967296 * 4294967296);
  return a * power_of_two(n, lift) * Lanes<T>(back);
#endif
}

template <class T>
CONVOLITH_INLINE Lanes<T> exp(Lanes<T> x) {
  using K = ExpConstants<T>;
  const Reduced<T> e = reduce_exp(min(Lanes<T>(K::highest), max(Lanes<T>(K::lowest), x)));  // NaN stays
  return scale(e.m + Lanes<T>(T(1)), e.n);
}
// The same, and the same bits, for x <= 0 or NaN; and for a product a b.
template <class T>
CONVOLITH_INLINE Lanes<T> exp_of_negative(Lanes<T> x) {
  const Reduced<T> e = reduce_exp(max(Lanes<T>(ExpConstants<T>::lowest), x));
  return scale_down(e.m + Lanes<T>(T(1)), e.n);
}
template <class T>
CONVOLITH_INLINE Lanes<T> exp_of_negative(Lanes<T> a, Lanes<T> b) {
  const Reduced<T> e = reduce_exp(a, b);
  return scale_down(e.m + Lanes<T>(T(1)), e.n);
}

// e^x - 1 for x <= 0 or NaN; below the bound it is -1.
template <class T>
CONVOLITH_INLINE Lanes<T> expm1_of_negative(Lanes<T> x) {
  const Reduced<T> e = reduce_exp(max(Lanes<T>(T(-40)), x));
  const Lanes<T> scale = power_of_two(e.n);
  return fma(scale, e.m, scale - Lanes<T>(T(1)));
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

// Of normal numbers above 0, and NaN: x = 2^n m with m in [sqrt 1/2, sqrt 2), and with d = m - 1, s = d / (m + 1)
// log m = 2 artanh s = 2 (s + s^3 / 3 + s^5 / 5 + ...), |s| < 0.172.  Of anything else some number.
template <class T>
CONVOLITH_INLINE Lanes<T> log(Lanes<T> x) {
  using K = ExpConstants<T>;
  using U = UnsignedOf<T>;
  const Lanes<T> one(T(1)), root_half(T(0.70710678118654752440));
  // The bits of x / sqrt(1/2): above the mantissa n, below it how far m is from sqrt(1/2).
  const Lanes<U> offset = bits_as<U>(x) - bits_as<U>(root_half);
  const Lanes<U> exponent = bits_as<U>(shift_right(bits_as<IntOf<T>>(offset), K::mantissa));  // with its sign
  const Lanes<T> m = bits_as<T>(bits_as<U>(x) - shift_left(exponent, K::mantissa));
  const Lanes<T> n = bits_as<T>(bits_as<U>(Lanes<T>(K::shifter)) + exponent) - Lanes<T>(K::shifter);
  const Lanes<T> d = m - one, s = d / (m + one), square = s * s;
  constexpr int terms = sizeof(T) == 4 ? 5 : 11;
  Lanes<T> series(T(0));
  for (int k = terms; k >= 1; --k) series = (series + Lanes<T>(T(1) / T(2 * k + 1))) * square;
  // 2 s + 2 s series = d - s (d - 2 series): d is exact.
  const Lanes<T> tail = fma(n, Lanes<T>(K::ln2_low), s * (series + series - d));
  const Lanes<T> y = fma(n, Lanes<T>(K::ln2_high), d + tail);
  return where(equal(x, x), y, x);
}

// (log(1 + x) - x) / x^2 for 0 <= x <= 1, interpolated at Chebyshev's points: of log(1 + x) 2.3e-8 and 4.4e-17 off.
template <class T>
constexpr Coefficients<T, 1> log1p_series{};
template <>
constexpr Coefficients<float, 9> log1p_series<float>{{
    -0.4999999698f,
    0.3333284189f,
    -0.2498652617f,
    0.1985410623f,
    -0.1584756572f,
    0.1156184545f,
    -0.06675772506f,
    0.02522405435f,
    -0.004466211601f,
}};
template <>
constexpr Coefficients<double, 20> log1p_series<double>{{
    -0.499999999999999940238,   0.333333333333285467528,   -0.249999999993596205634,  0.199999999658224018445,
    -0.166666656967697302141,   0.142856973681769039333,   -0.124998021936408678909,  0.11109469727104493887,
    -0.0998994097833761753317,  0.0904403840581878173894,  -0.0816358369873179002186, 0.0720605278389050249639,
    -0.0602457184960511390214,  0.0457183288742196420627,  -0.030006248922024148903,  0.0161774482920837738563,
    -0.00676141949884980219729, 0.00203084624840976320366, -0.0003870111108580303872, 0.0000349649999951775278935,
}};

// log(1 + x) for 0 <= x <= 1, and NaN.
template <class T>
CONVOLITH_INLINE Lanes<T> log1p(Lanes<T> x) {
  return fma(x * x, log1p_series<T>.at(x), x);
}

// Of the normal distribution at x: e^(-x^2 / 2) / sqrt(2 pi), and the probability of less than x.
template <class T>
struct Normal {
  Lanes<T> density, probability;
};

// The probability of more than a > 0 is e^(-a^2 / 2) / (a + 4) times a smooth function of s = (a - 4) / (a + 4): the
// idea of Shepherd & Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity" (1981),
// who take other constants.  Interpolated at Chebyshev's points up to the bound, beyond which the probability is 0,
// with 60 digits: 1.3e-8 and 3.7e-18 off, relative to it.
template <class T>
constexpr T normal_bound = sizeof(T) == 4 ? T(14.42) : T(38.6);
template <class T>
constexpr Coefficients<T, 1> normal_tail{};
template <>
constexpr Coefficients<float, 10> normal_tail<float>{{
    0.755285138f,
    -0.607896608f,
    0.38713668f,
    -0.186522956f,
    0.0604065096f,
    -0.00752752318f,
    -0.00352399206f,
    0.00156975313f,
    0.000195789266f,
    -0.000122550975f,
}};
template <>
constexpr Coefficients<double, 24> normal_tail<double>{{
    0.755285130415751493245,    -0.607896641971892108031,    0.387137400742214548465,    -0.186521857959657191864,
    0.0603965748909362044336,   -0.00754018896672877184043,  -0.00347969236738732542908, 0.00163081845762109756023,
    0.000133344312358331801018, -0.000231094935457402592999, -1.90825828313548350674e-6, 3.51446875701345379946e-5,
    7.16666159164047356831e-7,  -5.92017824167999201018e-6,  -6.29698003030823240281e-7, 1.02156382152125442441e-6,
    2.71810510510355589586e-7,  -1.5497619102357668804e-7,   -8.54188504516861494364e-8, 1.32869394255670407604e-8,
    1.96285534672349728555e-8,  1.91821091447266850834e-9,   -2.52517870176717153505e-9, -7.27213852435301302773e-10,
}};

template <class T>
CONVOLITH_INLINE Normal<T> normal(Lanes<T> x) {
  const Lanes<T> one(T(1)), four(T(4)), zero(T(0));
  const Lanes<T> a = min(Lanes<T>(normal_bound<T>), copy_sign(x, one)), inverse = one / (a + four);
  const Lanes<T> e = exp_of_negative(a, Lanes<T>(T(-0.5)) * a);
  const Lanes<T> tail = e * (inverse * normal_tail<T>.at((a - four) * inverse));
  return {e * Lanes<T>(T(0.39894228040143267794)), where_greater(zero, x, tail, one - tail)};
}

}  // namespace convolith::CONVOLITH_ISA
