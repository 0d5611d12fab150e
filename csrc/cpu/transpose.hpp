// Square blocks of width x width elements, transposed in registers: the way between rows of an image, where
// neighbours are pixels, and vectors whose lanes are channels.
#pragma once

#include "vec.hpp"

namespace convolith::CONVOLITH_ISA {

template <int... I>
struct Indices {};
template <int n, int... I>
struct CountTo : CountTo<n - 1, n - 1, I...> {};
template <int... I>
struct CountTo<0, I...> {
  using type = Indices<I...>;
};

// a0 b0 a1 b1 ...: of the low or the high halves of a and b.
template <class T, bool high, int... I>
CONVOLITH_INLINE Vec<T> zip(Vec<T> a, Vec<T> b, Indices<I...>) {
  constexpr int half = sizeof...(I) / 2;
  return __builtin_shufflevector(a, b, (I / 2 + (high ? half : 0) + (I % 2 ? 2 * half : 0))...);
}

// Swaps rows and lanes: v[i][j] becomes v[j][i].  Zipping row i with row i + width/2 rotates the bits of the address
// (row, lane) by one; after log2(width) times the two have changed places.
template <class T>
CONVOLITH_INLINE void transpose(Vec<T> (&v)[width<T>]) {
  constexpr int half = static_cast<int>(width<T>) / 2;
  using Lanes = typename CountTo<2 * half>::type;
#pragma GCC unroll 4
  for (int step = 1; step < 2 * half; step *= 2) {
    Vec<T> from[2 * half];
#pragma GCC unroll 16
    for (int i = 0; i < 2 * half; ++i) from[i] = v[i];
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) {
      v[2 * i] = zip<T, false>(from[i], from[i + half], Lanes{});
      v[2 * i + 1] = zip<T, true>(from[i], from[i + half], Lanes{});
    }
  }
}

// width images of a stack (planes, filters), turned so that vectors hold one element of each: the first image is at x,
// each next one `pitch` further; where there are fewer than width, the last stands in for the rest.
template <class T>
struct Stack {
  const T* x;
  std::int64_t pitch, count;
  const T* end;  // of the whole array: not to be read

  // Elements [first, first + width) of each image: out (element, image), elements `out_pitch` apart.
  CONVOLITH_INLINE void transpose_to(std::int64_t first, T* out, std::int64_t out_pitch) const {
    const T* from = x + first;
    Vec<T> v[width<T>];
    const bool whole = from + (count - 1) * pitch + width<T> <= end;
#pragma GCC unroll 16
    for (int i = 0; i < width<T>; ++i) {
      v[i] = whole ? load(from) : load(from, min_of<std::int64_t>(width<T>, end - from));
      from += i + 1 < count ? pitch : 0;
    }
    transpose<T>(v);
#pragma GCC unroll 16
    for (int i = 0; i < width<T>; ++i) store(out + i * out_pitch, v[i]);
  }
};

}  // namespace convolith::CONVOLITH_ISA
