#include "bindings.hpp"

namespace convolith::bindings {
namespace {

// An optimizer's step: what all of them take comes last, as keywords.
template <class... Own, class... Args>
void def_step(py::module_& m, const char* name, void (*step)(const ops::StepOptions&, Own...), double lr,
              const Args&... args) {
  def(
      m, name,
      [step](Own... own, const Real& lr, const Real& weight_decay, const Real& l1, const Flag& maximize) {
        step({lr, weight_decay, l1, maximize}, own...);
      },
      "param"_a, "grad"_a, args..., "lr"_a = lr, "weight_decay"_a = 0.0, "l1"_a = 0.0, "maximize"_a = false);
}

}  // namespace

void register_optimizer(py::module_& m) {
  const py::kw_only kw;
  def_step(m, "sgd_step", ops::sgd_step, 1e-3, "velocity"_a = py::none(), kw, "momentum"_a = 0.0, "dampening"_a = 0.0,
           "nesterov"_a = false, "first"_a = false);
  def_step(m, "lars_step", ops::lars_step, 1e-3, "velocity"_a = py::none(), kw, "momentum"_a = 0.0,
           "trust_coefficient"_a = 1e-3);
  def_step(m, "adam_step", ops::adam_step, 1e-3, "exp_avg"_a, "exp_avg_sq"_a, "max_exp_avg_sq"_a = py::none(), kw,
           "step"_a, "beta1"_a = 0.9, "beta2"_a = 0.999, "eps"_a = 1e-8, "decoupled_weight_decay"_a = false);
  def_step(m, "nadam_step", ops::nadam_step, 2e-3, "exp_avg"_a, "exp_avg_sq"_a, kw, "step"_a, "mu"_a, "mu_next"_a,
           "mu_product"_a, "beta1"_a = 0.9, "beta2"_a = 0.999, "eps"_a = 1e-8, "decoupled_weight_decay"_a = false);
  def_step(m, "adamax_step", ops::adamax_step, 2e-3, "exp_avg"_a, "exp_inf"_a, kw, "step"_a, "beta1"_a = 0.9,
           "beta2"_a = 0.999, "eps"_a = 1e-8);
  def_step(m, "lamb_step", ops::lamb_step, 1e-3, "exp_avg"_a, "exp_avg_sq"_a, kw, "step"_a, "beta1"_a = 0.9,
           "beta2"_a = 0.999, "eps"_a = 1e-6);
  def_step(m, "adagrad_step", ops::adagrad_step, 1e-2, "state_sum"_a, kw, "step"_a = 1, "lr_decay"_a = 0.0,
           "eps"_a = 1e-10);
  def_step(m, "adadelta_step", ops::adadelta_step, 1.0, "square_avg"_a, "acc_delta"_a, kw, "rho"_a = 0.9,
           "eps"_a = 1e-6);
  def_step(m, "rmsprop_step", ops::rmsprop_step, 1e-2, "square_avg"_a, "grad_avg"_a = py::none(),
           "momentum_buffer"_a = py::none(), kw, "alpha"_a = 0.99, "eps"_a = 1e-8, "momentum"_a = 0.0);
  def(m, "ema_step", ops::ema_step, "average"_a, "param"_a, kw, "decay"_a = 0.999);
}

}  // namespace convolith::bindings
