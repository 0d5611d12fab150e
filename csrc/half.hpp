// Numbers of 16 bits, in which arrays of a device may be stored.  Nothing is computed in them: kernels convert to float
// and back, to the nearest number (of two to the even one); too large becomes infinite, and NaN stays NaN.
#pragma once

#include <cstdint>
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define CONVOLITH_HALF __host__ __device__ __forceinline__
#else
#define CONVOLITH_HALF inline __attribute__((always_inline))  // builds of the same kernels share no code
#endif

namespace convolith {

// IEEE 754's binary16: 10 bits of mantissa, at most 65504.
struct float16 {
  std::uint16_t bits;

  float16() = default;
  CONVOLITH_HALF explicit float16(float value);
  CONVOLITH_HALF explicit operator float() const;
};

// The upper half of a float: 7 bits of mantissa and float's range.
struct bfloat16 {
  std::uint16_t bits;

  bfloat16() = default;
  CONVOLITH_HALF explicit bfloat16(float value);
  CONVOLITH_HALF explicit operator float() const;
};

#ifdef __CUDACC__

CONVOLITH_HALF float16::float16(float value) : bits(__half_as_ushort(__float2half_rn(value))) {}
CONVOLITH_HALF float16::operator float() const {
  return __half2float(__ushort_as_half(bits));
}
CONVOLITH_HALF bfloat16::bfloat16(float value) : bits(__bfloat16_as_ushort(__float2bfloat16_rn(value))) {}
CONVOLITH_HALF bfloat16::operator float() const {
  return __bfloat162float(__ushort_as_bfloat16(bits));
}

#else

CONVOLITH_HALF float16::float16(float value) {
  const auto word = __builtin_bit_cast(std::uint32_t, value), magnitude = word & 0x7fffffffu;
  std::uint32_t half;
  if (magnitude > 0x7f800000u)  // NaN
    half = 0x7e00u;
  else if (magnitude >= 0x477ff000u)  // rounds to 65536 at least
    half = 0x7c00u;
  else if (magnitude < 0x38800000u)  // below 2^-14, a multiple of 2^-24, which the last bit of 0.5 + |value| is
    half = __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, magnitude) + 0.5f) - 0x3f000000u;
  else
    half = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  bits = static_cast<std::uint16_t>((word >> 16 & 0x8000u) | half);
}
CONVOLITH_HALF float16::operator float() const {
  const std::uint32_t magnitude = bits & 0x7fffu, sign = (bits & 0x8000u) << 16;
  const float scaled = __builtin_bit_cast(float, magnitude << 13) * 0x1p112f;  // the exponents' biases differ by 112
  const auto word = __builtin_bit_cast(std::uint32_t, scaled);
  return __builtin_bit_cast(float, sign | (magnitude < 0x7c00u ? word : (magnitude << 13) | 0x7f800000u));
}
CONVOLITH_HALF bfloat16::bfloat16(float value) {
  const auto word = __builtin_bit_cast(std::uint32_t, value);
  const bool nan = (word & 0x7fffffffu) > 0x7f800000u;
  bits = static_cast<std::uint16_t>(nan ? (word >> 16) | 0x40u : (word + 0x7fffu + (word >> 16 & 1u)) >> 16);
}
CONVOLITH_HALF bfloat16::operator float() const {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

#endif

// What stays wider than x of T where it is narrow: vectors of one number per channel, which batch norm keeps.
template <class T>
struct ParameterOf {
  using type = T;
};
template <>
struct ParameterOf<float16> {
  using type = float;
};
template <>
struct ParameterOf<bfloat16> {
  using type = float;
};
template <class T>
using Parameter = typename ParameterOf<T>::type;

}  // namespace convolith
