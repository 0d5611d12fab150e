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

// The elements of a and of b behind it with even numbers, or those with odd ones.
template <class V, bool odd, int... I>
CONVOLITH_INLINE V every_second(V a, V b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + odd)...);
}
template <class T, bool odd, class V>
CONVOLITH_INLINE V every_second(V a, V b) {
  return every_second<V, odd>(a, b, typename CountTo<sizeof(V) / sizeof(T)>::type{});
}
// The elements of a with even numbers, those of b with odd ones.
template <class V, int... I>
CONVOLITH_INLINE V even_and_odd(V a, V b, Indices<I...>) {
  constexpr int lanes = sizeof...(I);
  return __builtin_shufflevector(a, b, (2 * I < lanes ? 2 * I : 2 * I + 1)...);
}
template <class T, class V>
CONVOLITH_INLINE V even_and_odd(V a, V b) {
  return even_and_odd(a, b, typename CountTo<sizeof(V) / sizeof(T)>::type{});
}
// a0 b0 a1 b1 ...: of the lower or the upper half of their elements.
template <class V, bool upper, int... I>
CONVOLITH_INLINE V zip(V a, V b, Indices<I...>) {
  constexpr int lanes = sizeof...(I);
  return __builtin_shufflevector(a, b, (I / 2 + (upper ? lanes / 2 : 0) + (I % 2 ? lanes : 0))...);
}
template <class T, bool upper, class V>
CONVOLITH_INLINE V zip(V a, V b) {
  return zip<V, upper>(a, b, typename CountTo<sizeof(V) / sizeof(T)>::type{});
}

// Element i + by of v, zeros where it has none.
template <class V, int by, int... I>
CONVOLITH_INLINE V moved(V v, Indices<I...>) {
  constexpr int lanes = sizeof...(I);
  return __builtin_shufflevector(v, V{}, (I + by < 0 || I + by >= lanes ? lanes : I + by)...);
}
template <class T, int by, class V>
CONVOLITH_INLINE V moved(V v) {
  if constexpr (by == 0) return v;
  return moved<V, by>(v, typename CountTo<sizeof(V) / sizeof(T)>::type{});
}

// Shuffles within pieces of 16 bytes, and of whole pieces, are those that every instruction set has.
template <class T>
constexpr int piece_size = 16 / static_cast<int>(sizeof(T));
template <class T>
constexpr int pieces = static_cast<int>(width<T>) / piece_size<T>;

// a0 b0 a1 b1 within each piece: of the lower or the upper half of its elements.
template <class T, bool upper, int... I>
CONVOLITH_INLINE Vec<T> zip_pieces(Vec<T> a, Vec<T> b, Indices<I...>) {
  constexpr int size = piece_size<T>, lanes = sizeof...(I);
  return __builtin_shufflevector(a, b,
                                 (I / size * size + I % size / 2 + (upper ? size / 2 : 0) + (I % 2 ? lanes : 0))...);
}
// The even or the odd pieces of a, then those of b.
template <class T, bool odd, int... I>
CONVOLITH_INLINE Vec<T> every_other(Vec<T> a, Vec<T> b, Indices<I...>) {
  constexpr int lanes = sizeof...(I), size = piece_size<T>;
  return __builtin_shufflevector(
      a, b, (2 * I / lanes * lanes + 2 * I % lanes / size / 2 * 2 * size + (odd ? size : 0) + I % size)...);
}

