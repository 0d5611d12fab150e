#include "bindings.hpp"

namespace convolith::bindings {

void register_optimizer(py::module_& m) {
  def(m, "sgd_step", ops::sgd_step, "param"_a, "grad"_a, "velocity"_a = py::none(), py::kw_only(), "lr"_a = 1e-3,
      "momentum"_a = 0.0, "dampening"_a = 0.0, "weight_decay"_a = 0.0, "nesterov"_a = false, "first"_a = false);
  def(m, "adam_step", ops::adam_step, "param"_a, "grad"_a, "exp_avg"_a, "exp_avg_sq"_a, py::kw_only(), "step"_a,
      "lr"_a = 1e-3, "beta1"_a = 0.9, "beta2"_a = 0.999, "eps"_a = 1e-8, "weight_decay"_a = 0.0);
}

}  // namespace convolith::bindings
