#include "check.hpp"
#include "ops.hpp"

namespace convolith::ops {
namespace {

void check_param(const Check& check, const Target& param, const Array& grad) {
  check.floating(param, "param");
  check.in_place(param, "param", param.shape, param, "param");
  check.floating(grad, "grad");
  check.alike(param, "param", grad, "grad");
  check.same_shape(param, "param", grad, "grad");
  check.apart(param, "param", grad, "grad");
}

void check_state(const Check& check, const Target& state, const char* name, const Target& param, const Array& grad) {
  check.in_place(state, name, param.shape, param, "param");
  check.apart(state, name, param, "param");
  check.apart(state, name, grad, "grad");
}

void check_counter(const Check& check, const Target& step, const Target& param) {
  check.int64(step, "step");
  check.has_shape(step, "step", {});
  check.same_device(param, "param", step, "step");
  check.require(step.writeable, "step is counted in place but is read-only");
}

}  // namespace

void sgd_step(const Target& param, const Array& grad, const MaybeTarget& velocity, const Real& lr, const Real& momentum,
              const Real& dampening, const Real& weight_decay, const Flag& nesterov, const Flag& first) {
  const Check check("sgd");
  check_param(check, param, grad);
  const SgdStep p{param.size(),
                  check.at_least_zero(lr, "lr"),
                  check.at_least_zero(momentum, "momentum"),
                  check.finite(dampening, "dampening"),
                  check.at_least_zero(weight_decay, "weight_decay"),
                  check.flag(nesterov, "nesterov"),
                  check.flag(first, "first")};
  check.require(!p.nesterov || (p.momentum > 0 && p.dampening == 0),
                "nesterov needs momentum > 0 and dampening 0, got momentum ", p.momentum, " and dampening ",
                p.dampening);
  check.require(p.momentum == 0 || velocity, "momentum ", p.momentum, " needs a velocity, got None");
  check.require(p.momentum != 0 || !velocity, "velocity is for momentum, which is 0; leave it out");
  if (velocity) check_state(check, *velocity, "velocity", param, grad);
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device).sgd_step(p, param.ptr<T>(), grad.ptr<T>(), velocity ? velocity->ptr<T>() : nullptr);
  });
}

void adam_step(const Target& param, const Array& grad, const Target& exp_avg, const Target& exp_avg_sq,
               const StepArg& step, const Real& lr, const Real& beta1, const Real& beta2, const Real& eps,
               const Real& weight_decay) {
  const Check check("adam");
  check_param(check, param, grad);
  check_state(check, exp_avg, "exp_avg", param, grad);
  check_state(check, exp_avg_sq, "exp_avg_sq", param, grad);
  check.apart(exp_avg, "exp_avg", exp_avg_sq, "exp_avg_sq");
  if (step.counter) check_counter(check, *step.counter, param);
  const AdamStep p{param.size(),
                   step.counter ? 1 : check.integer(step.number, "step"),
                   check.at_least_zero(lr, "lr"),
                   check.finite(beta1, "beta1"),
                   check.finite(beta2, "beta2"),
                   check.at_least_zero(eps, "eps"),
                   check.at_least_zero(weight_decay, "weight_decay")};
  check.require(p.step >= 1, "step counts from 1, got ", p.step);
  check.require(p.beta1 >= 0 && p.beta1 < 1 && p.beta2 >= 0 && p.beta2 < 1, "beta1 and beta2 must be in [0, 1), got ",
                p.beta1, " and ", p.beta2);
  by_dtype(param.dtype, [&]<class T>(T) {
    kernels<T>(param.device)
        .adam_step(p, param.ptr<T>(), grad.ptr<T>(), exp_avg.ptr<T>(), exp_avg_sq.ptr<T>(),
                   step.counter ? step.counter->ptr<std::int64_t>() : nullptr);
  });
}

}  // namespace convolith::ops
