// Dropout with a counter-based generator: what happens to element i, or slice i, depends on (seed, offset, i) alone, so
// forward and backward are the same function and nothing has to be kept.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

using U64 = Lanes<std::uint64_t>;  // each holds a 32-bit word
constexpr std::int64_t blocks = 2 * U64::count, words = 4 * blocks;

// Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, 3.3) for the
// counters first ... first + 15 (low 64 bits) and offset (high 64 bits); pair (32): words 2 i and 2 i + 1, block after
// block. 10 rounds of 2 wide multiplications and 8 simple operations on 16 blocks at once.
CONVOLITH_INLINE void philox(std::uint64_t seed, std::uint64_t offset, std::uint64_t first, std::uint64_t* pair) {
  const U64 low(0xFFFFFFFF), multiplier0(0xD2511F53), multiplier1(0xCD9E8D57);
  U64 c0[2], c1[2], c2[2], c3[2];
  std::uint64_t counter[blocks];
  for (std::int64_t i = 0; i < blocks; ++i) counter[i] = first + static_cast<std::uint64_t>(i);
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

}  // namespace

namespace {

// What becomes of x where it is kept.
template <class T>
struct Kept {
  Lanes<T> scale, shift;

  CONVOLITH_INLINE explicit Kept(const Dropout& p) : scale(static_cast<T>(p.scale)), shift(static_cast<T>(p.shift)) {}
  CONVOLITH_INLINE Lanes<T> of(Lanes<T> x) const { return fma(x, scale, shift); }
};

// u >= p is word >> 8 >= ceil(p 2^24), for u = (word >> 8) 2^-24.
double threshold_of(const Dropout& p) {
  return __builtin_ceil(p.p * 16777216.0);
}

}  // namespace

// x, y (n): y = scale x + shift where u >= p, else `dropped`; y may be x.
template <class T>
void dropout(const Dropout& p, const T* x, T* y) {
  const Lanes<T> threshold(static_cast<T>(threshold_of(p))), dropped(static_cast<T>(p.dropped));
  const Kept<T> result(p);
  static_assert(elementwise_grain % words == 0);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += words) {
      std::uint64_t pair[words / 2];
      T u[words];
      philox(p.seed, p.offset, static_cast<std::uint64_t>(at / 4), pair);
      for (std::int64_t i = 0; i < words / 2; ++i) {
        u[2 * i] = static_cast<T>(static_cast<std::int32_t>(pair[i] >> 8 & 0xFFFFFF));
        u[2 * i + 1] = static_cast<T>(static_cast<std::int32_t>(pair[i] >> 40));
      }
      for_lanes<T>(at, min_of(end, at + words), [&](std::int64_t i, auto n) CONVOLITH_INLINED {
        const auto kept = less_equal(threshold, Lanes<T>::load(u + (i - at)));
        where(kept, result.of(Lanes<T>::load(x + i, n)), dropped).store(y + i, n);
      });
    }
  });
}
INSTANTIATE(dropout)

// x, y (n / L, L): the same for slices of L elements, each with one word; y may be x.
template <class T>
void dropout_slices(const Dropout& p, const T* x, T* y) {
  const auto threshold = static_cast<std::uint64_t>(threshold_of(p));
  const Lanes<T> dropped(static_cast<T>(p.dropped));
  const Kept<T> result(p);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    std::uint64_t pair[words / 2];
    for (std::int64_t at = begin, drawn = -1; at < end;) {
      const std::int64_t slice = at / p.L, last = min_of(end, (slice + 1) * p.L), i = slice % words;
      if (slice / words != drawn) {
        drawn = slice / words;
        philox(p.seed, p.offset, static_cast<std::uint64_t>(drawn * blocks), pair);
      }
      if ((pair[i / 2] >> (i % 2 * 32 + 8) & 0xFFFFFF) >= threshold)
        for_lanes<T>(at, last, [&](std::int64_t j, auto n) CONVOLITH_INLINED {
          result.of(Lanes<T>::load(x + j, n)).store(y + j, n);
        });
      else
        for_lanes<T>(at, last, [&](std::int64_t j, auto n) CONVOLITH_INLINED { dropped.store(y + j, n); });
      at = last;
    }
  });
}
INSTANTIATE(dropout_slices)

}  // namespace convolith::CONVOLITH_ISA
