// What clips gradients: their norm, one read an element, and bounds, one read and one write.
#include "kernels.hpp"
#include "reduce.hpp"

namespace convolith::CONVOLITH_ISA {

// x (n), y ()
template <class T>
void total_norm_forward(const TotalNorm& p, const T* x, Parameter<T>* y) {
  const Lanes<T> one(T(1));
  const bool largest = p.p > 2, squares = p.p == 2;
  const auto magnitude = [&](std::int64_t i, auto n)
                             CONVOLITH_INLINED { return copy_sign(Lanes<T>::load(x + i, n), one); };
  T total[1];
  if (largest)
    reduce_all<T, 1>(
        p.n, [&](std::int64_t i, auto n, Lanes<T>(&m)[1]) CONVOLITH_INLINED { m[0] = Larger{}(m[0], magnitude(i, n)); },
        Larger{}, total);
  else
    reduce_all<T, 1>(
        p.n,
        [&](std::int64_t i, auto n, Lanes<T>(&sum)[1]) CONVOLITH_INLINED {
          const Lanes<T> v = magnitude(i, n);
          sum[0] = fma(v, squares ? v : one, sum[0]);
        },
        Add{}, total);
  *y = p.root == 2 ? static_cast<T>(__builtin_sqrt(total[0])) : total[0];
}
INSTANTIATE(total_norm_forward)

// x, y (n)
template <class T>
void clip_forward(const Clip& p, const T* x, T* y) {
  const Lanes<T> high(static_cast<T>(p.limit)), low(static_cast<T>(-p.limit));
  map(p.n, x, y, [=](Lanes<T> v) CONVOLITH_INLINED { return min(high, max(low, v)); });  // NaN stays
}
INSTANTIATE(clip_forward)

}  // namespace convolith::CONVOLITH_ISA
