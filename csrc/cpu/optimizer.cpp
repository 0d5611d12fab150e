// Optimizer steps.  A direction is what a formula makes of a gradient; `update` (optimizer.hpp) does the rest.
#include "optimizer.hpp"

#include "kernels.hpp"

namespace convolith::CONVOLITH_ISA {

// param, grad (n), velocity (n) or null.  Without momentum 2 reads and 1 write an element, with it 3 and 2.
template <class T>
void sgd_step(const SgdStep& p, T* param, const T* grad, T* velocity) {
  const Lanes<T> momentum(static_cast<T>(p.momentum)), fresh(static_cast<T>(1 - p.dampening));
  const bool fresh_velocity = p.first || !velocity;
  const auto direction = [&](Lanes<T> g, Lanes<T>& v) CONVOLITH_INLINED {
    v = fresh_velocity ? g : blend(momentum, v, fresh, g);
    return p.nesterov ? fma(momentum, v, g) : v;
  };
  update(p, p.lr, param, grad, direction, velocity);
}
INSTANTIATE(sgd_step)

// param, grad, exp_avg, exp_avg_sq (n), max_exp_avg_sq (n) or null, steps () or null, which counts: 4 reads and 3
// writes, 5 and 4 with the maximum, 16 FLOPs with a root and a division an element.
template <class T>
void adam_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq, T* max_exp_avg_sq,
               std::int64_t* steps) {
  const Moments<T> moments(p, steps ? ++*steps : p.step);
  const auto direction = [&](Lanes<T> g, Lanes<T>& m, Lanes<T>& v, Lanes<T>& largest) CONVOLITH_INLINED {
    moments.follow(g, m, v);
    largest = Larger{}(largest, v);  // v, which is not negative, where there is none
    return m / moments.root(largest);
  };
  update(p, p.lr / moments.correction1, param, grad, direction, exp_avg, exp_avg_sq, max_exp_avg_sq);
}
INSTANTIATE(adam_step)

// param, grad, exp_avg, exp_avg_sq (n): as adam_step
template <class T>
void nadam_step(const NAdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq) {
  const Moments<T> moments(p, p.step);
  const Lanes<T> of_g(static_cast<T>((1 - p.mu) / (1 - p.mu_product)));
  const Lanes<T> of_m(static_cast<T>(p.mu_next / (1 - p.mu_product * p.mu_next)));
  const auto direction = [&](Lanes<T> g, Lanes<T>& m, Lanes<T>& v) CONVOLITH_INLINED {
    moments.follow(g, m, v);
    return blend(of_g, g, of_m, m) / moments.root(v);
  };
  update(p, p.lr, param, grad, direction, exp_avg, exp_avg_sq);
}
INSTANTIATE(nadam_step)

// param, grad, exp_avg, exp_inf (n): as adam_step, without the root
template <class T>
void adamax_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_inf) {
  const Moments<T> moments(p, p.step);
  const Lanes<T> one(T(1));
  const auto direction = [&](Lanes<T> g, Lanes<T>& m, Lanes<T>& u) CONVOLITH_INLINED {
    m = blend(moments.beta1, m, moments.fresh1, g);
    u = Larger{}(moments.beta2 * u, copy_sign(g, one) + moments.eps);
    return m / u;
  };
  update(p, p.lr / moments.correction1, param, grad, direction, exp_avg, exp_inf);
}
INSTANTIATE(adamax_step)

// param, grad, state_sum (n): 3 reads and 2 writes
template <class T>
void adagrad_step(const AdagradStep& p, T* param, const T* grad, T* state_sum) {
  const Lanes<T> eps(static_cast<T>(p.eps));
  const auto direction = [&](Lanes<T> g, Lanes<T>& sum) CONVOLITH_INLINED {
    sum = fma(g, g, sum);
    return g / (square_root(sum) + eps);
  };
  update(p, p.lr, param, grad, direction, state_sum);
}
INSTANTIATE(adagrad_step)

// param, grad, square_avg, acc_delta (n): 4 reads and 3 writes
template <class T>
void adadelta_step(const AdadeltaStep& p, T* param, const T* grad, T* square_avg, T* acc_delta) {
  const Lanes<T> rho(static_cast<T>(p.rho)), fresh(static_cast<T>(1 - p.rho)), eps(static_cast<T>(p.eps));
  const auto direction = [&](Lanes<T> g, Lanes<T>& v, Lanes<T>& deltas) CONVOLITH_INLINED {
    v = blend(rho, v, fresh * g, g);
    const Lanes<T> delta = square_root(deltas + eps) / square_root(v + eps) * g;
    deltas = blend(rho, deltas, fresh * delta, delta);
    return delta;
  };
  update(p, p.lr, param, grad, direction, square_avg, acc_delta);
}
INSTANTIATE(adadelta_step)

// param, grad, square_avg (n), grad_avg, momentum_buffer (n) or null: 3 reads and 2 writes, and 1 and 1 for each of the
// two.  Rounding may leave a variance below 0, which is cut there.
template <class T>
void rmsprop_step(const RMSpropStep& p, T* param, const T* grad, T* square_avg, T* grad_avg, T* momentum_buffer) {
  const Lanes<T> alpha(static_cast<T>(p.alpha)), fresh(static_cast<T>(1 - p.alpha)), eps(static_cast<T>(p.eps));
  const Lanes<T> momentum(static_cast<T>(p.momentum)), centred(T(grad_avg ? 1 : 0));
  const auto direction = [&](Lanes<T> g, Lanes<T>& v, Lanes<T>& m, Lanes<T>& buffer) CONVOLITH_INLINED {
    v = blend(alpha, v, fresh * g, g);
    m = centred * blend(alpha, m, fresh, g);
    buffer = fma(momentum, buffer, g / (square_root(relu(v - m * m)) + eps));
    return buffer;
  };
  update(p, p.lr, param, grad, direction, square_avg, grad_avg, momentum_buffer);
}
INSTANTIATE(rmsprop_step)

// average, param (n): 2 reads and 1 write
template <class T>
void ema_step(const EmaStep& p, T* average, const T* param) {
  const Lanes<T> decay(static_cast<T>(p.decay)), fresh(static_cast<T>(1 - p.decay));
  map(p.n, average, param, average,
      [=](Lanes<T> mean, Lanes<T> w) CONVOLITH_INLINED { return blend(decay, mean, fresh, w); });
}
INSTANTIATE(ema_step)

}  // namespace convolith::CONVOLITH_ISA
