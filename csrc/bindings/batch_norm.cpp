#include "bindings.hpp"

namespace convolith::bindings {

void register_batch_norm(py::module_& m) {
  def(m, "batch_norm_forward", ops::batch_norm_forward, "x"_a, "weight"_a = py::none(), "bias"_a = py::none(),
      "running_mean"_a = py::none(), "running_var"_a = py::none(), "residual"_a = py::none(), py::kw_only(),
      "training"_a = false, "momentum"_a = 0.1, "eps"_a = 1e-5, "activation"_a = "identity", "out"_a = py::none());
  def(m, "batch_norm_backward", ops::batch_norm_backward, "dy"_a, "x"_a, "weight"_a, "mean"_a, "invstd"_a,
      "bias"_a = py::none(), "y"_a = py::none(), py::kw_only(), "training"_a = true, "activation"_a = "identity",
      "out"_a = py::none());
}

}  // namespace convolith::bindings
