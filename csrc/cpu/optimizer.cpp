// Optimizer steps: one pass over memory, which is what they cost.
#include "kernels.hpp"
#include "parallel.hpp"

namespace convolith::CONVOLITH_ISA {

// param, grad (n), velocity (n) or null.  Without momentum 2 reads and 1 write an element, with it 3 and 2.
template <class T>
void sgd_step(const SgdStep& p, T* param, const T* grad, T* velocity) {
  const Lanes<T> minus_lr(static_cast<T>(-p.lr)), decay(static_cast<T>(p.weight_decay));
  const Lanes<T> momentum(static_cast<T>(p.momentum)), fresh(static_cast<T>(1 - p.dampening));
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for_lanes<T>(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Lanes<T> w = Lanes<T>::load(param + i, n);
      Lanes<T> g = fma(decay, w, Lanes<T>::load(grad + i, n));
      if (velocity) {
        const Lanes<T> v = p.first ? g : fma(momentum, Lanes<T>::load(velocity + i, n), fresh * g);
        v.store(velocity + i, n);
        g = p.nesterov ? fma(momentum, v, g) : v;
      }
      fma(minus_lr, g, w).store(param + i, n);
    });
  });
}
INSTANTIATE(sgd_step)

// param, grad, exp_avg, exp_avg_sq (n), steps () or null, which counts: 4 reads and 3 writes, 14 FLOPs with a root and
// a division an element.
template <class T>
void adam_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq, std::int64_t* steps) {
  const double step = static_cast<double>(steps ? ++*steps : p.step);
  const double correction1 = 1 - __builtin_pow(p.beta1, step), correction2 = 1 - __builtin_pow(p.beta2, step);
  const Lanes<T> minus_lr(static_cast<T>(-p.lr / correction1)), decay(static_cast<T>(p.weight_decay));
  const Lanes<T> beta1(static_cast<T>(p.beta1)), fresh1(static_cast<T>(1 - p.beta1));
  const Lanes<T> beta2(static_cast<T>(p.beta2)), fresh2(static_cast<T>(1 - p.beta2));
  const Lanes<T> root_scale(static_cast<T>(1 / __builtin_sqrt(correction2))), eps(static_cast<T>(p.eps));
  parallel_ranges(p.n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for_lanes<T>(begin, end, [&](std::int64_t i, auto n) CONVOLITH_INLINED {
      const Lanes<T> w = Lanes<T>::load(param + i, n);
      const Lanes<T> g = fma(decay, w, Lanes<T>::load(grad + i, n));
      const Lanes<T> m = fma(beta1, Lanes<T>::load(exp_avg + i, n), fresh1 * g);
      const Lanes<T> v = fma(beta2, Lanes<T>::load(exp_avg_sq + i, n), fresh2 * g * g);
      m.store(exp_avg + i, n);
      v.store(exp_avg_sq + i, n);
      fma(minus_lr, m / fma(square_root(v), root_scale, eps), w).store(param + i, n);
    });
  });
}
INSTANTIATE(adam_step)

}  // namespace convolith::CONVOLITH_ISA