// Columns become rows, v[j][i] = from[i * pitch + j], in log2(width) steps of `width` shuffles.  Zipping rows i and
// i + size / 2 of `size` rotates the bits of (row, lane) by one: within pieces first, then the same for pieces.
template <class T>
CONVOLITH_INLINE void load_transposed(const T* from, std::int64_t pitch, Vec<T> (&v)[width<T>]) {
  constexpr int size = piece_size<T>, count = pieces<T>;
  using Lanes = typename CountTo<size * count>::type;
  Vec<T> a[size][count];
#pragma GCC unroll 4
  for (int g = 0; g < count; ++g) {
    Vec<T> rows[size];
#pragma GCC unroll 4
    for (int i = 0; i < size; ++i) rows[i] = load(from + (g * size + i) * pitch);
#pragma GCC unroll 2
    for (int step = 1; step < size; step *= 2) {
      Vec<T> zipped[size];
#pragma GCC unroll 2
      for (int i = 0; i < size / 2; ++i) {
        zipped[2 * i] = zip_pieces<T, false>(rows[i], rows[i + size / 2], Lanes{});
        zipped[2 * i + 1] = zip_pieces<T, true>(rows[i], rows[i + size / 2], Lanes{});
      }
#pragma GCC unroll 4
      for (int i = 0; i < size; ++i) rows[i] = zipped[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < size; ++i) a[i][g] = rows[i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < size; ++i) {
    if constexpr (count > 1) {
#pragma GCC unroll 2
      for (int step = 1; step < count; step *= 2) {
        Vec<T> parted[count];
#pragma GCC unroll 2
        for (int g = 0; g < count / 2; ++g) {
          parted[g] = every_other<T, false>(a[i][2 * g], a[i][2 * g + 1], Lanes{});
          parted[g + count / 2] = every_other<T, true>(a[i][2 * g], a[i][2 * g + 1], Lanes{});
        }
#pragma GCC unroll 4
        for (int g = 0; g < count; ++g) a[i][g] = parted[g];
      }
    }
#pragma GCC unroll 4
    for (int g = 0; g < count; ++g) v[g * size + i] = a[i][g];
  }
}

// width images of a stack (planes, filters), turned so that vectors hold one element of each: the first image is at x,
// each next one `pitch` further; where there are fewer than width, the last stands in for the rest.
template <class T>
struct Stack {
  const T* x;
  std::int64_t pitch, count;
  const T* end;  // of the whole array: not to be read

  // Elements [first, first + width) of each image: v[i] has element first + i.
  CONVOLITH_INLINE void transposed(std::int64_t first, Vec<T> (&v)[width<T>]) const {
    const T* from = x + first;
    if (count == width<T> && from + (width<T> - 1) * pitch + width<T> <= end) return load_transposed(from, pitch, v);
    alignas(64) T square[width<T>][width<T>];
    for (std::int64_t i = 0; i < width<T>; ++i) {
      const T* row = from + min_of(i, count - 1) * pitch;
      store(square[i], load(row, end - row));
    }
    load_transposed(square[0], width<T>, v);
  }
  // Fetches the line of each image that element `at` is in: more streams than the processor sees coming.
  CONVOLITH_INLINE void fetch(std::int64_t at) const {
    for (std::int64_t i = 0; i < count; ++i) CONVOLITH_ISA::fetch(x + i * pitch + at);
  }
  // The same to out (element, image), elements `out_pitch` apart.
  CONVOLITH_INLINE void transpose_to(std::int64_t first, T* out, std::int64_t out_pitch) const {
    Vec<T> v[width<T>];
    transposed(first, v);
#pragma GCC unroll 16
    for (int i = 0; i < width<T>; ++i) store(out + i * out_pitch, v[i]);
  }
};

// a (n, filters), rows `wide` apart, with a vector of rows readable behind, to out (filters, n), rows `pitch` apart;
// bias (filters) or null.
template <class T>
CONVOLITH_INLINE void store_transposed(const T* a, std::int64_t wide, std::int64_t n, std::int64_t filters,
                                       const T* bias, T* out, std::int64_t pitch) {
  for (std::int64_t i0 = 0; i0 < n; i0 += width<T>) {
    // The last block starts early rather than to store a part.
    const std::int64_t i = max_of<std::int64_t>(0, min_of(i0, n - width<T>));
    for (std::int64_t k = 0; k < filters; k += width<T>) {
      Vec<T> v[width<T>];
      load_transposed(a + i * wide + k, wide, v);
      if (n >= width<T> && filters - k >= width<T>) {
#pragma GCC unroll 16
        for (int j = 0; j < width<T>; ++j) store(out + (k + j) * pitch + i, bias ? v[j] + bias[k + j] : v[j]);
      } else {
        for (int j = 0; j < min_of(width<T>, filters - k); ++j)
          store(out + (k + j) * pitch + i, bias ? v[j] + bias[k + j] : v[j], n - i);
      }
    }
  }
}

}  // namespace convolith::CONVOLITH_ISA
