#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

struct State {
  const char* name;
  const Target* array;  // or null
};
State state(const char* name, const Target& array) {
  return {name, &array};
}
State state(const char* name, const MaybeTarget& array) {
  return {name, array ? &*array : nullptr};
}

template <class T>
T* pointer(const MaybeTarget& array) {
  return array ? array->ptr<T>() : nullptr;
}

// param and grad fit each other, and so does every state; none shares memory with another.
void check_arrays(const Check& check, const Target& param, const Array& grad, std::initializer_list<State> states) {
  check.floating(param, "param");
  check.in_place(param, "param", param.shape, param, "param");
  check.floating(grad, "grad");
  check.alike(param, "param", grad, "grad");
  check.same_shape(param, "param", grad, "grad");
  check.apart(param, "param", grad, "grad");
  for (const State* s = states.begin(); s != states.end(); ++s) {
    if (!s->array) continue;
    check.in_place(*s->array, s->name, param.shape, param, "param");
    check.apart(*s->array, s->name, param, "param");
    check.apart(*s->array, s->name, grad, "grad");
    for (const State* before = states.begin(); before != s; ++before)
      if (before->array) check.apart(*before->array, before->name, *s->array, s->name);
  }
}

Descent descent(const Check& check, const StepOptions& o, const Target& param, bool decoupled = false) {
  return {param.size(),
          check.at_least_zero(o.lr, "lr"),
          check.at_least_zero(o.weight_decay, "weight_decay"),
          check.at_least_zero(o.l1, "l1"),
          check.flag(o.maximize, "maximize"),
          decoupled};
}

double below_one(const Check& check, const Real& arg, const char* name) {
  const double value = check.finite(arg, name);
  check.require(value >= 0 && value < 1, name, " must be in [0, 1), got ", value);
  return value;
}

std::int64_t counted(const Check& check, const Int& step) {
  const std::int64_t value = check.integer(step, "step");
  check.require(value >= 1, "step counts from 1, got ", value);
  return value;
}

AdamStep adam(const Check& check, const Descent& descent, const Int& step, const Real& beta1, const Real& beta2,
              const Real& eps) {
  return {descent, counted(check, step), below_one(check, beta1, "beta1"), below_one(check, beta2, "beta2"),
          check.at_least_zero(eps, "eps")};
}

void check_counter(const Check& check, const Target& step, const Target& param) {
  check.int64(step, "step");
  check.has_shape(step, "step", {});
  check.same_device(param, "param", step, "step");
  check.require(step.writeable, "step is counted in place but is read-only");
}

// `momentum` needs `buffer`, which is for nothing else.
void check_momentum(const Check& check, double momentum, const MaybeTarget& buffer, const char* name) {
  check.require(momentum == 0 || buffer, "momentum ", momentum, " needs a ", name, ", got None");
  check.require(momentum != 0 || !buffer, name, " is for momentum, which is 0; leave it out");
}

}  // namespace

void sgd_step(const StepOptions& options, const Target& param, const Array& grad, const MaybeTarget& velocity,
              const Real& momentum, const Real& dampening, const Flag& nesterov, const Flag& first) {
  const Check check("sgd");
  check_arrays(check, param, grad, {state("velocity", velocity)});
  const SgdStep p{descent(check, options, param), check.at_least_zero(momentum, "momentum"),
                  check.finite(dampening, "dampening"), check.flag(nesterov, "nesterov"), check.flag(first, "first")};
  check.require(!p.nesterov || (p.momentum > 0 && p.dampening == 0),
                "nesterov needs momentum > 0 and dampening 0, got momentum ", p.momentum, " and dampening ",
                p.dampening);
  check_momentum(check, p.momentum, velocity, "velocity");
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).sgd_step(p, param.ptr<T>(), grad.ptr<T>(), pointer<T>(velocity));
  });
}

void lars_step(const StepOptions& options, const Target& param, const Array& grad, const MaybeTarget& velocity,
               const Real& momentum, const Real& trust_coefficient) {
  const Check check("lars");
  check_arrays(check, param, grad, {state("velocity", velocity)});
  const LarsStep p{descent(check, options, param), check.at_least_zero(momentum, "momentum"),
                   check.at_least_zero(trust_coefficient, "trust_coefficient")};
  check_momentum(check, p.momentum, velocity, "velocity");
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).lars_step(p, param.ptr<T>(), grad.ptr<T>(), pointer<T>(velocity));
  });
}

void adam_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
               const Target& exp_avg_sq, const MaybeTarget& max_exp_avg_sq, const StepArg& step, const Real& beta1,
               const Real& beta2, const Real& eps, const Flag& decoupled_weight_decay) {
  const Check check("adam");
  check_arrays(check, param, grad,
               {state("exp_avg", exp_avg), state("exp_avg_sq", exp_avg_sq), state("max_exp_avg_sq", max_exp_avg_sq)});
  if (step.counter) check_counter(check, *step.counter, param);
  const bool decoupled = check.flag(decoupled_weight_decay, "decoupled_weight_decay");
  const AdamStep p = adam(check, descent(check, options, param, decoupled), step.counter ? Int{1, {}} : step.number,
                          beta1, beta2, eps);
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device)
        .adam_step(p, param.ptr<T>(), grad.ptr<T>(), exp_avg.ptr<T>(), exp_avg_sq.ptr<T>(), pointer<T>(max_exp_avg_sq),
                   step.counter ? step.counter->ptr<std::int64_t>() : nullptr);
  });
}

