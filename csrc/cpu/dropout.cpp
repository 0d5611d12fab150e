// Dropout with a counter-based generator: what happens to element i depends on (seed, offset, i) alone, so forward
// and backward are the same function and nothing has to be kept.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

constexpr int blocks = 16;  // Philox blocks computed side by side: 64 random words
constexpr std::int64_t words = 4 * blocks;

// Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, 3.3) for the
// counters first .. first + 15 (low 64 bits) and offset (high 64 bits).  word (64): block after block.
// 10 rounds of 2 wide multiplications and 4 xors: some 2 operations a word.
CONVOLITH_INLINE void philox(std::uint64_t seed, std::uint64_t offset, std::uint64_t first, std::uint32_t* word) {
  using U32 = std::uint32_t;
  U32 c0[blocks], c1[blocks], c2[blocks], c3[blocks];
  for (int i = 0; i < blocks; ++i) {
    const std::uint64_t counter = first + static_cast<std::uint64_t>(i);
    c0[i] = static_cast<U32>(counter);
    c1[i] = static_cast<U32>(counter >> 32);
    c2[i] = static_cast<U32>(offset);
    c3[i] = static_cast<U32>(offset >> 32);
  }
  U32 key0 = static_cast<U32>(seed), key1 = static_cast<U32>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < blocks; ++i) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * c0[i], b = std::uint64_t{0xCD9E8D57} * c2[i];
      c0[i] = static_cast<U32>(b >> 32) ^ c1[i] ^ key0;
      c2[i] = static_cast<U32>(a >> 32) ^ c3[i] ^ key1;
      c1[i] = static_cast<U32>(b);
      c3[i] = static_cast<U32>(a);
    }
    key0 += 0x9E3779B9;  // the golden ratio
    key1 += 0xBB67AE85;  // sqrt(3) - 1
  }
  for (int i = 0; i < blocks; ++i) {
    word[4 * i] = c0[i];
    word[4 * i + 1] = c1[i];
    word[4 * i + 2] = c2[i];
    word[4 * i + 3] = c3[i];
  }
}

}  // namespace

// x, y (n): y = x / (1 - p) where u >= p, else 0, with u = (word >> 8) * 2^-24; y may be x.
template <class T>
void dropout(const Dropout& p, const T* x, T* y) {
  const auto threshold = static_cast<std::uint32_t>(__builtin_ceil(p.p * 16777216.0));  // u >= p, in integers
  const T scale = static_cast<T>(p.p < 1 ? 1 / (1 - p.p) : 0);
  static_assert(elementwise_grain % words == 0);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += words) {
      alignas(64) std::uint32_t word[words];
      philox(p.seed, p.offset, static_cast<std::uint64_t>(at / 4), word);
      const std::int64_t n = min_of(words, end - at);
      if (n == words) {
        for (std::int64_t i = 0; i < words; ++i) y[at + i] = (word[i] >> 8) >= threshold ? x[at + i] * scale : T(0);
      } else {
        for (std::int64_t i = 0; i < n; ++i) y[at + i] = (word[i] >> 8) >= threshold ? x[at + i] * scale : T(0);
      }
    }
  });
}
INSTANTIATE(dropout)

}  // namespace convolith::CONVOLITH_ISA
