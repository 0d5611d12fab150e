// The three products of a linear layer, all on gemm: 2 N I O FLOPs each.
#include "gemm.hpp"
#include "kernels.hpp"

namespace convolith::CONVOLITH_ISA {

// x (N, I), w (O, I), bias (O) or null, y (N, O): y = x w^T + bias
template <class T>
void linear_forward(const Linear& p, const T* x, const T* w, const T* bias, T* y) {
  gemm<T>(p.N, p.O, p.I, {x, p.I, 1}, {w, 1, p.I}, bias, y);
}
INSTANTIATE(linear_forward)

// dy (N, O), w (O, I), dx (N, I): dx = dy w
template <class T>
void linear_backward_input(const Linear& p, const T* dy, const T* w, T* dx) {
  gemm<T>(p.N, p.I, p.O, {dy, p.O, 1}, {w, p.I, 1}, nullptr, dx);
}
INSTANTIATE(linear_backward_input)

// dy (N, O), x (N, I), dw (O, I): dw = dy^T x
template <class T>
void linear_backward_weight(const Linear& p, const T* dy, const T* x, T* dw) {
  if (p.N == 0) {
    std::memset(dw, 0, static_cast<std::size_t>(p.O * p.I) * sizeof(T));
    return;
  }
  gemm<T>(p.O, p.I, p.N, {dy, 1, p.O}, {x, p.I, 1}, nullptr, dw);
}
INSTANTIATE(linear_backward_weight)

// dy (N, K, L), dbias (K): the sum over batch and positions; one read of dy.
template <class T>
void bias_sum(const BiasSum& p, const T* dy, T* dbias) {
  constexpr std::int64_t count = Lanes<T>::count;
  if (p.L == 1) {  // one lane per output: rows are added up side by side
    parallel_for(ceil_div(p.K, count), p.N, [&](std::int64_t task, int) {
      const std::int64_t k = task * count, n_lanes = min_of(count, p.K - k);
      Lanes<T> total(T(0));
      for (std::int64_t n = 0; n < p.N; ++n)
        total += n_lanes == count ? Lanes<T>::load(dy + n * p.K + k) : Lanes<T>::load(dy + n * p.K + k, n_lanes);
      total.store(dbias + k, n_lanes);
    });
    return;
  }
  parallel_for(p.K, p.N * ceil_div(p.L, count), [&](std::int64_t k, int) {
    Lanes<T> total(T(0));
    for (std::int64_t n = 0; n < p.N; ++n) {
      const T* row = dy + (n * p.K + k) * p.L;
      std::int64_t l = 0;
      for (; l + count <= p.L; l += count) total += Lanes<T>::load(row + l);
      if (l < p.L) total += Lanes<T>::load(row + l, p.L - l);
    }
    dbias[k] = sum(total);
  });
}
INSTANTIATE(bias_sum)

// bias (K), y (N, K, L): y += bias
template <class T>
void add_bias(const BiasSum& p, const T* bias, T* y) {
  const std::int64_t rows = max_of<std::int64_t>(1, elementwise_grain / max_of<std::int64_t>(1, p.L));
  parallel_ranges(p.N * p.K, rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const Lanes<T> v(bias[row % p.K]);
      for_lanes<T>(row * p.L, (row + 1) * p.L,
                   [&](std::int64_t i, auto n) CONVOLITH_INLINED { (Lanes<T>::load(y + i, n) + v).store(y + i, n); });
    }
  });
}
INSTANTIATE(add_bias)

}  // namespace convolith::CONVOLITH_ISA
