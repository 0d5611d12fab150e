#include "tensor_core.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "block.hpp"
#include "observer.hpp"

namespace convolith::emu {
namespace {

constexpr int lanes = 32;
// Meetings, beside those of cuda.hpp.
enum { ldmatrix_x4 = 64, ldmatrix_x4_trans, mma_of_tf32, mma_of_bf16, mma_of_fp16 };

// Such an instruction is the whole warp's.
void meet_all(int what, void* given, Complete complete) {
  if (position().block_size.x * position().block_size.y * position().block_size.z % lanes != 0)
    fail("tensor cores need blocks of whole warps");
  meet_warp(~0u, what, given, complete);
}

struct Rows {
  unsigned* r;
  const void* row;
};

template <bool transposed>
void distribute(void* const (&given)[lanes], unsigned) {
  for (int matrix = 0; matrix < 4; ++matrix) {
    std::uint16_t element[8][8];
    for (int row = 0; row < 8; ++row)
      std::memcpy(element[row], static_cast<const Rows*>(given[matrix * 8 + row])->row, sizeof element[row]);
    for (int lane = 0; lane < lanes; ++lane) {
      const int g = lane / 4, t = lane % 4;
      const unsigned low = transposed ? element[2 * t][g] : element[g][2 * t];
      const unsigned high = transposed ? element[2 * t + 1][g] : element[g][2 * t + 1];
      static_cast<const Rows*>(given[lane])->r[matrix] = low | high << 16;
    }
  }
}

// What a tensor core reads of an operand's words.
struct Tf32 {
  static constexpr int meeting = mma_of_tf32, per_word = 1;
  static float value(unsigned word, int) { return std::bit_cast<float>(word & ~0x1fffu); }
};
struct Bf16 {
  static constexpr int meeting = mma_of_bf16, per_word = 2;
  static float value(unsigned word, int half) { return std::bit_cast<float>(half ? word & 0xffff0000u : word << 16); }
};
struct Fp16 {
  static constexpr int meeting = mma_of_fp16, per_word = 2;
  static float value(unsigned word, int half) {
    const unsigned bits = half ? word >> 16 : word & 0xffffu;
    const int exponent = bits >> 10 & 31;
    const auto mantissa = static_cast<float>(bits & 1023);
    float x = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    if (exponent == 31) x = mantissa == 0 ? INFINITY : NAN;
    return bits >> 15 ? -x : x;
  }
};

struct Product {
  float* c;
  const unsigned *a, *b;
};

template <class Number>
void multiply(void* const (&given)[lanes], unsigned) {
  constexpr int depth = 8 * Number::per_word;
  announce_multiply_add(16 * 8 * depth);
  float a[16][depth], b[depth][8];
  for (int lane = 0; lane < lanes; ++lane) {
    const auto& of = *static_cast<const Product*>(given[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < Number::per_word; ++i) {
      const int low = t * Number::per_word + i, high = low + depth / 2;
      a[g][low] = Number::value(of.a[0], i), a[g + 8][low] = Number::value(of.a[1], i);
      a[g][high] = Number::value(of.a[2], i), a[g + 8][high] = Number::value(of.a[3], i);
      b[low][g] = Number::value(of.b[0], i), b[high][g] = Number::value(of.b[1], i);
    }
  }
  for (int row = 0; row < 16; ++row) {
    float* c[8];
    for (int column = 0; column < 8; ++column)
      c[column] = static_cast<const Product*>(given[row % 8 * 4 + column / 2])->c + row / 8 * 2 + column % 2;
    float sum[8];
    for (int column = 0; column < 8; ++column) sum[column] = *c[column];
    for (int k = 0; k < depth; ++k)
      for (int column = 0; column < 8; ++column) sum[column] += a[row][k] * b[k][column];
    for (int column = 0; column < 8; ++column) *c[column] = sum[column];
  }
}

template <class Number>
void meet(float* c, const unsigned* a, const unsigned* b) {
  Product mine{c, a, b};
  meet_all(Number::meeting, &mine, multiply<Number>);
}

}  // namespace

void load_matrices(unsigned (&r)[4], const void* row, bool transposed) {
  announce(Access::read, row, 16, __builtin_return_address(0));
  Rows mine{r, row};
  if (transposed)
    meet_all(ldmatrix_x4_trans, &mine, distribute<true>);
  else
    meet_all(ldmatrix_x4, &mine, distribute<false>);
}

unsigned round_to_tf32(unsigned x) {
  const bool finite = (x & 0x7f800000u) != 0x7f800000u;
  return finite ? (x + 0x1000u) & ~0x1fffu : (x & 0x007fffffu) ? 0x7fffe000u : x;
}

void multiply_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  meet<Tf32>(c, a, b);
}
void multiply_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  meet<Bf16>(c, a, b);
}
void multiply_fp16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  meet<Fp16>(c, a, b);
}

}  // namespace convolith::emu
