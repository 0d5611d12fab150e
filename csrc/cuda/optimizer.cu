// Optimizer steps.  A direction is what a formula makes of a gradient; `update` (optimizer.hpp) does the rest.
#include "optimizer.hpp"

#include "reduce.hpp"

namespace convolith::CONVOLITH_DEVICE {
namespace {

struct Sgd : Known {
  float momentum, fresh;
  bool nesterov, first;

  Sgd(const SgdStep& p)
      : momentum(static_cast<float>(p.momentum)),
        fresh(static_cast<float>(1 - p.dampening)),
        nesterov(p.nesterov),
        first(p.first) {}
  __device__ float direction(float g, float& velocity) const {
    velocity = first ? g : momentum * velocity + fresh * g;
    return nesterov ? g + momentum * velocity : velocity;
  }
};

struct Adam : Moments {
  __device__ float direction(float g, float& m, float& v, float& largest) const {
    follow(g, m, v);
    largest = LargestOrNan{}(largest, v);  // v, which is not negative, where there is none
    return m / root(largest);
  }
};

// Adam that looks up which step it is; expm1 keeps the digits of 1 - beta^step that a power of floats would lose.
struct CountedAdam : Adam {
  float log_beta1, log_beta2;
  const std::int64_t* steps;

  CountedAdam(const AdamStep& p, const std::int64_t* steps)
      : Adam{p},
        log_beta1(static_cast<float>(log(p.beta1))),
        log_beta2(static_cast<float>(log(p.beta2))),
        steps(steps) {}
  __device__ void look_up(Rule& rule) {
    const auto step = static_cast<float>(*steps);
    rule.lr /= -expm1f(step * log_beta1);
    root_scale = 1 / sqrtf(-expm1f(step * log_beta2));
  }
};

__global__ void count_kernel(std::int64_t* steps) {
  ++*steps;
}

struct NAdam : Moments {
  float of_g, of_m;

  NAdam(const NAdamStep& p)
      : Moments(p),
        of_g(static_cast<float>((1 - p.mu) / (1 - p.mu_product))),
        of_m(static_cast<float>(p.mu_next / (1 - p.mu_product * p.mu_next))) {}
  __device__ float direction(float g, float& m, float& v) const {
    follow(g, m, v);
    return (of_g * g + of_m * m) / root(v);
  }
};

struct Adamax : Moments {
  __device__ float direction(float g, float& m, float& u) const {
    m = beta1 * m + fresh1 * g;
    u = LargestOrNan{}(beta2 * u, fabsf(g) + eps);
    return m / u;
  }
};

struct Adagrad : Known {
  float eps;

  Adagrad(const AdagradStep& p) : eps(static_cast<float>(p.eps)) {}
  __device__ float direction(float g, float& sum) const {
    sum += g * g;
    return g / (sqrtf(sum) + eps);
  }
};

struct Adadelta : Known {
  float rho, fresh, eps;

  Adadelta(const AdadeltaStep& p)
      : rho(static_cast<float>(p.rho)), fresh(static_cast<float>(1 - p.rho)), eps(static_cast<float>(p.eps)) {}
  __device__ float direction(float g, float& v, float& deltas) const {
    v = rho * v + fresh * g * g;
    const float delta = sqrtf(deltas + eps) / sqrtf(v + eps) * g;
    deltas = rho * deltas + fresh * delta * delta;
    return delta;
  }
};

struct RMSprop : Known {
  float alpha, fresh, eps, momentum;
  bool centred;

  RMSprop(const RMSpropStep& p, bool centred)
      : alpha(static_cast<float>(p.alpha)),
        fresh(static_cast<float>(1 - p.alpha)),
        eps(static_cast<float>(p.eps)),
        momentum(static_cast<float>(p.momentum)),
        centred(centred) {}
  __device__ float direction(float g, float& v, float& m, float& buffer) const {
    v = alpha * v + fresh * g * g;
    m = centred ? alpha * m + fresh * g : 0;
    buffer = momentum * buffer + g / (sqrtf(LargestOrNan{}(v - m * m, 0.0f)) + eps);
    return buffer;
  }
};

struct Average {
  float decay, fresh;

