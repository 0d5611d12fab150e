// Arithmetic on batches of images: normalisation, mixing, and the random numbers that augmentation draws.
#include "kernels.hpp"
#include "parallel.hpp"
#include "philox.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// Calls f(row, begin, end) for pieces of `rows` rows of `length` elements; begin is a multiple of elementwise_grain.
template <class F>
CONVOLITH_INLINE void parallel_rows(std::int64_t rows, std::int64_t length, const F& f) {
  const std::int64_t pieces = ceil_div(length, elementwise_grain);  // of long rows; short ones go together
  const std::int64_t rows_per_task = max_of<std::int64_t>(1, elementwise_grain / max_of<std::int64_t>(1, length));
  parallel_ranges(rows * pieces, rows_per_task, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t task = first; task < last; ++task) {
      const std::int64_t begin = task % pieces * elementwise_grain;
      f(task / pieces, begin, min_of(length, begin + elementwise_grain));
    }
  });
}

// x (N, C, L) of either type, y (N, C, L); a loop that the compiler vectorises, bytes and all.
template <class S, class T>
void normalize(const Images& p, const S* x, const T* mean, const T* std, T* y) {
  parallel_rows(p.N * p.C, p.L, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
    const T m = mean[row % p.C], s = std[row % p.C];
    const S* from = x + row * p.L;
    T* to = y + row * p.L;
    for (std::int64_t i = begin; i < end; ++i) to[i] = (static_cast<T>(from[i]) - m) / s;
  });
}

// The sum of f(x[i]) over n elements, f(fill) being 0.
template <class T, class F>
CONVOLITH_INLINE T sum_of(const T* x, std::int64_t n, T fill, const F& f) {
  Lanes<T> total(T(0));
  for_lanes<T>(0, n,
               [&](std::int64_t i, auto lanes) CONVOLITH_INLINED { total += f(Lanes<T>::load(x + i, lanes, fill)); });
  return sum(total);
}

}  // namespace

// x (N, C, L), or the bytes it is in; mean, std (C); y (N, C, L): y = (x - mean) / std; y may be x.
template <class T>
void normalize_images(const Images& p, const std::uint8_t* bytes, const T* x, const T* mean, const T* std, T* y) {
  bytes ? normalize(p, bytes, mean, std, y) : normalize(p, x, mean, std, y);
}
INSTANTIATE(normalize_images)

// x, y (N, C, L): each image minus its mean, by its standard deviation or 1 / sqrt(C L), whichever is larger; y may be
// x.  Three passes over an image, the last two from cache.
template <class T>
void standardize_images(const Images& p, const T* x, T* y) {
  const std::int64_t size = p.C * p.L;
  parallel_for(p.N, size / 4, [&](std::int64_t n, int) {
    const T* from = x + n * size;
    const T count = static_cast<T>(size);
    const T mean = sum_of(from, size, T(0), [](Lanes<T> v) CONVOLITH_INLINED { return v; }) / count;
    const Lanes<T> m(mean);
    const T squares = sum_of(from, size, mean, [&](Lanes<T> v) CONVOLITH_INLINED { return (v - m) * (v - m); });
    const T variance = squares / count;
    const Lanes<T> deviation = square_root(Lanes<T>(variance < 1 / count ? 1 / count : variance));
    for_lanes<T>(0, size, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED {
      ((Lanes<T>::load(from + i, lanes) - m) / deviation).store(y + n * size + i, lanes);
    });
  });
}
INSTANTIATE(standardize_images)

// x, y (N, C, L); partners, weights (N): y[n] = w x[n] + (1 - w) x[partners[n]].  Two reads, one write.
template <class T>
void mix_images(const Images& p, const T* x, const std::int64_t* partners, const T* weights, T* y) {
  const std::int64_t size = p.C * p.L;
  parallel_rows(p.N, size, [&](std::int64_t n, std::int64_t begin, std::int64_t end) {
    const Lanes<T> weight(weights[n]);
    const T *one = x + n * size, *other = x + partners[n] * size;
    for_lanes<T>(begin, end, [&](std::int64_t i, auto lanes) CONVOLITH_INLINED {
      const Lanes<T> z = Lanes<T>::load(other + i, lanes);
      fma(weight, Lanes<T>::load(one + i, lanes) - z, z).store(y + n * size + i, lanes);
    });
  });
}
INSTANTIATE(mix_images)

// streams (N), y (N, L): number i of stream n, uniform on [0, 1) in steps of 2^-24.
template <class T>
void uniform_numbers(const Uniform& p, const std::int64_t* streams, T* y) {
  static_assert(elementwise_grain % philox_words == 0);
  const Lanes<T> step(T(1) / T(1 << 24));
  parallel_rows(p.N, p.L, [&](std::int64_t n, std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += philox_words) {
      T u[philox_words];
      philox_uniform(p.seed, static_cast<std::uint64_t>(streams[n]), at, u);
      for_lanes<T>(at, min_of(end, at + philox_words), [&](std::int64_t i, auto lanes) CONVOLITH_INLINED {
        (Lanes<T>::load(u + (i - at)) * step).store(y + n * p.L + i, lanes);
      });
    }
  });
}
INSTANTIATE(uniform_numbers)

}  // namespace convolith::CONVOLITH_ISA