void nadam_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
                const Target& exp_avg_sq, const Int& step, const Real& mu, const Real& mu_next, const Real& mu_product,
                const Real& beta1, const Real& beta2, const Real& eps, const Flag& decoupled_weight_decay) {
  const Check check("nadam");
  check_arrays(check, param, grad, {state("exp_avg", exp_avg), state("exp_avg_sq", exp_avg_sq)});
  const bool decoupled = check.flag(decoupled_weight_decay, "decoupled_weight_decay");
  const NAdamStep p{adam(check, descent(check, options, param, decoupled), step, beta1, beta2, eps),
                    below_one(check, mu, "mu"), below_one(check, mu_next, "mu_next"),
                    below_one(check, mu_product, "mu_product")};
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).nadam_step(p, param.ptr<T>(), grad.ptr<T>(), exp_avg.ptr<T>(), exp_avg_sq.ptr<T>());
  });
}

void adamax_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
                 const Target& exp_inf, const Int& step, const Real& beta1, const Real& beta2, const Real& eps) {
  const Check check("adamax");
  check_arrays(check, param, grad, {state("exp_avg", exp_avg), state("exp_inf", exp_inf)});
  const AdamStep p = adam(check, descent(check, options, param), step, beta1, beta2, eps);
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).adamax_step(p, param.ptr<T>(), grad.ptr<T>(), exp_avg.ptr<T>(), exp_inf.ptr<T>());
  });
}

void lamb_step(const StepOptions& options, const Target& param, const Array& grad, const Target& exp_avg,
               const Target& exp_avg_sq, const Int& step, const Real& beta1, const Real& beta2, const Real& eps) {
  const Check check("lamb");
  check_arrays(check, param, grad, {state("exp_avg", exp_avg), state("exp_avg_sq", exp_avg_sq)});
  const AdamStep p = adam(check, descent(check, options, param, true), step, beta1, beta2, eps);
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).lamb_step(p, param.ptr<T>(), grad.ptr<T>(), exp_avg.ptr<T>(), exp_avg_sq.ptr<T>());
  });
}

void adagrad_step(const StepOptions& options, const Target& param, const Array& grad, const Target& state_sum,
                  const Int& step, const Real& lr_decay, const Real& eps) {
  const Check check("adagrad");
  check_arrays(check, param, grad, {state("state_sum", state_sum)});
  AdagradStep p{descent(check, options, param), check.at_least_zero(eps, "eps")};
  p.lr /= 1 + static_cast<double>(counted(check, step) - 1) * check.at_least_zero(lr_decay, "lr_decay");
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).adagrad_step(p, param.ptr<T>(), grad.ptr<T>(), state_sum.ptr<T>());
  });
}

void adadelta_step(const StepOptions& options, const Target& param, const Array& grad, const Target& square_avg,
                   const Target& acc_delta, const Real& rho, const Real& eps) {
  const Check check("adadelta");
  check_arrays(check, param, grad, {state("square_avg", square_avg), state("acc_delta", acc_delta)});
  const AdadeltaStep p{descent(check, options, param), check.within(rho, "rho", 0, 1), check.at_least_zero(eps, "eps")};
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).adadelta_step(p, param.ptr<T>(), grad.ptr<T>(), square_avg.ptr<T>(), acc_delta.ptr<T>());
  });
}

void rmsprop_step(const StepOptions& options, const Target& param, const Array& grad, const Target& square_avg,
                  const MaybeTarget& grad_avg, const MaybeTarget& momentum_buffer, const Real& alpha, const Real& eps,
                  const Real& momentum) {
  const Check check("rmsprop");
  check_arrays(
      check, param, grad,
      {state("square_avg", square_avg), state("grad_avg", grad_avg), state("momentum_buffer", momentum_buffer)});
  const RMSpropStep p{descent(check, options, param), check.within(alpha, "alpha", 0, 1),
                      check.at_least_zero(eps, "eps"), check.at_least_zero(momentum, "momentum")};
  check_momentum(check, p.momentum, momentum_buffer, "momentum_buffer");
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device)
        .rmsprop_step(p, param.ptr<T>(), grad.ptr<T>(), square_avg.ptr<T>(), pointer<T>(grad_avg),
                      pointer<T>(momentum_buffer));
  });
}

void ema_step(const Target& average, const Array& param, const Real& decay) {
  const Check check("ema");
  check.floating(average, "average");
  check.in_place(average, "average", average.shape, average, "average");
  check.floating(param, "param");
  check.alike(average, "average", param, "param");
  check.same_shape(average, "average", param, "param");
  check.apart(average, "average", param, "param");
  const EmaStep p{average.size(), check.within(decay, "decay", 0, 1)};
  by_dtype(average.dtype,
           [&]<class T>(T) { kernels<T>(average.device).ema_step(p, average.ptr<T>(), param.ptr<T>()); });
}

}  // namespace convolith::ops
