// Random numbers of a counter-based generator: each depends on its place alone.
#pragma once

#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

using U64 = Lanes<std::uint64_t>;  // each holds a 32-bit word
constexpr std::int64_t philox_blocks = 2 * U64::count, philox_words = 4 * philox_blocks;

// Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, 3.3) for the
// counters first ... first + 15 (low 64 bits) and offset (high 64 bits); pair (32): words 2 i and 2 i + 1, block after
// block. 10 rounds of 2 wide multiplications and 8 simple operations on 16 blocks at once.
CONVOLITH_INLINE void philox(std::uint64_t seed, std::uint64_t offset, std::uint64_t first, std::uint64_t* pair) {
  const U64 low(0xFFFFFFFF), multiplier0(0xD2511F53), multiplier1(0xCD9E8D57);
  U64 c0[2], c1[2], c2[2], c3[2];
  std::uint64_t counter[philox_blocks];
  for (std::int64_t i = 0; i < philox_blocks; ++i) counter[i] = first + static_cast<std::uint64_t>(i);
  for (int half = 0; half < 2; ++half) {
    const U64 n = U64::load(counter + half * U64::count);
    c0[half] = n & low;
    c1[half] = shift_right(n, 32);
    c2[half] = U64(offset & 0xFFFFFFFF);
    c3[half] = U64(offset >> 32);
  }
  std::uint64_t key0 = seed & 0xFFFFFFFF, key1 = seed >> 32;
  for (int round = 0; round < 10; ++round) {
    for (int half = 0; half < 2; ++half) {
      const U64 a = multiplier0 * c0[half], b = multiplier1 * c2[half];
      c0[half] = shift_right(b, 32) ^ c1[half] ^ U64(key0);
      c2[half] = shift_right(a, 32) ^ c3[half] ^ U64(key1);
      c1[half] = b & low;
      c3[half] = a & low;
    }
    key0 = (key0 + 0x9E3779B9) & 0xFFFFFFFF;  // the golden ratio
    key1 = (key1 + 0xBB67AE85) & 0xFFFFFFFF;  // sqrt(3) - 1
  }
  for (int half = 0; half < 2; ++half) {
    std::uint64_t front[U64::count], back[U64::count];  // words 0 and 1, 2 and 3 of each block
    (c0[half] | shift_left(c1[half], 32)).store(front);
    (c2[half] | shift_left(c3[half], 32)).store(back);
    for (std::int64_t i = 0; i < U64::count; ++i) {
      pair[2 * (half * U64::count + i)] = front[i];
      pair[2 * (half * U64::count + i) + 1] = back[i];
    }
  }
}

// u (64): numbers first, first + 1, ... of the stream `offset` of `seed`, uniform on [0, 1) times 2^24, so that they
// are integers; first is a multiple of 4.  Number i is word i % 4 of block i / 4.
template <class T>
CONVOLITH_INLINE void philox_uniform(std::uint64_t seed, std::uint64_t offset, std::int64_t first, T* u) {
  std::uint64_t pair[philox_words / 2];
  philox(seed, offset, static_cast<std::uint64_t>(first / 4), pair);
  for (std::int64_t i = 0; i < philox_words / 2; ++i) {
    u[2 * i] = static_cast<T>(static_cast<std::int32_t>(pair[i] >> 8 & 0xFFFFFF));
    u[2 * i + 1] = static_cast<T>(static_cast<std::int32_t>(pair[i] >> 40));
  }
}

}  // namespace convolith::CONVOLITH_ISA
