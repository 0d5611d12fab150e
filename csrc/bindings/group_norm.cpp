#include "bindings.hpp"

namespace convolith::bindings {

void register_group_norm(py::module_& m) {
  def(m, "layer_norm_forward", ops::layer_norm_forward, "x"_a, "normalized_shape"_a, "weight"_a = py::none(),
      "bias"_a = py::none(), py::kw_only(), "eps"_a = 1e-5, "out"_a = py::none());
  def(m, "layer_norm_backward", ops::layer_norm_backward, "dy"_a, "x"_a, "normalized_shape"_a, "weight"_a, "mean"_a,
      "invstd"_a, py::kw_only(), "out"_a = py::none());
  def(m, "group_norm_forward", ops::group_norm_forward, "x"_a, "num_groups"_a, "weight"_a = py::none(),
      "bias"_a = py::none(), py::kw_only(), "eps"_a = 1e-5, "out"_a = py::none());
  def(m, "group_norm_backward", ops::group_norm_backward, "dy"_a, "x"_a, "num_groups"_a, "weight"_a, "mean"_a,
      "invstd"_a, py::kw_only(), "out"_a = py::none());
  def(m, "instance_norm_forward", ops::instance_norm_forward, "x"_a, "weight"_a = py::none(), "bias"_a = py::none(),
      "running_mean"_a = py::none(), "running_var"_a = py::none(), py::kw_only(), "momentum"_a = 0.1, "eps"_a = 1e-5,
      "out"_a = py::none());
  def(m, "instance_norm_backward", ops::instance_norm_backward, "dy"_a, "x"_a, "weight"_a, "mean"_a, "invstd"_a,
      py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
