// Scaling of losses and gradients in mixed precision: one read and one write an element, which bound it.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// x, y (n), factor and found_inf scalars, the latter may be null: y = factor x
template <class T>
void scale_forward(const Map& p, const T* x, const Parameter<T>* factor, Parameter<T>* found_inf, T* y) {
  const Lanes<T> by(*factor), zero(T(0));
  const Output<T> out(y, p.n);
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    Lanes<T> zeros = zero;  // 0 x is NaN where x is not finite
    out.fill(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Lanes<T> v = Lanes<T>::load(x + i, n);
      zeros = fma(zero, v, zeros);
      return by * v;
    });
    const T total = sum(zeros), yes = 1;
    if (found_inf && total != total) __atomic_store(found_inf, &yes, __ATOMIC_RELAXED);
  });
}
INSTANTIATE(scale_forward)

}  // namespace convolith::CONVOLITH_ISA
