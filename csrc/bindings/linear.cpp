#include "bindings.hpp"

namespace convolith::bindings {

void register_linear(py::module_& m) {
  def(m, "linear_forward", ops::linear_forward, "x"_a, "w"_a, "bias"_a = py::none(), py::kw_only(),
      "out"_a = py::none());
  def(m, "linear_backward_input", ops::linear_backward_input, "dy"_a, "w"_a, py::kw_only(), "out"_a = py::none());
  def(m, "linear_backward_weight", ops::linear_backward_weight, "dy"_a, "x"_a, py::kw_only(), "out"_a = py::none());
  def(m, "linear_backward_bias", ops::linear_backward_bias, "dy"_a, py::kw_only(), "out"_a = py::none());
}

}  // namespace convolith::bindings
