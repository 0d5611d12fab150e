// Softmax and its logarithm along the middle axis of (outer, L, inner): along rows where inner == 1, else Lanes of
// columns side by side.  Forward: one exp an element, one read and one write; backward: two reads and one write.
#include "softmax.hpp"
#include "kernels.hpp"

namespace convolith::CONVOLITH_ISA {

// x, y (outer, L, inner): y = exp(x - max) / sum exp(x - max)
template <class T>
void softmax_forward(const Softmax& p, const T* x, T* y) {
  constexpr std::int64_t count = Lanes<T>::count;
  const OutputPieces<T> rows(y, p.outer * p.L * p.inner, p.L);
  for_distributions<T>(
      p.outer, p.L, p.inner, x, nullptr, y,
      [&](std::int64_t at, int thread) {
        const Lanes<T> scale(1 / exp_row(p.L, x + at, rows.place(at, thread)).sum);
        rows.put(at, at + p.L, thread, [=](Lanes<T> e) CONVOLITH_INLINED { return e * scale; });
      },
      [&](std::int64_t, std::int64_t, T* v, const T*) {
        const Lanes<T> scale = Lanes<T>(T(1)) / exp_columns(p.L, v, v).sum;
        for (std::int64_t i = 0; i < p.L * count; i += count) (Lanes<T>::load(v + i) * scale).store(v + i);
      });
}
INSTANTIATE(softmax_forward)

// dy, y, dx (outer, L, inner): dx = y (dy - sum dy y)
template <class T>
void softmax_backward(const Softmax& p, const T* dy, const T* y, T* dx) {
  constexpr std::int64_t count = Lanes<T>::count;
  const Output<T> out(dx, p.outer * p.L * p.inner);
  for_distributions<T>(
      p.outer, p.L, p.inner, dy, y, dx,
      [&](std::int64_t at, int) {
        Lanes<T> dot(T(0));
        for_lanes<T>(at, at + p.L, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
          dot = fma(Lanes<T>::load(dy + i, n), Lanes<T>::load(y + i, n), dot);
        });
        const Lanes<T> total(sum(dot));
        out.fill(at, at + p.L, [=](std::int64_t i, auto n) CONVOLITH_INLINED {
          return Lanes<T>::load(y + i, n) * (Lanes<T>::load(dy + i, n) - total);
        });
      },
      [&](std::int64_t, std::int64_t, T* v, const T* w) {
        Lanes<T> dot(T(0));
        for (std::int64_t i = 0; i < p.L * count; i += count)
          dot = fma(Lanes<T>::load(v + i), Lanes<T>::load(w + i), dot);
        for (std::int64_t i = 0; i < p.L * count; i += count)
          (Lanes<T>::load(w + i) * (Lanes<T>::load(v + i) - dot)).store(v + i);
      });
}
INSTANTIATE(softmax_backward)

// x, y (outer, L, inner): y = (x - max) - log sum exp(x - max)
template <class T>
void log_softmax_forward(const Softmax& p, const T* x, T* y) {
  constexpr std::int64_t count = Lanes<T>::count;
  const Output<T> out(y, p.outer * p.L * p.inner);
  for_distributions<T>(
      p.outer, p.L, p.inner, x, nullptr, y,
      [&](std::int64_t at, int) {
        const Normaliser<T> norm = exp_row<T>(p.L, x + at, nullptr);
        const Lanes<T> top(norm.max), log_sum(static_cast<T>(norm.log_sum()));
        out.fill(at, at + p.L,
                 [=](std::int64_t i, auto n) CONVOLITH_INLINED { return Lanes<T>::load(x + i, n) - top - log_sum; });
      },
      [&](std::int64_t, std::int64_t, T* v, const T*) {
        const Normalisers<T> norm = exp_columns<T>(p.L, v, nullptr);
        const Lanes<T> log_sum = norm.log_sum();
        for (std::int64_t i = 0; i < p.L * count; i += count) (Lanes<T>::load(v + i) - norm.max - log_sum).store(v + i);
      });
}
INSTANTIATE(log_softmax_forward)

// dy, y (log-probabilities), dx (outer, L, inner): dx = dy - exp(y) sum dy
template <class T>
void log_softmax_backward(const Softmax& p, const T* dy, const T* y, T* dx) {
  const Lanes<T> zero(T(0));
  constexpr std::int64_t count = Lanes<T>::count;
  const Output<T> out(dx, p.outer * p.L * p.inner);
  for_distributions<T>(
      p.outer, p.L, p.inner, dy, y, dx,
      [&](std::int64_t at, int) {
        Lanes<T> total(T(0));
        for_lanes<T>(at, at + p.L,
                     [&](std::int64_t i, auto n) CONVOLITH_INLINED { total += Lanes<T>::load(dy + i, n); });
        const Lanes<T> minus = zero - Lanes<T>(sum(total));
        out.fill(at, at + p.L, [=](std::int64_t i, auto n) CONVOLITH_INLINED {
          return fma(exp(Lanes<T>::load(y + i, n)), minus, Lanes<T>::load(dy + i, n));
        });
      },
      [&](std::int64_t, std::int64_t, T* v, const T* w) {
        Lanes<T> total(T(0));
        for (std::int64_t i = 0; i < p.L * count; i += count) total += Lanes<T>::load(v + i);
        const Lanes<T> minus = zero - total;
        for (std::int64_t i = 0; i < p.L * count; i += count)
          fma(exp(Lanes<T>::load(w + i)), minus, Lanes<T>::load(v + i)).store(v + i);
      });
}
INSTANTIATE(log_softmax_backward)

}  // namespace convolith::CONVOLITH_ISA
