// Softmax and its logarithm along the middle axis of (outer, L, inner): along rows where inner == 1, else Lanes of
// columns side by side.  Forward: one exp an element and two reads, the second from cache; backward: two reads.
#include "softmax.hpp"
#include "kernels.hpp"

namespace convolith::CONVOLITH_ISA {

// x, y (outer, L, inner): y = exp(x - max) / sum exp(x - max)
template <class T>
void softmax_forward(const Softmax& p, const T* x, T* y) {
  for_distributions<T>(
      p.outer, p.L, p.inner,
      [&](std::int64_t at) {
        const Lanes<T> scale(1 / exp_row(p.L, x + at, y + at).sum);
        for_lanes<T>(at, at + p.L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          (Lanes<T>::load(y + i, n) * scale).store(y + i, n);
        });
      },
      [&](std::int64_t at, auto n) {
        const Lanes<T> scale = Lanes<T>(T(1)) / exp_columns(p.L, p.inner, n, x + at, y + at).sum;
        for (std::int64_t i = at; i < at + p.L * p.inner; i += p.inner)
          (Lanes<T>::load(y + i, n) * scale).store(y + i, n);
      });
}
INSTANTIATE(softmax_forward)

// dy, y, dx (outer, L, inner): dx = y (dy - sum dy y)
template <class T>
void softmax_backward(const Softmax& p, const T* dy, const T* y, T* dx) {
  for_distributions<T>(
      p.outer, p.L, p.inner,
      [&](std::int64_t at) {
        Lanes<T> dot(T(0));
        for_lanes<T>(at, at + p.L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          dot = fma(Lanes<T>::load(dy + i, n), Lanes<T>::load(y + i, n), dot);
        });
        const Lanes<T> total(sum(dot));
        for_lanes<T>(at, at + p.L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          (Lanes<T>::load(y + i, n) * (Lanes<T>::load(dy + i, n) - total)).store(dx + i, n);
        });
      },
      [&](std::int64_t at, auto n) {
        Lanes<T> dot(T(0));
        for (std::int64_t i = at; i < at + p.L * p.inner; i += p.inner)
          dot = fma(Lanes<T>::load(dy + i, n), Lanes<T>::load(y + i, n), dot);
        for (std::int64_t i = at; i < at + p.L * p.inner; i += p.inner)
          (Lanes<T>::load(y + i, n) * (Lanes<T>::load(dy + i, n) - dot)).store(dx + i, n);
      });
}
INSTANTIATE(softmax_backward)

// x, y (outer, L, inner): y = (x - max) - log sum exp(x - max)
template <class T>
void log_softmax_forward(const Softmax& p, const T* x, T* y) {
  for_distributions<T>(
      p.outer, p.L, p.inner,
      [&](std::int64_t at) {
        const Normaliser<T> norm = exp_row<T>(p.L, x + at, nullptr);
        const Lanes<T> top(norm.max), log_sum(static_cast<T>(norm.log_sum()));
        for_lanes<T>(at, at + p.L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          (Lanes<T>::load(x + i, n) - top - log_sum).store(y + i, n);
        });
      },
      [&](std::int64_t at, auto n) {
        const Normalisers<T> norm = exp_columns<T>(p.L, p.inner, n, x + at, nullptr);
        const Lanes<T> log_sum = norm.log_sum();
        for (std::int64_t i = at; i < at + p.L * p.inner; i += p.inner)
          (Lanes<T>::load(x + i, n) - norm.max - log_sum).store(y + i, n);
      });
}
INSTANTIATE(log_softmax_forward)

// dy, y (log-probabilities), dx (outer, L, inner): dx = dy - exp(y) sum dy
template <class T>
void log_softmax_backward(const Softmax& p, const T* dy, const T* y, T* dx) {
  const Lanes<T> zero(T(0));
  for_distributions<T>(
      p.outer, p.L, p.inner,
      [&](std::int64_t at) {
        Lanes<T> total(T(0));
        for_lanes<T>(at, at + p.L,
                     [&](std::int64_t i, auto n) CONVOLITH_INLINED { total += Lanes<T>::load(dy + i, n); });
        const Lanes<T> minus = zero - Lanes<T>(sum(total));
        for_lanes<T>(at, at + p.L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          fma(exp(Lanes<T>::load(y + i, n)), minus, Lanes<T>::load(dy + i, n)).store(dx + i, n);
        });
      },
      [&](std::int64_t at, auto n) {
        Lanes<T> total(T(0));
        for (std::int64_t i = at; i < at + p.L * p.inner; i += p.inner) total += Lanes<T>::load(dy + i, n);
        const Lanes<T> minus = zero - total;
        for (std::int64_t i = at; i < at + p.L * p.inner; i += p.inner)
          fma(exp(Lanes<T>::load(y + i, n)), minus, Lanes<T>::load(dy + i, n)).store(dx + i, n);
      });
}
INSTANTIATE(log_softmax_backward)

}  // namespace convolith::CONVOLITH_ISA
