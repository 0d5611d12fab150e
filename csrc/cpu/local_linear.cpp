// A linear map of its own at each position: w, L O I elements, is the largest array by far and read or written once.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

constexpr std::int64_t images = 8;  // that meet a row of w while it is in L1

// Positions are as many as a line of x holds: it is read once, and what is gathered from it stays in L2.
template <class T>
constexpr std::int64_t positions = Lanes<T>::count;

// from (channels, L) at the positions l, ..., l + count - 1 to `to` (count, channels)
template <class T>
CONVOLITH_INLINE void gather(const T* from, std::int64_t channels, std::int64_t L, std::int64_t l, std::int64_t count,
                             T* to) {
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t i = 0; i < count; ++i) to[i * channels + c] = from[c * L + l + i];
}

// y (n) += a x (n)
template <class T>
CONVOLITH_INLINE void add_scaled(std::int64_t n, T a, const T* x, T* y) {
  const Lanes<T> factor(a);
  for_lanes<T>(0, n, [&](std::int64_t i, auto m) CONVOLITH_INLINED {
    fma(factor, Lanes<T>::load(x + i, m), Lanes<T>::load(y + i, m)).store(y + i, m);
  });
}

template <class T>
CONVOLITH_INLINE T dot(std::int64_t n, const T* a, const T* b) {
  Lanes<T> total(T(0));
  for_lanes<T>(0, n, [&](std::int64_t i, auto m) CONVOLITH_INLINED {
    total = fma(Lanes<T>::load(a + i, m), Lanes<T>::load(b + i, m), total);
  });
  return sum(total);
}

// Calls f(l, count, thread) for every line of positions; `cost`: of one position, in vector operations.
template <class T, class F>
CONVOLITH_INLINE void for_positions(const LocalLinear& p, const F& f) {
  const std::int64_t cost = positions<T> * p.N * p.O * ceil_div(p.I, Lanes<T>::count);
  parallel_for(ceil_div(p.L, positions<T>), cost, [&](std::int64_t task, int thread) {
    const std::int64_t l = task * positions<T>;
    f(l, min_of(positions<T>, p.L - l), thread);
  });
}

}  // namespace

// x (N, I, L), w (L, O, I), bias (O, L) or null, y (N, O, L)
template <class T>
void local_linear_forward(const LocalLinear& p, const T* x, const T* w, const T* bias, T* y) {
  const std::int64_t size = positions<T> * p.I;
  const Scratch<T> inputs(max_threads() * images * size);
  for_positions<T>(p, [&](std::int64_t l, std::int64_t count, int thread) {
    T* input = inputs.get() + thread * images * size;
    for (std::int64_t n = 0; n < p.N; n += images) {
      const std::int64_t batch = min_of(images, p.N - n);
      for (std::int64_t b = 0; b < batch; ++b) gather(x + (n + b) * p.I * p.L, p.I, p.L, l, count, input + b * size);
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t o = 0; o < p.O; ++o)
          for (std::int64_t b = 0; b < batch; ++b) {
            const T total = dot(p.I, w + ((l + i) * p.O + o) * p.I, input + b * size + i * p.I);
            y[((n + b) * p.O + o) * p.L + l + i] = bias ? total + bias[o * p.L + l + i] : total;
          }
    }
  });
}
INSTANTIATE(local_linear_forward)

// dy (N, O, L), w (L, O, I), dx (N, I, L)
template <class T>
void local_linear_backward_input(const LocalLinear& p, const T* dy, const T* w, T* dx) {
  const std::int64_t size = positions<T> * p.I;
  const Scratch<T> gradients(max_threads() * images * size);
  for_positions<T>(p, [&](std::int64_t l, std::int64_t count, int thread) {
    T* gradient = gradients.get() + thread * images * size;
    for (std::int64_t n = 0; n < p.N; n += images) {
      const std::int64_t batch = min_of(images, p.N - n);
      std::memset(gradient, 0, static_cast<std::size_t>(batch * size) * sizeof(T));
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t o = 0; o < p.O; ++o)
          for (std::int64_t b = 0; b < batch; ++b)
            add_scaled(p.I, dy[((n + b) * p.O + o) * p.L + l + i], w + ((l + i) * p.O + o) * p.I,
                       gradient + b * size + i * p.I);
      for (std::int64_t b = 0; b < batch; ++b)
        for (std::int64_t c = 0; c < p.I; ++c)
          for (std::int64_t i = 0; i < count; ++i)
            dx[((n + b) * p.I + c) * p.L + l + i] = gradient[b * size + i * p.I + c];
    }
  });
}
INSTANTIATE(local_linear_backward_input)

// dy (N, O, L), x (N, I, L), dw (L, O, I)
template <class T>
void local_linear_backward_weight(const LocalLinear& p, const T* dy, const T* x, T* dw) {
  const std::int64_t size = positions<T> * p.I;
  const Scratch<T> inputs(max_threads() * images * size);
  for_positions<T>(p, [&](std::int64_t l, std::int64_t count, int thread) {
    T* input = inputs.get() + thread * images * size;
    std::memset(dw + l * p.O * p.I, 0, static_cast<std::size_t>(count * p.O * p.I) * sizeof(T));
    for (std::int64_t n = 0; n < p.N; n += images) {
      const std::int64_t batch = min_of(images, p.N - n);
      for (std::int64_t b = 0; b < batch; ++b) gather(x + (n + b) * p.I * p.L, p.I, p.L, l, count, input + b * size);
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t o = 0; o < p.O; ++o)
          for (std::int64_t b = 0; b < batch; ++b)
            add_scaled(p.I, dy[((n + b) * p.O + o) * p.L + l + i], input + b * size + i * p.I,
                       dw + ((l + i) * p.O + o) * p.I);
    }
  });
}
INSTANTIATE(local_linear_backward_weight)

// dy (N, O, L), dbias (O, L)
template <class T>
void local_linear_backward_bias(const LocalLinear& p, const T* dy, T* dbias) {
  const std::int64_t n = p.O * p.L;
  if (p.N == 0)
    std::memset(dbias, 0, static_cast<std::size_t>(n) * sizeof(T));
  else
    add_partial_sums(p.N, n, dy, dbias);
}
INSTANTIATE(local_linear_backward_bias)

}  // namespace convolith::CONVOLITH_ISA
