// Optimizers that scale the step of a parameter by its trust ratio, which takes two norms: two passes over memory.
#include "kernels.hpp"
#include "optimizer.hpp"

namespace convolith::CONVOLITH_ISA {
namespace {

// coefficient |w| / (|u| + decay |w|) of the sums of squares (w, u), and 1 where one is 0 and says nothing.
template <class T>
CONVOLITH_INLINE double trust_ratio(const T (&squares)[2], double coefficient = 1, double decay = 0) {
  const double w = __builtin_sqrt(squares[0]), u = __builtin_sqrt(squares[1]);
  return w == 0 || u == 0 ? 1 : coefficient * w / (u + decay * w);
}

// The first n lanes, zeros behind them.
template <class T>
CONVOLITH_INLINE Lanes<T> only(Lanes<T> v, Whole) {
  return v;
}
template <class T>
CONVOLITH_INLINE Lanes<T> only(Lanes<T> v, std::int64_t n) {
  alignas(64) T buffer[Lanes<T>::count];
  v.store(buffer);
  return Lanes<T>::load(buffer, n);
}

}  // namespace

// param, grad (n), velocity (n) or null: 2 reads for the norms, then as sgd_step
template <class T>
void lars_step(const LarsStep& p, T* param, const T* grad, T* velocity) {
  T squares[2];
  const auto measure = [&](std::int64_t i, auto n, Lanes<T>(&sum)[2]) CONVOLITH_INLINED {
    const Lanes<T> w = Lanes<T>::load(param + i, n), g = Lanes<T>::load(grad + i, n);
    sum[0] = fma(w, w, sum[0]);
    sum[1] = fma(g, g, sum[1]);
  };
  reduce_all(p.n, measure, Add{}, squares);
  const Lanes<T> ratio(static_cast<T>(trust_ratio(squares, p.trust_coefficient, p.weight_decay)));
  const Lanes<T> momentum(static_cast<T>(p.momentum));
  const auto direction = [&](Lanes<T> g, Lanes<T>& v) CONVOLITH_INLINED {
    v = blend(momentum, v, ratio, g);
    return v;
  };
  update(p, p.lr, param, grad, direction, velocity);
}
INSTANTIATE(lars_step)

// param, grad, exp_avg, exp_avg_sq (n): 4 reads and 2 writes for moments and norms, then 3 reads and 1 write.  The step
// is along u = m' / (sqrt(v') + eps) + weight_decay w, m' and v' being the corrected moments, which the second pass
// computes again.
template <class T>
void lamb_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq) {
  const Moments<T> moments(p, p.step);
  const Gradient<T> gradient(p);
  const Lanes<T> decay(static_cast<T>(p.weight_decay)), corrected(static_cast<T>(1 / moments.correction1));
  T squares[2];
  const auto measure = [&](std::int64_t i, auto n, Lanes<T>(&sum)[2]) CONVOLITH_INLINED {
    const Lanes<T> w = Lanes<T>::load(param + i, n), g = gradient(Lanes<T>::load(grad + i, n), w);
    Lanes<T> m = Lanes<T>::load(exp_avg + i, n), v = Lanes<T>::load(exp_avg_sq + i, n);
    moments.follow(g, m, v);
    m.store(exp_avg + i, n);
    v.store(exp_avg_sq + i, n);
    const Lanes<T> u = only(blend(decay, w, corrected, m / moments.root(v)), n);  // 0 / 0 behind the end
    sum[0] = fma(w, w, sum[0]);
    sum[1] = fma(u, u, sum[1]);
  };
  reduce_all(p.n, measure, Add{}, squares);
  Descent along_u = p;  // with exp_avg in the gradient's place
  along_u.lr = p.lr * trust_ratio(squares);
  along_u.l1 = 0;
  along_u.maximize = false;
  const auto direction = [&](Lanes<T> m, Lanes<T> v) CONVOLITH_INLINED { return m / moments.root(v); };
  update(along_u, along_u.lr / moments.correction1, param, static_cast<const T*>(exp_avg), direction,
         static_cast<const T*>(exp_avg_sq));
}
INSTANTIATE(lamb_step)

}  // namespace convolith::CONVOLITH_ISA