  __device__ float operator()(float mean, float w) const { return decay * mean + fresh * w; }
};

}  // namespace

// param, grad (n), velocity (n) or null.  Without momentum 2 reads and 1 write an element, with it 3 and 2.
template <class T>
void sgd_step(const SgdStep& p, T* param, const T* grad, T* velocity) {
  Sgd sgd(p);
  sgd.first |= !velocity;
  update("sgd_step", p.n, Rule(p), sgd, grad, param, velocity);
}
INSTANTIATE(sgd_step)

// param, grad, exp_avg, exp_avg_sq (n), max_exp_avg_sq (n) or null, steps () or null, which counts: 4 reads and 3
// writes, 5 and 4 with the maximum, 16 FLOPs with a root and a division an element.
template <class T>
void adam_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq, T* max_exp_avg_sq,
               std::int64_t* steps) {
  const auto run = [&](const Rule& rule, const auto& adam) {
    update("adam_step", p.n, rule, adam, grad, param, exp_avg, exp_avg_sq, max_exp_avg_sq);
  };
  const Adam adam{p};
  if (!steps) return run(adam.corrected(Rule(p)), adam);
  launch("count", count_kernel, dim3(1), dim3(1), 0, steps);
  run(Rule(p), CountedAdam(p, steps));
}
INSTANTIATE(adam_step)

// param, grad, exp_avg, exp_avg_sq (n): as adam_step
template <class T>
void nadam_step(const NAdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_avg_sq) {
  update("nadam_step", p.n, Rule(p), NAdam(p), grad, param, exp_avg, exp_avg_sq);
}
INSTANTIATE(nadam_step)

// param, grad, exp_avg, exp_inf (n): as adam_step, without the root
template <class T>
void adamax_step(const AdamStep& p, T* param, const T* grad, T* exp_avg, T* exp_inf) {
  const Adamax adamax{p};
  update("adamax_step", p.n, adamax.corrected(Rule(p)), adamax, grad, param, exp_avg, exp_inf);
}
INSTANTIATE(adamax_step)

// param, grad, state_sum (n): 3 reads and 2 writes
template <class T>
void adagrad_step(const AdagradStep& p, T* param, const T* grad, T* state_sum) {
  update("adagrad_step", p.n, Rule(p), Adagrad(p), grad, param, state_sum);
}
INSTANTIATE(adagrad_step)

// param, grad, square_avg, acc_delta (n): 4 reads and 3 writes
template <class T>
void adadelta_step(const AdadeltaStep& p, T* param, const T* grad, T* square_avg, T* acc_delta) {
  update("adadelta_step", p.n, Rule(p), Adadelta(p), grad, param, square_avg, acc_delta);
}
INSTANTIATE(adadelta_step)

// param, grad, square_avg (n), grad_avg, momentum_buffer (n) or null: 3 reads and 2 writes, and 1 and 1 for each of the
// two.  Rounding may leave a variance below 0, which is cut there.
template <class T>
void rmsprop_step(const RMSpropStep& p, T* param, const T* grad, T* square_avg, T* grad_avg, T* momentum_buffer) {
  update("rmsprop_step", p.n, Rule(p), RMSprop(p, grad_avg), grad, param, square_avg, grad_avg, momentum_buffer);
}
INSTANTIATE(rmsprop_step)

// average, param (n): 2 reads and 1 write
template <class T>
void ema_step(const EmaStep& p, T* average, const T* param) {
  map("ema_step", p.n, Average{static_cast<float>(p.decay), static_cast<float>(1 - p.decay)}, average, average, param);
}
INSTANTIATE(ema_step)

}  // namespace convolith::CONVOLITH_DEVICE
